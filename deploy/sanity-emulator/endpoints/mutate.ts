import type { FastifyInstance, FastifyRequest } from 'fastify';

import { accessOf } from '../access.ts';
import type { Access } from '../access.ts';
import { isOn, jsonBody, parameter } from '../body.ts';
import { newTransactionId, transactionOf } from '../emulator.ts';
import type { Emulator } from '../emulator.ts';
import { ItemRefused, boom, transactionExists, transactionRefused } from '../errors.ts';
import { applyMutations } from '../mutation.ts';
import type { MutationResult, Outcome, TransactionContext } from '../mutation.ts';
import { viewFor } from '../perspective.ts';
import { findIds } from '../query.ts';
import { mayWrite } from '../tokens.ts';

/** `POST /data/mutate` (docs/content-lake/technical-limits): 4 MB, decimal. */
const BODY_LIMIT = 4_000_000;
const VISIBILITIES = ['sync', 'async', 'deferred'];
const MAX_TRANSACTION_ID_LENGTH = 128;

export function registerMutate(app: FastifyInstance, emulator: Emulator): void {
  const options = { config: { route: 'mutate' }, bodyLimit: BODY_LIMIT };
  app.post('/:version/data/mutate/:dataset', options, async (request, reply) => {
    const answer = mutate(emulator, request);
    reply.type('application/json; charset=utf-8');
    return JSON.stringify(answer);
  });
}

function mutate(emulator: Emulator, request: FastifyRequest): object {
  const access = accessOf(emulator, request);
  const { query } = request;
  const body = jsonBody(request.body);
  const { mutations } = body;
  if (!Array.isArray(mutations)) throw boom(400, 'Request body must have a list "mutations"');
  const visibility = parameter(query, 'visibility') ?? 'sync';
  if (!VISIBILITIES.includes(visibility)) throw boom(400, `Unknown visibility "${visibility}"`);
  const transactionId = transactionIdOf(body.transactionId ?? parameter(query, 'transactionId'));
  request.trace.transactionId = transactionId;
  if (emulator.store.hasTransaction(access.dataset, transactionId)) {
    throw transactionExists(transactionId);
  }
  const context = contextOf(emulator, access, transactionId, isOn(query, 'autoGenerateArrayKeys'));
  const outcome = applied(access, mutations, context);
  request.trace.ids = outcome.changes.map((change) => change.id);
  if (!isOn(query, 'dryRun')) {
    const transaction = transactionOf(transactionId, access.identity.id, outcome.applied);
    emulator.commit(access.dataset, transaction, outcome.changes);
  }
  return { transactionId, results: shown(outcome.results, query) };
}

function applied(access: Access, mutations: unknown[], context: TransactionContext): Outcome {
  try {
    return applyMutations(access.dataset, mutations, context);
  } catch (error) {
    if (error instanceof ItemRefused) throw transactionRefused('mutationError', error);
    throw error;
  }
}

/** What a transaction of this caller is applied with, come as mutations or as actions. */
export function contextOf(
  emulator: Emulator,
  access: Access,
  transactionId: string,
  autoGenerateArrayKeys: boolean,
): TransactionContext {
  const { dataset, identity, visible } = access;
  const queryContext = { project: dataset.project, dataset: dataset.name, identity: identity.id };
  return {
    transactionId,
    timestamp: `${new Date().toISOString().slice(0, 19)}Z`,
    behaviour: emulator.settings.behaviour,
    autoGenerateArrayKeys,
    mayWrite: (_permission, id) => mayWrite(identity, id),
    find: (query, params) => findIds(query, params, viewFor(dataset, 'raw', visible), queryContext),
  };
}

/** The caller's transaction id, or a new one. Its real alphabet is unknown; paths must bear it. */
export function transactionIdOf(given: unknown): string {
  if (given === undefined || given === null) return newTransactionId();
  const valid = typeof given === 'string' && /^[\w.:~-]+$/.test(given);
  if (valid && given.length <= MAX_TRANSACTION_ID_LENGTH) return given;
  throw boom(400, `Invalid transactionId: ${JSON.stringify(given)}`);
}

function shown(results: MutationResult[], query: unknown): object[] {
  const ids = isOn(query, 'returnIds');
  const documents = isOn(query, 'returnDocuments');
  if (!ids && !documents) return [];
  return results.map(({ id, operation, document }) => ({
    ...(ids ? { id, operation } : {}),
    ...(documents ? { document } : {}),
  }));
}
