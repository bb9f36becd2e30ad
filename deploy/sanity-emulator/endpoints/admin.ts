import type { FastifyInstance, FastifyRequest } from 'fastify';

import { jsonBody, parameter } from '../body.ts';
import type { Dataset } from '../dataset.ts';
import type { Emulator } from '../emulator.ts';
import { boom } from '../errors.ts';
import type { LoggedTransaction } from '../store.ts';
import { WeatherError } from '../weather.ts';

const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/;
const MAX_TRANSACTIONS = 10_000;

/** `/_emulator/`: what the service doesn't have. For this machine only, and only when asked for. */
export function registerAdmin(app: FastifyInstance, emulator: Emulator): void {
  app.register(
    async (admin) => {
      admin.addHook('onRequest', async (request) => {
        if (!LOOPBACK.test(request.ip)) throw boom(403, 'Only this machine may ask');
      });
      registerLog(admin, emulator);
      registerWeather(admin, emulator);
      registerHistory(admin, emulator);
    },
    { prefix: '/_emulator' },
  );
}

function registerLog(admin: FastifyInstance, emulator: Emulator): void {
  const { log } = emulator;
  admin.get('/requests', async (request) => {
    return { requests: log.since(wholeNumber(request, 'since', 0)) };
  });
  admin.delete('/requests', async () => {
    log.clear();
    return { cleared: true };
  });
  admin.get('/counters', async () => log.counters());
}

function registerWeather(admin: FastifyInstance, emulator: Emulator): void {
  const { weather } = emulator;
  admin.get('/weather', async () => weather.describe());
  admin.put('/weather', async (request) => {
    try {
      weather.set(jsonBody(request.body));
    } catch (error) {
      if (error instanceof WeatherError) throw boom(400, error.message);
      throw error;
    }
    return weather.describe();
  });
  admin.delete('/listeners', async () => ({ ended: emulator.endStreams() }));
  admin.delete('/weather', async () => {
    weather.clear();
    return weather.describe();
  });
}

function registerHistory(admin: FastifyInstance, emulator: Emulator): void {
  const { store } = emulator;
  admin.get('/transactions', async (request) => {
    const limit = wholeNumber(request, 'limit', MAX_TRANSACTIONS);
    const since = wholeNumber(request, 'since', 0);
    const logged = store.transactions(datasetOf(emulator, request), since);
    const transactions = logged.take(Math.min(limit, MAX_TRANSACTIONS)).map(withoutStates);
    return { transactions: transactions.toArray() };
  });
  admin.get('/history', async (request) => {
    const id = parameter(request.query, 'id');
    const dataset = datasetOf(emulator, request);
    const logged = id === undefined
      ? store.transactions(dataset, wholeNumber(request, 'since', 0))
      : store.transactionsOf(dataset, id);
    return { documents: statesByDocument(logged, id) };
  });
}

function withoutStates({ states, ...transaction }: LoggedTransaction): object {
  return { ...transaction, ids: [...states.keys()] };
}

/** Every state that each document had; `revision` is its `sync.revision` then. */
function statesByDocument(
  transactions: Iterable<LoggedTransaction>,
  only: string | undefined,
): Record<string, object[]> {
  const documents: Record<string, object[]> = {};
  for (const { seq, id: transactionId, at, states } of transactions) {
    for (const [id, state] of states) {
      if (only !== undefined && id !== only) continue;
      const sync = state?.sync as { revision?: unknown } | undefined;
      const revision = typeof sync?.revision === 'number' ? sync.revision : null;
      const entry = { seq, transactionId, at, deleted: state === null, revision };
      (documents[id] ??= []).push(entry);
    }
  }
  return documents;
}

/** `?project=&dataset=`; the project may be left out where there is one only. */
function datasetOf(emulator: Emulator, request: FastifyRequest): Dataset {
  const project = parameter(request.query, 'project') ?? emulator.onlyProject();
  const dataset = parameter(request.query, 'dataset');
  if (!project || !dataset) throw boom(400, 'Name ?project= and ?dataset=');
  return emulator.dataset(project, dataset);
}

function wholeNumber(request: FastifyRequest, name: string, fallback: number): number {
  const value = parameter(request.query, name) ?? String(fallback);
  if (!/^\d+$/.test(value)) throw boom(400, `"${name}" must be a whole number`);
  return Number(value);
}
