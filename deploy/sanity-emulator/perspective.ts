import { isDraftId, isPrivateId, isVersionId, publishedId, referencesOf } from './doc.ts';
import type { StoredDocument } from './doc.ts';
import { boom } from './errors.ts';

/** What a view is made from: a dataset, or a dataset as it was. */
export interface Documents {
  get(id: string): StoredDocument | undefined;
  ids(): readonly string[];
  ofType(type: string): readonly string[];
  below(segment: string): ReadonlySet<string>;
  variantsOf(id: string): ReadonlySet<string>;
  referencing(id: string): ReadonlySet<string>;
}

/** The documents that one query may see, under the ids by which it sees them. */
export interface View {
  get(id: string): StoredDocument | undefined;
  /** Everything, in `_id` order. */
  documents(): StoredDocument[];
  ofType(type: string): Iterable<string>;
  referencing(id: string): Iterable<string>;
  /** Ids with a dot whose first segment is the given one. */
  below(segment: string): Iterable<string>;
  /** A published id itself, its draft and its release versions. */
  versionsOf(id: string): Iterable<string>;
}

/** Whose eyes: what an id must be for the reader to see it at all. */
export type Visible = (id: string) => boolean;

const FIRST_VERSION_WITH_RELEASES = '2025-02-19';

/** `v1` is older and `vX` younger than every date. */
export function versionDate(version: string): string {
  if (version === 'v1') return '0001-01-01';
  return version === 'vX' ? '9999-12-31' : version.slice(1);
}

export function knowsReleases(version: string): boolean {
  return versionDate(version) >= FIRST_VERSION_WITH_RELEASES;
}

export function defaultPerspective(version: string): string {
  return knowsReleases(version) ? 'published' : 'raw';
}

/** Anonymous readers see no private id; API versions before releases see no version document. */
export function visibleTo(version: string, canRead: boolean, anonymous: boolean): Visible {
  const releases = knowsReleases(version);
  return (id) => canRead && !(anonymous && isPrivateId(id)) && (releases || !isVersionId(id));
}

/** Build the view for a `perspective` parameter: a name, or release names by falling priority. */
export function viewFor(documents: Documents, perspective: string, visible: Visible): View {
  const names = perspective.split(',').map((name) => name.trim()).filter(Boolean);
  if (names.includes('raw')) {
    if (names.length > 1) throw boom(400, 'Perspective "raw" cannot be combined with others');
    return new RawView(documents, visible);
  }
  const layers = names.flatMap((name) => layerPrefix(name) ?? []);
  return new LayeredView(documents, layers, visible);
}

function layerPrefix(name: string): string | undefined {
  if (name === 'published') return undefined;
  if (name === 'drafts' || name === 'previewDrafts') return 'drafts.';
  return `versions.${name}.`;
}

class RawView implements View {
  readonly #source: Documents;
  readonly #visible: Visible;

  constructor(documents: Documents, visible: Visible) {
    this.#source = documents;
    this.#visible = visible;
  }

  get(id: string): StoredDocument | undefined {
    return this.#visible(id) ? this.#source.get(id) : undefined;
  }

  documents(): StoredDocument[] {
    return this.#source.ids().flatMap((id) => this.get(id) ?? []);
  }

  ofType(type: string): Iterable<string> {
    return this.#source.ofType(type).filter(this.#visible);
  }

  referencing(id: string): Iterable<string> {
    return [...this.#source.referencing(id)].filter(this.#visible);
  }

  below(segment: string): Iterable<string> {
    return [...this.#source.below(segment)].filter(this.#visible);
  }

  versionsOf(id: string): Iterable<string> {
    return [id, ...this.#source.variantsOf(id)].filter((each) => this.get(each) !== undefined);
  }
}

/** Published documents, with drafts or release versions laid over them. */
class LayeredView implements View {
  readonly #source: Documents;
  readonly #layers: readonly string[];
  readonly #visible: Visible;

  constructor(documents: Documents, layers: readonly string[], visible: Visible) {
    this.#source = documents;
    this.#layers = layers;
    this.#visible = visible;
  }

  get(id: string): StoredDocument | undefined {
    if (isDraftId(id) || isVersionId(id)) return undefined;
    for (const layer of this.#layers) {
      const found = this.#stored(layer + id);
      if (found) return isToBeUnpublished(found) ? undefined : shownAs(id, found);
    }
    const published = this.#stored(id);
    return published && shownAs(id, published);
  }

  documents(): StoredDocument[] {
    const ids = new Set(this.#source.ids().filter((id) => !isDraftId(id) && !isVersionId(id)));
    for (const layer of this.#layers) {
      for (const id of this.#source.below(layer.slice(0, layer.indexOf('.')))) {
        if (id.startsWith(layer)) ids.add(publishedId(id));
      }
    }
    return [...ids].sort().flatMap((id) => this.get(id) ?? []);
  }

  ofType(type: string): Iterable<string> {
    return this.#shown(this.#source.ofType(type), (document) => document._type === type);
  }

  referencing(id: string): Iterable<string> {
    const candidates = this.#source.referencing(id);
    return this.#shown(candidates, (document) => referencesOf(document).all.has(id));
  }

  below(segment: string): Iterable<string> {
    return this.#shown(this.#source.below(segment), () => true);
  }

  versionsOf(id: string): Iterable<string> {
    return this.get(id) ? [id] : [];
  }

  #stored(id: string): StoredDocument | undefined {
    return this.#visible(id) ? this.#source.get(id) : undefined;
  }

  #shown(ids: Iterable<string>, holds: (document: StoredDocument) => boolean): Set<string> {
    const shown = new Set<string>();
    for (const stored of ids) {
      const id = publishedId(stored);
      const document = shown.has(id) ? undefined : this.get(id);
      if (document && holds(document)) shown.add(id);
    }
    return shown;
  }
}

function shownAs(id: string, document: StoredDocument): StoredDocument {
  return { ...document, _id: id, _originalId: document._id };
}

function isToBeUnpublished(version: StoredDocument): boolean {
  const system = version._system as { delete?: unknown } | undefined;
  return system?.delete === true;
}
