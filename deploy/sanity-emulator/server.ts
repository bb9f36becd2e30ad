import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import Fastify from 'fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

import { callerOf } from './access.ts';
import type { Caller } from './access.ts';
import type { Emulator } from './emulator.ts';
import { registerAccount } from './endpoints/account.ts';
import { registerActions } from './endpoints/actions.ts';
import { registerAdmin } from './endpoints/admin.ts';
import { registerDatasets } from './endpoints/datasets.ts';
import { registerDoc } from './endpoints/doc.ts';
import { registerExport } from './endpoints/export.ts';
import { registerHistory } from './endpoints/history.ts';
import { registerListen } from './endpoints/listen.ts';
import { registerMutate } from './endpoints/mutate.ts';
import { registerPing } from './endpoints/ping.ts';
import { registerQuery } from './endpoints/query.ts';
import { ApiError, bodyTooLarge, boom, rateLimited, transactionConflict } from './errors.ts';
import { DOCUMENTED_LIMITS } from './rate-limit.ts';
import { newTrace } from './trace.ts';
import type { Trace } from './trace.ts';
import type { Effect, StatusEffect } from './weather.ts';

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller;
    trace: Trace;
  }
  interface FastifyContextConfig {
    /** The name by which log and weather know the route; routes without one have no weather. */
    route?: string;
  }
}

/** All API calls but mutate: 100 MB (docs/content-lake/technical-limits). */
const BODY_LIMIT = 100_000_000;
/** Many ids stand in one path segment of `doc`. */
const MAX_PARAM_LENGTH = 16_384;

/**
 * Build an HTTP server over the emulator. `transport` is fastify's own (`{}` for HTTP/1.1, or
 * `{http2, https}` for the Studio): several servers may stand over one emulator.
 */
export function buildServer(emulator: Emulator, transport: object = {}): FastifyInstance {
  const app = Fastify({
    ...transport,
    bodyLimit: BODY_LIMIT,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH, ignoreTrailingSlash: true },
  }) as FastifyInstance;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  addHooks(app, emulator);
  app.setErrorHandler((error: Error, request, reply) => answerError(error, request, reply));
  app.setNotFoundHandler((request, reply) =>
    answerError(boom(404, `Not found: ${request.method} ${request.url}`), request, reply),
  );
  registerPing(app);
  const registrations = [
    registerMutate, registerActions, registerQuery, registerDoc, registerListen,
    registerExport, registerHistory, registerDatasets, registerAccount,
  ];
  for (const register of registrations) register(app, emulator);
  if (emulator.settings.admin) registerAdmin(app, emulator);
  return app;
}

function addHooks(app: FastifyInstance, emulator: Emulator): void {
  app.decorateRequest('caller', null as unknown as Caller);
  app.decorateRequest('trace', null as unknown as Trace);
  app.addHook('onRequest', async (request, reply) => {
    request.trace = newTrace();
    request.caller = callerOf(emulator, request);
    addCors(request, reply);
    if (request.routeOptions.config.route) limitRate(emulator, request, reply);
  });
  app.addHook('preHandler', (request, reply) => meetWeather(emulator, request, reply));
  app.addHook('onSend', async (request, reply, payload) => {
    const { afterwards } = request.trace;
    const answer = afterwards ? await befall(afterwards, request, reply) : payload;
    // Nobody is there any more to take the answer, so no response will be reported.
    if (request.raw.socket.destroyed) logRequest(emulator, request, 0);
    request.trace.bytesOut = typeof answer === 'string' ? Buffer.byteLength(answer) : 0;
    return answer;
  });
  app.addHook('onResponse', async (request, reply) => {
    logRequest(emulator, request, reply.statusCode);
  });
}

function addCors(request: FastifyRequest, reply: FastifyReply): void {
  const { origin } = request.headers;
  if (!origin) return;
  reply.header('access-control-allow-origin', origin);
  reply.header('access-control-allow-credentials', 'true');
  reply.header('vary', 'origin');
}

function limitRate(emulator: Emulator, request: FastifyRequest, reply: FastifyReply): void {
  const { mutatePerSecond, otherPerSecond, retryAfter } = emulator.weather.forecast;
  const kind = request.routeOptions.config.route === 'mutate' ? 'mutate' : 'other';
  const enforced = kind === 'mutate' ? mutatePerSecond : otherPerSecond;
  const limit = enforced ?? DOCUMENTED_LIMITS[kind];
  const key = `${kind} ${request.ip}`;
  const decision = emulator.rates.take(key, limit, enforced !== null, Date.now());
  reply.headers({ ...decision.headers });
  if (decision.allowed) return;
  throw rateLimited(retryAfter ? { 'retry-after': '1' } : {});
}

async function meetWeather(
  emulator: Emulator,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const { route } = request.routeOptions.config;
  if (!route) return;
  const { dataset = null } = request.params as { dataset?: string };
  const effect = emulator.weather.strike(route, request.caller.project, dataset);
  const delay = emulator.weather.delayMs();
  if (delay > 0) await sleep(delay);
  if (!effect) return;
  if (effect.kind === 'conflict') throw transactionConflict();
  if (effect.when === 'after') request.trace.afterwards = effect;
  else await strikeBefore(emulator, effect, request, reply);
}

async function strikeBefore(
  emulator: Emulator,
  effect: Effect,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const answer = await befall(effect, request, reply);
  if (effect.kind === 'status') {
    await reply.send(answer);
    return;
  }
  reply.hijack();
  logRequest(emulator, request, 0);
}

/** Let the effect happen; for a status, answers the body to be sent in place of the real one. */
async function befall(
  effect: Effect,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<string | undefined> {
  const { trace } = request;
  switch (effect.kind) {
    case 'cut':
      trace.outcome = `cut-${effect.when}-commit`;
      cut(request);
      return undefined;
    case 'hang':
      trace.outcome = `hung-${effect.when}-commit`;
      await once(request.raw.socket, 'close');
      return undefined;
    case 'status':
      trace.outcome = `${effect.status}-${effect.when}-commit`;
      return unfriendlyAnswer(effect, reply);
    case 'conflict':
      return undefined;
  }
}

/** Close the connection without an answer: the HTTP/2 stream, or the whole HTTP/1.1 connection. */
function cut(request: FastifyRequest): void {
  const { stream } = request.raw as unknown as { stream?: { destroy: () => void } };
  if (stream) stream.destroy();
  else request.raw.socket.destroy();
}

const BODIES = {
  html: '<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Error</h1></body></html>',
  text: 'Service Unavailable',
  empty: '',
} as const;

function unfriendlyAnswer(effect: StatusEffect, reply: FastifyReply): string {
  const { status, body, retryAfterSeconds } = effect;
  reply.code(status);
  reply.removeHeader('content-length');
  if (retryAfterSeconds !== null) reply.header('retry-after', String(retryAfterSeconds));
  if (body === 'json') {
    reply.type('application/json; charset=utf-8');
    const limited = { message: 'API rate limit exceeded' };
    return JSON.stringify(status === 429 ? limited : boom(status, 'Trouble, as ordered').body);
  }
  reply.type(body === 'html' ? 'text/html; charset=utf-8' : 'text/plain; charset=utf-8');
  return BODIES[body];
}

function answerError(error: Error, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = error instanceof ApiError ? error : translated(error, request);
  return reply
    .code(known.status)
    .headers(known.headers)
    .type('application/json; charset=utf-8')
    .send(JSON.stringify(known.body));
}

function translated(error: Error, request: FastifyRequest): ApiError {
  const { code, statusCode } = error as { code?: string; statusCode?: number };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return bodyTooLarge(request.routeOptions.bodyLimit ?? BODY_LIMIT);
  }
  if (statusCode !== undefined && statusCode < 500) return boom(statusCode, error.message);
  console.error(error);
  return boom(500, 'An internal error occurred in the emulator; its standard error says where');
}

function logRequest(emulator: Emulator, request: FastifyRequest, status: number): void {
  const { trace, caller } = request;
  const { route } = request.routeOptions.config;
  if (trace.logged || !route) return;
  trace.logged = true;
  const { dataset } = request.params as { dataset?: string };
  emulator.log.add({
    at: new Date(Date.now() - (performance.now() - trace.startedMs)).toISOString(),
    durationMs: Number((performance.now() - trace.startedMs).toFixed(3)),
    who: caller.identity.name,
    role: caller.identity.role,
    project: caller.project,
    dataset: dataset ?? null,
    route,
    method: request.method,
    path: request.url,
    status,
    outcome: trace.outcome,
    transactionId: trace.transactionId,
    ids: trace.ids,
    bytesIn: Number(request.headers['content-length'] ?? 0),
    bytesOut: trace.bytesOut,
  });
}
