import type { FastifyInstance, FastifyRequest } from 'fastify';

import { projectOf } from '../access.ts';
import { jsonBody } from '../body.ts';
import type { AclMode } from '../dataset.ts';
import type { Emulator } from '../emulator.ts';
import { boom } from '../errors.ts';
import { mayManageDatasets } from '../tokens.ts';

interface Path {
  dataset: string;
}

/** Below `/projects/<id>/` by the management API, at the project's own host by the client. */
const PLACES = ['/:version/projects/:project/datasets', '/:version/datasets'];

/** The management API's part that tests and set-up need: list, create and delete datasets. */
export function registerDatasets(app: FastifyInstance, emulator: Emulator): void {
  for (const place of PLACES) registerAt(app, emulator, place);
}

function registerAt(app: FastifyInstance, emulator: Emulator, place: string): void {
  const options = { config: { route: 'datasets' } };
  app.get(place, options, async (request) => {
    const project = emulator.project(managedProject(request));
    return [...project.datasets.values()].map(({ name, aclMode }) => ({ name, aclMode }));
  });
  app.put(`${place}/:dataset`, options, async (request) => {
    const { dataset } = request.params as Path;
    const { aclMode } = emulator.addDataset(managedProject(request), dataset, aclModeOf(request));
    return { datasetName: dataset, aclMode };
  });
  app.delete(`${place}/:dataset`, options, async (request) => {
    emulator.removeDataset(managedProject(request), (request.params as Path).dataset);
    return { deleted: true };
  });
}

function managedProject(request: FastifyRequest): string {
  const project = projectOf(request);
  const { identity } = request.caller;
  if (identity.role === 'anonymous') throw boom(401, 'Unauthorized - a token is required');
  if (request.method !== 'GET' && !mayManageDatasets(identity)) {
    throw boom(403, `Insufficient permissions: role "${identity.role}" can't manage datasets`);
  }
  return project;
}

function aclModeOf(request: FastifyRequest): AclMode {
  const { aclMode = 'public' } = request.body ? jsonBody(request.body) : {};
  if (aclMode === 'public' || aclMode === 'private') return aclMode;
  throw boom(400, '"aclMode" must be "public" or "private"');
}
