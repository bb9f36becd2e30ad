import type { FastifyInstance, FastifyRequest } from 'fastify';

import { accessOf } from '../access.ts';
import type { Access } from '../access.ts';
import { isOn } from '../body.ts';
import { publishedId } from '../doc.ts';
import type { StoredDocument } from '../doc.ts';
import type { Emulator } from '../emulator.ts';

interface Omitted {
  id: string;
  reason: 'existence' | 'permission';
}

export function registerDoc(app: FastifyInstance, emulator: Emulator): void {
  const options = { config: { route: 'doc' } };
  app.get('/:version/data/doc/:dataset/:ids', options, async (request, reply) => {
    const answer = readDocuments(emulator, request);
    reply.type('application/json; charset=utf-8');
    return JSON.stringify(answer);
  });
}

/** Documents by id, straight from the store: no index lies between a commit and this answer. */
function readDocuments(emulator: Emulator, request: FastifyRequest): object {
  const access = accessOf(emulator, request);
  const { ids } = request.params as { ids: string };
  const asked = [...new Set(ids.split(',').filter(Boolean))];
  request.trace.ids = asked;
  const withVersions = isOn(request.query, 'includeAllVersions');
  const wanted = withVersions ? asked.flatMap((id) => allVersions(access, id)) : asked;
  const documents = [...new Set(wanted)].flatMap((id) => read(access, id) ?? []);
  const found = new Set(documents.map((document) => document._id));
  const omitted = asked.filter((id) => !found.has(id)).map((id) => whyOmitted(access, id));
  const shown = isOn(request.query, 'excludeContent') ? documents.map(systemAttributes) : documents;
  return { documents: shown, omitted };
}

function allVersions({ dataset }: Access, id: string): string[] {
  const base = publishedId(id);
  return [base, ...[...dataset.variantsOf(base)].sort()];
}

function read({ dataset, visible }: Access, id: string): StoredDocument | undefined {
  return visible(id) ? dataset.get(id) : undefined;
}

function whyOmitted({ dataset, visible }: Access, id: string): Omitted {
  const hidden = dataset.get(id) !== undefined && !visible(id);
  return { id, reason: hidden ? 'permission' : 'existence' };
}

function systemAttributes({ _id, _type, _rev, _createdAt, _updatedAt }: StoredDocument): object {
  return { _id, _type, _rev, _createdAt, _updatedAt };
}
