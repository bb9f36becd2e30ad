import type { FastifyInstance, FastifyRequest } from 'fastify';

import { accessOf } from '../access.ts';
import { groqParameters, jsonBody, parameter } from '../body.ts';
import type { Dataset } from '../dataset.ts';
import { isObject } from '../doc.ts';
import type { JsonObject } from '../doc.ts';
import { EarlierDocuments } from '../earlier.ts';
import type { Emulator } from '../emulator.ts';
import { boom } from '../errors.ts';
import { defaultPerspective, versionDate, viewFor } from '../perspective.ts';
import type { Documents } from '../perspective.ts';
import { runQuery } from '../query.ts';

const FIRST_VERSION_WITH_SYNC_TAGS = '2021-03-25';

export function registerQuery(app: FastifyInstance, emulator: Emulator): void {
  app.route({
    method: ['GET', 'POST'],
    url: '/:version/data/query/:dataset',
    config: { route: 'query' },
    handler: async (request, reply) => {
      const answer = await query(emulator, request);
      reply.type('application/json; charset=utf-8');
      return JSON.stringify(answer);
    },
  });
}

async function query(emulator: Emulator, request: FastifyRequest): Promise<object> {
  const startedMs = performance.now();
  const { dataset, identity, version, visible } = accessOf(emulator, request);
  const { text, params } = question(request);
  const perspective = parameter(request.query, 'perspective') ?? defaultPerspective(version);
  const view = viewFor(indexed(emulator, dataset), perspective, visible);
  const context = { project: dataset.project, dataset: dataset.name, identity: identity.id };
  const result = await runQuery(text, params, view, context);
  const tagged = versionDate(version) >= FIRST_VERSION_WITH_SYNC_TAGS;
  return {
    ...(parameter(request.query, 'returnQuery') === 'false' ? {} : { query: text }),
    result: result ?? null,
    // One tag for everything: finer ones would promise that other answers are still fresh.
    ...(tagged ? { syncTags: [`s1:${dataset.name}`] } : {}),
    ms: Math.round(performance.now() - startedMs),
  };
}

/** The dataset as the query index has it: behind the commits where the weather says so. */
function indexed(emulator: Emulator, dataset: Dataset): Documents {
  const { queryLagMs } = emulator.weather.forecast;
  if (queryLagMs === 0) return dataset;
  const time = new Date(Date.now() - queryLagMs).toISOString();
  return new EarlierDocuments(dataset, emulator.recent(dataset), time);
}

function question(request: FastifyRequest): { text: string; params: JsonObject } {
  if (request.method === 'GET') {
    const text = parameter(request.query, 'query');
    if (!text) throw boom(400, 'Parameter "query" is missing');
    return { text, params: groqParameters(request.query) };
  }
  const { query: text, params = {} } = jsonBody(request.body);
  if (typeof text !== 'string' || text === '') throw boom(400, 'Attribute "query" is missing');
  if (!isObject(params)) throw boom(400, 'Attribute "params" must be an object');
  return { text, params };
}
