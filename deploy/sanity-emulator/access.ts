import type { FastifyRequest } from 'fastify';

import type { Dataset } from './dataset.ts';
import type { Emulator } from './emulator.ts';
import type { ApiError } from './errors.ts';
import {
  boom,
  expiredToken,
  projectNotFound,
  tokenOfAnotherProject,
  unknownToken,
} from './errors.ts';
import { visibleTo } from './perspective.ts';
import type { Visible } from './perspective.ts';
import { ANONYMOUS, bearerToken } from './tokens.ts';
import type { Identity } from './tokens.ts';

/** Who is asking, and for which project. A problem is raised once an endpoint needs to know. */
export interface Caller {
  identity: Identity;
  project: string | null;
  problem: ApiError | null;
}

/** An endpoint's dataset, as this caller may see it. */
export interface Access {
  dataset: Dataset;
  identity: Identity;
  version: string;
  visible: Visible;
}

const API_VERSION = /^v(\d{4}-\d{2}-\d{2}|1|X)$/;

export function callerOf(emulator: Emulator, request: FastifyRequest): Caller {
  const token = bearerToken(request.headers.authorization);
  const granted = token === undefined ? undefined : emulator.token(token);
  const named = projectNamed(request);
  const project = named ?? granted?.project ?? emulator.onlyProject();
  if (token === undefined) return { identity: ANONYMOUS, project, problem: null };
  if (!granted) return { identity: ANONYMOUS, project, problem: unknownToken() };
  const { name, role, expiresAt, project: home } = granted;
  const identity: Identity = { id: `g-${name}`, name, role, project: home };
  if (expiresAt !== null && expiresAt <= new Date().toISOString()) {
    return { identity, project, problem: expiredToken() };
  }
  const elsewhere = project !== home;
  return { identity, project, problem: elsewhere ? tokenOfAnotherProject() : null };
}

/** By path (management API), by header, or by host name (`<project>.localhost`). */
function projectNamed(request: FastifyRequest): string | undefined {
  const { project } = request.params as { project?: string };
  if (project !== undefined) return project;
  const header = request.headers['x-sanity-project-id'];
  if (typeof header === 'string' && header !== '') return header;
  return request.hostname.match(/^([a-z0-9-]+)\.localhost$/)?.[1];
}

/** The dataset named in the path. Raises 400, 401 or 404. */
export function accessOf(emulator: Emulator, request: FastifyRequest): Access {
  const { dataset: name, version } = request.params as { dataset: string; version: string };
  const project = projectOf(request);
  const dataset = emulator.dataset(project, name);
  const { identity } = request.caller;
  const anonymous = identity.role === 'anonymous';
  const canRead = !anonymous || dataset.aclMode === 'public';
  return { dataset, identity, version, visible: visibleTo(version, canRead, anonymous) };
}

/** The project this request is about. Raises 400, 401 or 404. */
export function projectOf(request: FastifyRequest): string {
  const { version } = request.params as { version: string };
  if (!API_VERSION.test(version)) {
    throw boom(400, `Invalid API version "${version}": write vYYYY-MM-DD, v1 or vX`);
  }
  const { problem, project } = request.caller;
  if (problem) throw problem;
  if (project === null) throw projectNotFound('(none named: send X-Sanity-Project-ID)');
  return project;
}
