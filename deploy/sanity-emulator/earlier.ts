import { publishedId, referencesOf } from './doc.ts';
import type { StoredDocument } from './doc.ts';
import type { Documents } from './perspective.ts';
import type { RecentTransactions } from './recent.ts';

/**
 * A dataset as it was some time ago: what a query index shows that lags behind the commits.
 *
 * `doc` never reads this; it sees every commit, as in the service.
 */
export class EarlierDocuments implements Documents {
  readonly #now: Documents;
  /** Documents that have changed since, as they were then; null where they weren't there. */
  readonly #then: ReadonlyMap<string, StoredDocument | null>;

  constructor(now: Documents, recent: RecentTransactions, time: string) {
    this.#now = now;
    const then = new Map<string, StoredDocument | null>();
    for (const { changes } of recent.since(time).toReversed()) {
      for (const { id, before } of changes) then.set(id, before);
    }
    this.#then = then;
  }

  get(id: string): StoredDocument | undefined {
    const then = this.#then.get(id);
    return then === undefined ? this.#now.get(id) : (then ?? undefined);
  }

  ids(): readonly string[] {
    return this.#with(this.#now.ids(), () => true).sort();
  }

  ofType(type: string): readonly string[] {
    return this.#with(this.#now.ofType(type), ({ _type }) => _type === type);
  }

  below(segment: string): ReadonlySet<string> {
    const isBelow = ({ _id }: StoredDocument): boolean => _id.startsWith(`${segment}.`);
    return new Set(this.#with(this.#now.below(segment), isBelow));
  }

  variantsOf(id: string): ReadonlySet<string> {
    const isVariant = ({ _id }: StoredDocument): boolean => _id !== id && publishedId(_id) === id;
    return new Set(this.#with(this.#now.variantsOf(id), isVariant));
  }

  referencing(id: string): ReadonlySet<string> {
    const refers = (document: StoredDocument): boolean => referencesOf(document).all.has(id);
    return new Set(this.#with(this.#now.referencing(id), refers));
  }

  #with(ids: Iterable<string>, belongs: (document: StoredDocument) => boolean): string[] {
    const unchanged = [...ids].filter((id) => !this.#then.has(id));
    const earlier = [...this.#then].flatMap(([id, then]) => (then && belongs(then) ? [id] : []));
    return [...unchanged, ...earlier];
  }
}
