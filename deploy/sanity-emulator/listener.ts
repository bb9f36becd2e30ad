import type { Change } from './dataset.ts';
import { isDraftId, isVersionId } from './doc.ts';
import type { StoredDocument } from './doc.ts';
import type { Committed } from './emulator.ts';
import type { Visible } from './perspective.ts';

/** What one listener asked for. */
export interface ListenerOptions {
  matches: (document: StoredDocument) => boolean;
  visible: Visible;
  /** From API version 2025-02-19 on, drafts and versions are told of on request only. */
  publishedOnly: boolean;
  includeResult: boolean;
  includePrevious: boolean;
  includeMutations: boolean;
  includeEffects: boolean;
  visibility: string;
}

export interface ServerSentEvent {
  event: string;
  id?: string;
  data: object;
}

type Transition = 'appear' | 'update' | 'disappear';

/** The events of one transaction for one listener, one for each document that concerns it. */
export function eventsOf(committed: Committed, options: ListenerOptions): ServerSentEvent[] {
  const concerned = committed.changes.flatMap((change) => {
    const transition = transitionOf(change, options);
    return transition ? [{ change, transition }] : [];
  });
  // Counted for this listener: the Studio waits until it has seen as many as there are to come.
  return concerned.map(({ change, transition }, index) => {
    const { transaction } = committed;
    return {
      event: 'mutation',
      id: `${transaction.id}#${change.id}`,
      data: {
        eventId: `${transaction.id}#${change.id}`,
        documentId: change.id,
        transactionId: transaction.id,
        transition,
        identity: transaction.author,
        previousRev: change.before?._rev,
        // For a deletion too: without it the Studio keeps showing the draft.
        resultRev: transaction.id,
        timestamp: transaction.at,
        visibility: options.visibility,
        transactionTotalEvents: concerned.length,
        transactionCurrentEvent: index + 1,
        ...details(committed, change, options),
      },
    };
  });
}

function transitionOf(change: Change, options: ListenerOptions): Transition | undefined {
  if (!options.visible(change.id)) return undefined;
  if (options.publishedOnly && (isDraftId(change.id) || isVersionId(change.id))) return undefined;
  const before = change.before !== null && options.matches(change.before);
  const after = change.after !== null && options.matches(change.after);
  if (before) return after ? 'update' : 'disappear';
  return after ? 'appear' : undefined;
}

function details({ transaction }: Committed, change: Change, options: ListenerOptions): object {
  const { before, after } = change;
  const own = transaction.mutations.filter(({ id }) => id === change.id);
  return {
    ...(options.includeMutations ? { mutations: own.map(({ mutation }) => mutation) } : {}),
    ...(options.includeResult && after ? { result: after } : {}),
    ...(options.includePrevious && before ? { previous: before } : {}),
    ...(options.includeEffects ? { effects: mendozaEffects(before, after) } : {}),
  };
}

/** The plainest valid Mendoza patches: replace the whole document by a value. */
export function mendozaEffects(
  before: StoredDocument | null,
  after: StoredDocument | null,
): object {
  return { apply: [0, after], revert: [0, before] };
}
