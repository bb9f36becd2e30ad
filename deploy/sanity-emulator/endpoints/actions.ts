import type { FastifyInstance, FastifyRequest } from 'fastify';

import { accessOf } from '../access.ts';
import { applyAction } from '../action.ts';
import { jsonBody } from '../body.ts';
import { transactionOf } from '../emulator.ts';
import type { Emulator } from '../emulator.ts';
import { ItemRefused, boom, transactionExists, transactionRefused } from '../errors.ts';
import { WorkingCopy } from '../mutation.ts';
import { contextOf, transactionIdOf } from './mutate.ts';

export function registerActions(app: FastifyInstance, emulator: Emulator): void {
  const options = { config: { route: 'actions' } };
  app.post('/:version/data/actions/:dataset', options, async (request, reply) => {
    const answer = act(emulator, request);
    reply.type('application/json; charset=utf-8');
    return JSON.stringify(answer);
  });
}

/** All options stand in the body here, unlike those of `mutate`. */
function act(emulator: Emulator, request: FastifyRequest): object {
  const access = accessOf(emulator, request);
  const body = jsonBody(request.body);
  const { actions } = body;
  if (!Array.isArray(actions)) throw boom(400, 'Request body must have a list "actions"');
  const transactionId = transactionIdOf(body.transactionId);
  request.trace.transactionId = transactionId;
  if (emulator.store.hasTransaction(access.dataset, transactionId)) {
    throw transactionExists(transactionId);
  }
  const work = new WorkingCopy(access.dataset, contextOf(emulator, access, transactionId, false));
  const outcome = refusedAsActions(() => {
    actions.forEach((action, index) => applyAction(work, action, index, access.version));
    return work.outcome();
  });
  request.trace.ids = outcome.changes.map((change) => change.id);
  if (body.dryRun !== true) {
    const transaction = transactionOf(transactionId, access.identity.id, outcome.applied);
    emulator.commit(access.dataset, transaction, outcome.changes);
  }
  return { transactionId };
}

function refusedAsActions<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof ItemRefused) throw transactionRefused('actionError', error);
    throw error;
  }
}
