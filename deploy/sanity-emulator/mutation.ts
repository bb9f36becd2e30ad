import { Mutation, extract } from '@sanity/mutator';
import type { Doc, Mut } from '@sanity/mutator';

import type { Behaviour } from './behaviour.ts';
import type { Change, Dataset } from './dataset.ts';
import { generateId, isObject, isValidId, referencesOf, withArrayKeys } from './doc.ts';
import type { JsonObject, StoredDocument } from './doc.ts';
import {
  ItemRefused,
  alreadyExists,
  immutableAttribute,
  invalid,
  malformedId,
  notFound,
  permissionMissing,
  referenceMissing,
  revisionMismatch,
  stillReferenced,
} from './errors.ts';
import type { FailedItem } from './errors.ts';

export type Operation = 'create' | 'update' | 'delete' | 'none';

export interface MutationResult {
  id: string;
  operation: Operation;
  document: StoredDocument | null;
}

/** What a transaction would do; nothing is changed until the changes are committed. */
export interface Outcome {
  changes: Change[];
  results: MutationResult[];
  /** The mutations as applied, each on one id: listeners and history show these. */
  applied: AppliedMutation[];
}

export interface AppliedMutation {
  id: string;
  mutation: Mut;
}

/** What surrounds the mutations of one request. */
export interface TransactionContext {
  transactionId: string;
  /** Becomes `_updatedAt`: RFC 3339 in UTC, whole seconds. */
  timestamp: string;
  behaviour: Behaviour;
  autoGenerateArrayKeys: boolean;
  mayWrite: (permission: 'create' | 'update', id: string) => boolean;
  /** Ids that a GROQ filter finds in the state before the transaction. */
  find: (query: string, params: JsonObject) => string[];
}

const KINDS = ['create', 'createIfNotExists', 'createOrReplace', 'patch', 'delete'] as const;
type Kind = (typeof KINDS)[number];

const PATCH_ORDER = [
  'set', 'setIfMissing', 'unset', 'inc', 'dec', 'insert', 'diffMatchPatch',
] as const;
const IMMUTABLE = ['_id', '_type'] as const;
const MAX_DELETED_BY_QUERY = 10_000;

/** Apply the mutations of one request to a copy, all or nothing. Raises `ItemRefused`. */
export function applyMutations(
  dataset: Dataset,
  mutations: readonly unknown[],
  context: TransactionContext,
): Outcome {
  const work = new WorkingCopy(dataset, context);
  mutations.forEach((mutation, index) => work.apply(mutation, index));
  return work.outcome();
}

/** A transaction in the making: what it has changed so far lies over the dataset. */
export class WorkingCopy {
  readonly #results: MutationResult[] = [];
  readonly #applied: AppliedMutation[] = [];
  readonly #dataset: Dataset;
  readonly #context: TransactionContext;
  readonly #documents = new Map<string, StoredDocument | null>();
  readonly #lastIndex = new Map<string, number>();

  constructor(dataset: Dataset, context: TransactionContext) {
    this.#dataset = dataset;
    this.#context = context;
  }

  /** Check the references of the end state and hand everything over. Raises `ItemRefused`. */
  outcome(): Outcome {
    this.#checkReferences();
    return { changes: this.#changes(), results: this.#results, applied: this.#applied };
  }

  /** A document as the transaction has made it so far. */
  get(id: string): StoredDocument | null {
    const worked = this.#documents.get(id);
    return worked === undefined ? (this.#dataset.get(id) ?? null) : worked;
  }

  /** Apply one mutation; `index` is its place in the request, for the refusal. */
  apply(mutation: unknown, index: number): void {
    const [kind, body] = kindOf(mutation, index);
    switch (kind) {
      case 'create':
      case 'createIfNotExists':
      case 'createOrReplace':
        return this.#create(kind, body, index);
      case 'patch':
        return this.#patch(body, index);
      case 'delete':
        return this.#delete(body, index);
    }
  }

  #changes(): Change[] {
    const changes: Change[] = [];
    for (const [id, after] of this.#documents) {
      const before = this.#dataset.get(id) ?? null;
      if (before !== after) changes.push({ id, before, after });
    }
    return changes;
  }

  /** Strong references are judged by the state after the whole transaction. */
  #checkReferences(): void {
    const failed: FailedItem[] = [];
    for (const { id, before, after } of this.#changes()) {
      const index = this.#lastIndex.get(id) ?? 0;
      if (after) {
        for (const target of referencesOf(after).strong) {
          if (!this.get(target)) failed.push(referenceMissing(index, id, target));
        }
      } else if (before) {
        const holders = this.#holders(id);
        if (holders.length > 0) failed.push(stillReferenced(index, id, holders));
      }
    }
    if (failed.length > 0) throw new ItemRefused(failed);
  }

  #holders(id: string): string[] {
    const stored = [...this.#dataset.holding(id)].filter((holder) => !this.#documents.has(holder));
    const touched = [...this.#documents]
      .filter(([, document]) => document && referencesOf(document).strong.has(id))
      .map(([holder]) => holder);
    return [...stored, ...touched];
  }

  #create(kind: Exclude<Kind, 'patch' | 'delete'>, body: JsonObject, index: number): void {
    const id = idForCreate(kind, body, index);
    if (typeof body._type !== 'string' || body._type === '') {
      throw invalid(index, 'Document is missing attribute "_type"');
    }
    this.#allow('create', id, index);
    const existing = this.get(id);
    if (existing && kind === 'create') throw alreadyExists(index, id);
    if (existing && kind === 'createIfNotExists') {
      this.#results.push({ id, operation: 'none', document: existing });
      return;
    }
    const document = this.#newDocument(id, body, existing);
    this.#record(id, document, existing ? 'update' : 'create', index, { [kind]: document } as Mut);
  }

  #newDocument(id: string, body: JsonObject, existing: StoredDocument | null): StoredDocument {
    const { transactionId, timestamp, autoGenerateArrayKeys } = this.#context;
    const attributes = autoGenerateArrayKeys ? withArrayKeys(body) : body;
    const { _createdAt: createdAt, _updatedAt: updatedAt } = body;
    return {
      ...attributes,
      _id: id,
      _type: String(body._type),
      _rev: transactionId,
      // As the SDK models it: supplied times count for a new document only.
      _createdAt: existing?._createdAt ?? (typeof createdAt === 'string' ? createdAt : timestamp),
      _updatedAt: !existing && typeof updatedAt === 'string' ? updatedAt : timestamp,
    };
  }

  #patch(body: JsonObject, index: number): void {
    if (typeof body.query === 'string') {
      const { query, params, ...operations } = body;
      for (const id of this.#find(query, params)) this.#patchOne(id, { id, ...operations }, index);
      return;
    }
    this.#patchOne(body.id, body, index);
  }

  #patchOne(id: unknown, patch: JsonObject, index: number): void {
    if (!isValidId(id)) throw malformedId(index, id);
    this.#allow('update', id, index);
    const current = this.get(id);
    if (!current) throw notFound(index, id);
    this.#checkRevision(id, current, patch.ifRevisionID, index);
    const document = this.#patched(current, patch, index);
    for (const attribute of IMMUTABLE) {
      if (document[attribute] !== current[attribute]) throw immutableAttribute(index, attribute);
    }
    this.#record(id, document, 'update', index, asMutation(patch));
  }

  #checkRevision(id: string, current: StoredDocument, expected: unknown, index: number): void {
    if (expected === undefined) return;
    const stored = this.#context.behaviour.secondGuard === 'stored' ? this.#dataset.get(id) : null;
    const revision = (stored ?? current)._rev;
    if (revision !== expected) throw revisionMismatch(index, id, revision, String(expected));
  }

  #patched(current: StoredDocument, patch: JsonObject, index: number): StoredDocument {
    const { transactionId, timestamp, behaviour, autoGenerateArrayKeys } = this.#context;
    if (behaviour.incMissing === 'refuse') refuseIncOfNonNumber(current, patch, index);
    const mutations = patchesInOrder(patch, behaviour).map(asMutation);
    let document: Doc | null;
    try {
      // The mutator writes `_updatedAt` into the document it is given when no operation changed it.
      document = new Mutation({ mutations, transactionId, timestamp }).apply({ ...current });
    } catch (error) {
      throw invalid(index, `Invalid patch: ${(error as Error).message}`);
    }
    const patched = { ...(document as StoredDocument), _createdAt: current._createdAt };
    return autoGenerateArrayKeys ? withArrayKeys(patched) : patched;
  }

  #delete(body: JsonObject, index: number): void {
    if (typeof body.query === 'string') {
      const ids = this.#find(body.query, body.params).slice(0, MAX_DELETED_BY_QUERY);
      for (const id of ids) this.#deleteOne(id, index);
      return;
    }
    this.#deleteOne(body.id, index);
  }

  #deleteOne(id: unknown, index: number): void {
    if (!isValidId(id)) throw malformedId(index, id);
    this.#allow('update', id, index);
    if (!this.get(id)) {
      this.#results.push({ id, operation: 'none', document: null });
      return;
    }
    this.#record(id, null, 'delete', index, { delete: { id } });
  }

  #find(query: string, params: unknown): string[] {
    return this.#context.find(query, isObject(params) ? params : {});
  }

  #allow(permission: 'create' | 'update', id: string, index: number): void {
    if (!this.#context.mayWrite(permission, id)) throw permissionMissing(index, permission);
  }

  #record(
    id: string,
    document: StoredDocument | null,
    operation: Operation,
    index: number,
    mutation: Mut,
  ): void {
    this.#documents.set(id, document);
    this.#lastIndex.set(id, index);
    this.#results.push({ id, operation, document });
    this.#applied.push({ id, mutation });
  }
}

function kindOf(mutation: unknown, index: number): [Kind, JsonObject] {
  const kinds = isObject(mutation) ? Object.keys(mutation) : [];
  const kind = KINDS.find((known) => known === kinds[0]);
  const body = kind && isObject(mutation) ? mutation[kind] : undefined;
  if (kinds.length !== 1 || !kind || !isObject(body)) {
    throw invalid(index, `A mutation is an object with exactly one of: ${KINDS.join(', ')}`);
  }
  return [kind, body];
}

function idForCreate(kind: Kind, body: JsonObject, index: number): string {
  const { _id: given } = body;
  if (kind === 'create' && given === undefined) return generateId();
  if (typeof given === 'string' && given.endsWith('.') && isValidId(`${given}x`)) {
    return generateId(given);
  }
  if (!isValidId(given)) throw malformedId(index, given);
  return given;
}

/** The client's patch as it came: the mutator itself judges whether it is one. */
function asMutation(patch: JsonObject): Mut {
  return { patch } as unknown as Mut;
}

function patchesInOrder(patch: JsonObject, behaviour: Behaviour): JsonObject[] {
  if (behaviour.patchOrder === 'mutator') return [patch];
  return PATCH_ORDER.filter((operation) => operation in patch).map((operation) => ({
    id: patch.id,
    [operation]: patch[operation],
  }));
}

function refuseIncOfNonNumber(current: StoredDocument, patch: JsonObject, index: number): void {
  for (const operation of ['inc', 'dec'] as const) {
    const amounts = patch[operation];
    for (const path of isObject(amounts) ? Object.keys(amounts) : []) {
      const values = extract(path, current);
      if (values.length === 0 || values.some((value) => typeof value !== 'number')) {
        throw invalid(index, `Cannot ${operation} "${path}": it is not a number`);
      }
    }
  }
}
