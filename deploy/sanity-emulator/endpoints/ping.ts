import type { FastifyInstance } from 'fastify';

/** `GET /v1/ping`: answers once the data is loaded, without a token. Its real body is unknown. */
export function registerPing(app: FastifyInstance): void {
  app.get('/:version/ping', async (_request, reply) => {
    reply.type('application/json; charset=utf-8');
    return '{"ping":"pong"}';
  });
}
