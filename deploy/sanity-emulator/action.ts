import { isDraftId, isObject, isVersionId, publishedId } from './doc.ts';
import type { JsonObject, StoredDocument } from './doc.ts';
import { boom, invalid, notFound, revisionMismatch } from './errors.ts';
import type { WorkingCopy } from './mutation.ts';
import { knowsReleases } from './perspective.ts';

/** One action as the mutations that it stands for; `sanity.action.` is left out of its name. */
type Carry = (work: WorkingCopy, action: JsonObject, index: number) => void;

const ACTIONS: Record<string, Carry> = {
  'document.create': createDraft,
  'document.edit': edit,
  'document.publish': publish,
  'document.unpublish': unpublish,
  'document.delete': deleteDocument,
  'document.discard': (work, action, index) => discard(work, id(action, 'draftId', index), index),
  'document.replaceDraft': replaceDraft,
  'document.version.create': createVersion,
  'document.version.replace': replaceVersion,
  'document.version.discard': (work, action, index) =>
    discard(work, id(action, 'versionId', index), index),
  'document.version.unpublish': unpublishVersion,
};

const PREFIX = 'sanity.action.';

/** Apply one action to a transaction in the making. Raises `ItemRefused`, or 400. */
export function applyAction(
  work: WorkingCopy,
  action: unknown,
  index: number,
  apiVersion: string,
): void {
  const type = isObject(action) ? action.actionType : undefined;
  if (!isObject(action) || typeof type !== 'string' || !type.startsWith(PREFIX)) {
    throw boom(400, `action index ${index}: "actionType" is missing or unknown`);
  }
  const name = type.slice(PREFIX.length);
  if (/^(document\.(version|variant)|release|variant)\./.test(name) && !knowsReleases(apiVersion)) {
    throw boom(400, `action index ${index}: not supported for this API version`);
  }
  const carry = ACTIONS[name];
  if (!carry) throw boom(400, `action index ${index}: "${type}" is not supported by this emulator`);
  carry(work, action, index);
}

function createDraft(work: WorkingCopy, action: JsonObject, index: number): void {
  const attributes = object(action, 'attributes', index);
  const document = content(attributes, attributes._id);
  if (action.ifExists === 'ignore') work.apply({ createIfNotExists: document }, index);
  else work.apply({ create: document }, index);
}

/** Without a draft, one is made from the published document; then the patch applies to it. */
function edit(work: WorkingCopy, action: JsonObject, index: number): void {
  const draftId = id(action, 'draftId', index);
  copyIfMissing(work, id(action, 'publishedId', index), draftId, index);
  work.apply({ patch: { ...object(action, 'patch', index), id: draftId } }, index);
}

function publish(work: WorkingCopy, action: JsonObject, index: number): void {
  const draftId = id(action, 'draftId', index);
  const published = id(action, 'publishedId', index);
  const draft = existing(work, draftId, index);
  checkRevision(draft, action.ifDraftRevisionId, index);
  const before = work.get(published);
  if (action.ifPublishedRevisionId !== undefined) {
    checkRevision(existing(work, published, index), action.ifPublishedRevisionId, index);
  }
  const document = strengthened(content(draft, published));
  work.apply(before ? { createOrReplace: document } : { create: document }, index);
  work.apply({ delete: { id: draftId } }, index);
}

function unpublish(work: WorkingCopy, action: JsonObject, index: number): void {
  const published = id(action, 'publishedId', index);
  existing(work, published, index);
  copyIfMissing(work, published, id(action, 'draftId', index), index);
  work.apply({ delete: { id: published } }, index);
}

function deleteDocument(work: WorkingCopy, action: JsonObject, index: number): void {
  const published = id(action, 'publishedId', index);
  const drafts = Array.isArray(action.includeDrafts) ? action.includeDrafts.map(String) : [];
  const own = `drafts.${published}`;
  if (work.get(own) && !drafts.includes(own)) {
    throw invalid(index, `"${published}" has a draft "${own}" that is not in includeDrafts`);
  }
  const found = [published, ...drafts].filter((each) => work.get(each));
  if (found.length === 0) throw notFound(index, published);
  for (const each of found) work.apply({ delete: { id: each } }, index);
}

function discard(work: WorkingCopy, version: string, index: number): void {
  if (!isDraftId(version) && !isVersionId(version)) {
    throw invalid(index, `"${version}" is neither a draft nor a version`);
  }
  existing(work, version, index);
  work.apply({ delete: { id: version } }, index);
}

function replaceDraft(work: WorkingCopy, action: JsonObject, index: number): void {
  const attributes = object(action, 'attributes', index);
  work.apply({ createOrReplace: content(attributes, attributes._id) }, index);
}

function createVersion(work: WorkingCopy, action: JsonObject, index: number): void {
  if (action.document !== undefined) {
    const document = object(action, 'document', index);
    work.apply({ create: content(document, document._id) }, index);
    return;
  }
  const base = existing(work, id(action, 'baseId', index), index);
  checkRevision(base, action.ifBaseRevisionId, index);
  work.apply({ create: content(base, id(action, 'versionId', index)) }, index);
}

function replaceVersion(work: WorkingCopy, action: JsonObject, index: number): void {
  const document = object(action, 'document', index);
  const before = existing(work, String(document._id), index);
  work.apply({ createOrReplace: content(document, before._id) }, index);
}

/** Mark a version so that publishing its release unpublishes the document. */
function unpublishVersion(work: WorkingCopy, action: JsonObject, index: number): void {
  const version = id(action, 'versionId', index);
  if (publishedId(version) !== id(action, 'publishedId', index)) {
    throw invalid(index, `"${version}" is no version of "${String(action.publishedId)}"`);
  }
  copyIfMissing(work, String(action.publishedId), version, index);
  work.apply({ patch: { id: version, set: { '_system.delete': true } } }, index);
}

function copyIfMissing(work: WorkingCopy, from: string, to: string, index: number): void {
  if (work.get(to)) return;
  work.apply({ create: content(existing(work, from, index), to) }, index);
}

function existing(work: WorkingCopy, documentId: string, index: number): StoredDocument {
  const document = work.get(documentId);
  if (!document) throw notFound(index, documentId);
  return document;
}

function checkRevision(document: StoredDocument, expected: unknown, index: number): void {
  if (expected === undefined || expected === document._rev) return;
  throw revisionMismatch(index, document._id, document._rev, String(expected));
}

/** A document's own content under another id; revision and time of change are the transaction's. */
function content(document: JsonObject, newId: unknown): JsonObject {
  const { _rev: _revision, _updatedAt: _time, ...rest } = document;
  return { ...rest, _id: newId };
}

/** A weak reference that was weak only until its target is published becomes what it is to be. */
function strengthened<T>(value: T): T {
  if (Array.isArray(value)) return value.map(strengthened) as T;
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, strengthened(inner)]);
  const copy = Object.fromEntries(entries) as JsonObject;
  const wish = copy._strengthenOnPublish;
  if (!isObject(wish)) return copy as T;
  delete copy._strengthenOnPublish;
  if (wish.weak !== true) delete copy._weak;
  return copy as T;
}

function id(action: JsonObject, key: string, index: number): string {
  const value = action[key];
  if (typeof value === 'string' && value !== '') return value;
  throw invalid(index, `"${key}" is missing`);
}

function object(action: JsonObject, key: string, index: number): JsonObject {
  const value = action[key];
  if (isObject(value)) return value;
  throw invalid(index, `"${key}" is missing`);
}
