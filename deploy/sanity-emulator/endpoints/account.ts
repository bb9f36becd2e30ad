import type { FastifyInstance, FastifyRequest } from 'fastify';

import { projectOf } from '../access.ts';
import type { Emulator } from '../emulator.ts';
import { mayWrite } from '../tokens.ts';
import type { Identity } from '../tokens.ts';

const EVERYTHING = '_id in path("**")';
const DRAFTS = '_id in path("drafts.**") || _id in path("versions.**")';

/** Who the caller is and what it may do: what the Studio asks before it shows anything. */
export function registerAccount(app: FastifyInstance, emulator: Emulator): void {
  const options = { config: { route: 'account' } };
  app.get('/:version/users/me', options, async (request) => {
    projectOf(request);
    return userOf(request.caller.identity);
  });
  app.get('/:version/users/me/keyvalue/:keys', options, async (request) => {
    const { keys } = request.params as { keys: string };
    return keys.split(',').map((key) => ({ key, value: null }));
  });
  app.get('/:version/projects/:project', options, async (request) => {
    const { id } = emulator.project(projectOf(request));
    return { id, displayName: id, organizationId: null, members: [], features: [], metadata: {} };
  });
  app.get('/:version/projects/:project/datasets/:dataset/acl', options, async (request) => {
    const { dataset } = request.params as { dataset: string };
    emulator.dataset(projectOf(request), dataset);
    return accessListOf(request.caller.identity);
  });
  app.options('/*', async (request, reply) => {
    allowPreflight(request, (name, value) => reply.header(name, value));
    return reply.code(204).send();
  });
}

/** An anonymous caller is nobody: the Studio takes the empty object for "not logged in". */
function userOf({ id, name, role }: Identity): object {
  if (role === 'anonymous') return {};
  const title = role[0]?.toUpperCase() + role.slice(1);
  const email = `${name.replaceAll(/\W+/g, '.')}@example.com`;
  return { id, name, email, role, roles: [{ name: role, title }], provider: 'emulator' };
}

function accessListOf(identity: Identity): object[] {
  const all = ['read', 'create', 'update', 'history', 'editHistory', 'manage'];
  if (mayWrite(identity, 'x')) return [{ filter: EVERYTHING, permissions: all }];
  const reads = { filter: EVERYTHING, permissions: ['read', 'history'] };
  if (mayWrite(identity, 'drafts.x')) {
    return [reads, { filter: DRAFTS, permissions: ['read', 'create', 'update', 'history'] }];
  }
  return identity.role === 'anonymous' ? [] : [reads];
}

function allowPreflight(
  { headers }: FastifyRequest,
  set: (name: string, value: string) => unknown,
): void {
  const asked = headers['access-control-request-headers'];
  if (typeof asked === 'string') set('access-control-allow-headers', asked);
  set('access-control-allow-methods', 'GET, POST, PUT, PATCH, DELETE, OPTIONS');
  set('access-control-max-age', '600');
}
