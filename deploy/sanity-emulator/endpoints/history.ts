import type { FastifyInstance, FastifyRequest } from 'fastify';

import { accessOf } from '../access.ts';
import type { Access } from '../access.ts';
import { isOn, parameter } from '../body.ts';
import type { StoredDocument } from '../doc.ts';
import type { Emulator } from '../emulator.ts';
import { boom } from '../errors.ts';
import { mendozaEffects } from '../listener.ts';
import type { LoggedTransaction, Store } from '../store.ts';

const DEFAULT_LIMIT = 100;

/** `GET /data/history`: documents as they were, and the transactions that made them so. */
export function registerHistory(app: FastifyInstance, emulator: Emulator): void {
  const options = { config: { route: 'history' } };
  const { store } = emulator;
  app.get('/:version/data/history/:dataset/documents/:ids', options, async (request) => {
    const access = reader(emulator, request);
    return { documents: idsOf(request).flatMap((id) => stateOf(store, access, id, request) ?? []) };
  });
  app.get('/:version/data/history/:dataset/transactions/:ids', options, async (request, reply) => {
    const lines = transactionLines(store, reader(emulator, request), request);
    reply.type('application/x-ndjson');
    return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  });
  // The Studio asks for events first and falls back to transactions when there are none.
  app.get('/:version/data/history/:dataset/events/documents/:ids', options, async (request) => {
    reader(emulator, request);
    return { events: [], nextCursor: '' };
  });
}

/** History needs a token: what was deleted may have been private. */
function reader(emulator: Emulator, request: FastifyRequest): Access {
  const access = accessOf(emulator, request);
  if (access.identity.role === 'anonymous') throw boom(401, 'Unauthorized - a token is required');
  return access;
}

function idsOf(request: FastifyRequest): string[] {
  const { ids } = request.params as { ids: string };
  request.trace.ids = ids.split(',').filter(Boolean);
  return request.trace.ids;
}

function stateOf(
  store: Store,
  { dataset }: Access,
  id: string,
  { query }: FastifyRequest,
): StoredDocument | null {
  const transactions = [...store.transactionsOf(dataset, id)];
  const state = (transaction?: LoggedTransaction): StoredDocument | null =>
    transaction?.states.get(id) ?? null;
  if (isOn(query, 'lastRevision')) {
    return state(transactions.findLast((each) => each.states.get(id) !== null));
  }
  const revision = parameter(query, 'revision');
  if (revision !== undefined) {
    const upTo = store.transaction(dataset, revision)?.seq ?? 0;
    return state(transactions.findLast((each) => each.seq <= upTo));
  }
  const time = timeOf(parameter(query, 'time'));
  return state(transactions.findLast((each) => each.at <= time));
}

function timeOf(time: string | undefined): string {
  const parsed = Date.parse(time ?? '');
  if (Number.isNaN(parsed)) throw boom(400, 'Give one of: revision, time, lastRevision=true');
  return new Date(parsed).toISOString();
}

function transactionLines(store: Store, access: Access, request: FastifyRequest): object[] {
  const ids = new Set(idsOf(request));
  const found = new Map<number, LoggedTransaction>();
  for (const id of ids) {
    for (const each of store.transactionsOf(access.dataset, id)) found.set(each.seq, each);
  }
  const ordered = [...found.values()].sort((a, b) => a.seq - b.seq);
  const chosen = limited(between(ordered, request), request);
  const previous = new Map<string, StoredDocument | null>();
  const lines = new Map(ordered.map((each) => [each.seq, lineOf(each, ids, previous, request)]));
  return chosen.flatMap(({ seq }) => lines.get(seq) ?? []);
}

function between(
  transactions: LoggedTransaction[],
  { query }: FastifyRequest,
): LoggedTransaction[] {
  const bound = (name: string): number | undefined => {
    const id = parameter(query, name);
    return id === undefined ? undefined : transactions.find((each) => each.id === id)?.seq;
  };
  const from = bound('fromTransaction') ?? 0;
  const to = bound('toTransaction') ?? Number.MAX_SAFE_INTEGER;
  return transactions.filter(({ seq }) => seq >= from && seq <= to);
}

function limited(
  transactions: LoggedTransaction[],
  { query }: FastifyRequest,
): LoggedTransaction[] {
  const limit = Number(parameter(query, 'limit') ?? DEFAULT_LIMIT);
  if (!Number.isInteger(limit) || limit < 1) throw boom(400, '"limit" must be a number from 1');
  return (isOn(query, 'reverse') ? transactions.toReversed() : transactions).slice(0, limit);
}

/** One NDJSON line. Called in the order of the log, since effects need the state before. */
function lineOf(
  transaction: LoggedTransaction,
  asked: Set<string>,
  previous: Map<string, StoredDocument | null>,
  { query }: FastifyRequest,
): object {
  const { id, at, author, states } = transaction;
  const only = isOn(query, 'includeIdentifiedDocumentsOnly');
  const documentIDs = [...states.keys()].filter((each) => !only || asked.has(each));
  const mutations = transaction.mutations.filter((each) => documentIDs.includes(each.id));
  const effects: Record<string, object> = {};
  for (const each of documentIDs) {
    if (!asked.has(each)) continue;
    const state = states.get(each) ?? null;
    effects[each] = mendozaEffects(previous.get(each) ?? null, state);
    previous.set(each, state);
  }
  return {
    id,
    timestamp: at,
    author,
    documentIDs,
    ...(isOn(query, 'excludeContent') ? {} : { mutations: mutations.map((each) => each.mutation) }),
    ...(parameter(query, 'effectFormat') === 'mendoza' ? { effects } : {}),
  };
}
