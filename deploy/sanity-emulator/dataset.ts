import { isDraftId, isVersionId, publishedId, referencesOf } from './doc.ts';
import type { StoredDocument } from './doc.ts';

export type AclMode = 'public' | 'private';

/** What a transaction did to one document; `null` is "not there". */
export interface Change {
  id: string;
  before: StoredDocument | null;
  after: StoredDocument | null;
}

/** A set of ids that can be read in order; sorting waits until somebody reads. */
export class SortedIds {
  #members = new Set<string>();
  #sorted: string[] = [];
  #stale = false;

  add(id: string): void {
    if (this.#members.has(id)) return;
    this.#members.add(id);
    // Nearly sorted input is what the sort is fastest on, so new ids wait at the end.
    this.#sorted.push(id);
    this.#stale = true;
  }

  delete(id: string): void {
    if (!this.#members.delete(id)) return;
    this.#stale = true;
  }

  get size(): number {
    return this.#members.size;
  }

  inOrder(): readonly string[] {
    if (this.#stale) {
      this.#sorted = [...new Set(this.#sorted)].filter((id) => this.#members.has(id)).sort();
      this.#stale = false;
    }
    return this.#sorted;
  }
}

/** The documents of one dataset, and the indexes that queries and integrity checks go by. */
export class Dataset {
  readonly key: number;
  readonly project: string;
  readonly name: string;
  readonly aclMode: AclMode;
  /** Grows with every commit; caches compare it. */
  version = 0;
  #documents = new Map<string, StoredDocument>();
  #ids = new SortedIds();
  #byType = new Map<string, SortedIds>();
  #byFirstSegment = new Map<string, Set<string>>();
  #variants = new Map<string, Set<string>>();
  #referencing = new Map<string, Set<string>>();
  #holding = new Map<string, Set<string>>();

  constructor(key: number, project: string, name: string, aclMode: AclMode) {
    this.key = key;
    this.project = project;
    this.name = name;
    this.aclMode = aclMode;
  }

  get size(): number {
    return this.#documents.size;
  }

  get(id: string): StoredDocument | undefined {
    return this.#documents.get(id);
  }

  /** All ids in `_id` order, which is the order of an unordered query. */
  ids(): readonly string[] {
    return this.#ids.inOrder();
  }

  ofType(type: string): readonly string[] {
    return this.#byType.get(type)?.inOrder() ?? [];
  }

  /** Ids with a dot whose part before the first dot is `segment`. */
  below(segment: string): ReadonlySet<string> {
    return this.#byFirstSegment.get(segment) ?? EMPTY;
  }

  /** The draft and the release versions of a published id, as far as they exist. */
  variantsOf(id: string): ReadonlySet<string> {
    return this.#variants.get(id) ?? EMPTY;
  }

  /** Documents with any `_ref` to `id`. */
  referencing(id: string): ReadonlySet<string> {
    return this.#referencing.get(id) ?? EMPTY;
  }

  /** Documents with a strong reference to `id`: they keep it from being deleted. */
  holding(id: string): ReadonlySet<string> {
    return this.#holding.get(id) ?? EMPTY;
  }

  /** Make the changes of one transaction visible. They were checked and stored before. */
  commit(changes: Iterable<Change>): void {
    for (const change of changes) {
      if (change.before) this.#forget(change.before);
      if (change.after) this.#remember(change.after);
      this.#updateIds(change);
    }
    this.version += 1;
  }

  /** Take in a document read from disk. */
  load(document: StoredDocument): void {
    this.#remember(document);
    this.#updateIds({ id: document._id, before: null, after: document });
  }

  #updateIds({ id, before, after }: Change): void {
    if (before?._type !== after?._type) {
      if (before) this.#byType.get(before._type)?.delete(id);
      if (after) this.#typeIndex(after._type).add(id);
    }
    if (after && !before) this.#addId(id);
    if (before && !after) this.#removeId(id);
  }

  #typeIndex(type: string): SortedIds {
    let ids = this.#byType.get(type);
    if (!ids) this.#byType.set(type, (ids = new SortedIds()));
    return ids;
  }

  #addId(id: string): void {
    this.#ids.add(id);
    const dot = id.indexOf('.');
    if (dot > 0) put(this.#byFirstSegment, id.slice(0, dot), id);
    if (isDraftId(id) || isVersionId(id)) put(this.#variants, publishedId(id), id);
  }

  #removeId(id: string): void {
    this.#ids.delete(id);
    this.#documents.delete(id);
    const dot = id.indexOf('.');
    if (dot > 0) take(this.#byFirstSegment, id.slice(0, dot), id);
    if (isDraftId(id) || isVersionId(id)) take(this.#variants, publishedId(id), id);
  }

  #remember(document: StoredDocument): void {
    this.#documents.set(document._id, document);
    const { all, strong } = referencesOf(document);
    for (const target of all) put(this.#referencing, target, document._id);
    for (const target of strong) put(this.#holding, target, document._id);
  }

  #forget(document: StoredDocument): void {
    const { all, strong } = referencesOf(document);
    for (const target of all) take(this.#referencing, target, document._id);
    for (const target of strong) take(this.#holding, target, document._id);
  }
}

const EMPTY: ReadonlySet<string> = new Set();

function put(index: Map<string, Set<string>>, key: string, id: string): void {
  const ids = index.get(key);
  if (ids) ids.add(id);
  else index.set(key, new Set([id]));
}

function take(index: Map<string, Set<string>>, key: string, id: string): void {
  const ids = index.get(key);
  if (!ids) return;
  ids.delete(id);
  if (ids.size === 0) index.delete(key);
}
