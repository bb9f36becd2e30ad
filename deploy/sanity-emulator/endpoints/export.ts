import { Readable } from 'node:stream';

import type { FastifyInstance, FastifyRequest } from 'fastify';

import { accessOf } from '../access.ts';
import { parameter } from '../body.ts';
import type { StoredDocument } from '../doc.ts';
import type { Emulator } from '../emulator.ts';
import { boom } from '../errors.ts';
import { viewFor } from '../perspective.ts';

/** The service's pages last 30 seconds; ours end by number, so that a test can see several. */
const PAGE_DOCUMENTS = 10_000;
const DOCUMENTS_PER_CHUNK = 200;

/** `GET /data/export`: every document the caller may see, as NDJSON, from one point in time. */
export function registerExport(app: FastifyInstance, emulator: Emulator): void {
  const options = { config: { route: 'export' } };
  app.get('/:version/data/export/:dataset', options, async (request, reply) => {
    const { documents, nextCursor } = page(emulator, request);
    reply.type('application/x-ndjson');
    return Readable.from(lines(documents, nextCursor), { objectMode: false });
  });
}

interface Page {
  documents: StoredDocument[];
  nextCursor: string | undefined;
}

function page(emulator: Emulator, request: FastifyRequest): Page {
  const { dataset, visible } = accessOf(emulator, request);
  const types = parameter(request.query, 'types')?.split(',').filter(Boolean);
  const wanted = ({ _type }: StoredDocument): boolean => !types?.length || types.includes(_type);
  const all = viewFor(dataset, 'raw', visible).documents().filter(wanted);
  const cursor = parameter(request.query, 'nextCursor');
  if (cursor === undefined) return { documents: all, nextCursor: undefined };
  const after = cursor === '' ? '' : idOf(cursor);
  const rest = all.filter(({ _id }) => _id > after);
  const documents = rest.slice(0, PAGE_DOCUMENTS);
  const last = documents.at(-1);
  const more = rest.length > documents.length;
  return { documents, nextCursor: last && more ? cursorOf(last) : undefined };
}

function* lines(documents: StoredDocument[], nextCursor: string | undefined): Generator<string> {
  for (let start = 0; start < documents.length; start += DOCUMENTS_PER_CHUNK) {
    const chunk = documents.slice(start, start + DOCUMENTS_PER_CHUNK);
    yield chunk.map((document) => `${JSON.stringify(document)}\n`).join('');
  }
  if (nextCursor !== undefined) yield `${JSON.stringify({ nextCursor })}\n`;
}

function cursorOf({ _id }: StoredDocument): string {
  return Buffer.from(_id).toString('base64url');
}

function idOf(cursor: string): string {
  if (!/^[\w-]+$/.test(cursor)) throw boom(400, `Invalid cursor: ${cursor}`);
  return Buffer.from(cursor, 'base64url').toString();
}
