import { randomBytes } from 'node:crypto';

/** A document as the Content Lake keeps it: system attributes always there, the rest is free. */
export interface StoredDocument {
  _id: string;
  _type: string;
  _rev: string;
  _createdAt: string;
  _updatedAt: string;
  [attribute: string]: unknown;
}

export type JsonObject = { [key: string]: unknown };

/** What a document points at: every `_ref`, and those that hold their target in place. */
export interface References {
  all: Set<string>;
  strong: Set<string>;
}

const ID_CHARACTERS = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const KEY_BYTES = 6;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isDraftId(id: string): boolean {
  return id.startsWith('drafts.');
}

export function isVersionId(id: string): boolean {
  return id.startsWith('versions.');
}

/** Ids with a dot are private: a reader without a token never sees them. */
export function isPrivateId(id: string): boolean {
  return id.includes('.');
}

/** `x` for `x`, `drafts.x` and `versions.<release>.x`. */
export function publishedId(id: string): string {
  if (isDraftId(id)) return id.slice('drafts.'.length);
  if (!isVersionId(id)) return id;
  return id.split('.').slice(2).join('.');
}

/** The rules of "Document IDs" (docs/content-lake/ids) and of the client's validators. */
export function isValidId(id: unknown): id is string {
  if (typeof id !== 'string' || !ID_CHARACTERS.test(id)) return false;
  const segments = id.split('.');
  if (segments.some((segment) => segment.startsWith('-'))) return false;
  // A leading dot can't match above; an empty segment elsewhere is `..` or a trailing dot.
  if (segments.includes('')) return false;
  if (segments.indexOf('versions', 1) > 0) return false;
  if (segments[0] === 'versions') return segments.length >= 3;
  return segments[0] !== 'drafts' || segments.length >= 2;
}

/** A random id; with a prefix that ends in a dot, one below that prefix. */
export function generateId(prefix = ''): string {
  const hex = randomBytes(16).toString('hex');
  const cuts = [0, 8, 12, 16, 20, 32];
  return prefix + cuts.slice(1).map((end, n) => hex.slice(cuts[n], end)).join('-');
}

/** Collect the references of a document inside its own dataset; those into others are left out. */
export function referencesOf(document: JsonObject): References {
  const found: References = { all: new Set(), strong: new Set() };
  collectReferences(document, found);
  return found;
}

function collectReferences(value: unknown, found: References): void {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    for (const item of value) collectReferences(item, found);
    return;
  }
  const object = value as JsonObject;
  if (typeof object._ref === 'string' && object._ref !== '') {
    found.all.add(object._ref);
    if (holdsTarget(object)) found.strong.add(object._ref);
    return;
  }
  for (const key in object) collectReferences(object[key], found);
}

function holdsTarget(reference: JsonObject): boolean {
  const elsewhere = reference._dataset !== undefined || reference._projectId !== undefined;
  return reference._weak !== true && !elsewhere;
}

/** Give every object inside an array a `_key`, as `autoGenerateArrayKeys=true` asks for. */
export function withArrayKeys<T>(value: T): T {
  if (Array.isArray(value)) {
    return value.map((item) =>
      isObject(item) && item._key === undefined
        ? { ...withArrayKeys(item), _key: randomBytes(KEY_BYTES).toString('hex') }
        : withArrayKeys(item),
    ) as T;
  }
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, withArrayKeys(inner)]);
  return Object.fromEntries(entries) as T;
}
