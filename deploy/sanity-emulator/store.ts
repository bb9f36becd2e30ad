import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { SQLInputValue, StatementSync } from 'node:sqlite';

import { Dataset } from './dataset.ts';
import type { AclMode, Change } from './dataset.ts';
import type { StoredDocument } from './doc.ts';
import type { AppliedMutation } from './mutation.ts';

export const IN_MEMORY = ':memory:';

export interface Transaction {
  id: string;
  /** RFC 3339 with milliseconds. */
  at: string;
  author: string;
  mutations: AppliedMutation[];
}

/** A transaction as the log has it, with each touched document after it; null where it went. */
export interface LoggedTransaction extends Transaction {
  seq: number;
  states: Map<string, StoredDocument | null>;
}

type State = [id: string, document: StoredDocument | null];

interface Fold {
  /** The last transaction of this fold. */
  seq: number;
  documents: { dataset: number; id: string; body: string | null }[];
  revisions: { dataset: number; id: string; seq: number }[];
}

const FOLD_DELAY_MS = 25;
const PAUSE_MS = 2;
/** While writers are at work, folding takes a quarter of the time. */
const PAUSE_WHEN_BUSY = 3;
const BUSY_MS = 100;
/** More states than this are folded even under load. */
const MAX_WAITING = 20_000;
/** Documents folded in one go: about two milliseconds, since requests wait meanwhile. */
const FOLD_SLICE = 64;
/** The write-ahead log is carried over in small parts: one large part would be felt. */
const CHECKPOINT_BYTES = 4_000_000;
const FORGET_SLICE = 16;

/**
 * Datasets, documents and their history in one SQLite file.
 *
 * A transaction is one appended row, so 200 documents cost little more than one. The tables by
 * document follow in slices between requests; at start, what they lack is read from the log.
 */
export class Store {
  readonly #db: DatabaseSync;
  readonly #statements: Map<string, StatementSync>;
  readonly #keepTransactions: number;
  #waiting = new Map<string, { dataset: number; id: string; body: string | null }>();
  #waitingRevisions: Fold['revisions'] = [];
  #fold: Fold | null = null;
  #timer: NodeJS.Timeout | null = null;
  #lastSeq = 0;
  #bytesInWal = 0;
  #lastAppendMs = 0;

  /** `directory` is made if missing; `:memory:` keeps nothing. */
  constructor(directory: string, keepTransactions: number) {
    if (directory !== IN_MEMORY) mkdirSync(directory, { recursive: true });
    const file = directory === IN_MEMORY ? IN_MEMORY : join(directory, 'emulator.sqlite');
    this.#db = new DatabaseSync(file);
    this.#keepTransactions = keepTransactions;
    // The write-ahead log reaches the kernel with each commit, so a killed process loses nothing;
    // a power cut may, and a stand-in on a developer's machine doesn't wait for the disk.
    this.#db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;');
    this.#db.exec('PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0;');
    this.#db.exec('PRAGMA cache_size = -32768');
    this.#db.exec(readSql('schema.sql'));
    this.#statements = prepareAll(this.#db, readSql('queries.sql'));
  }

  /** Stop for good. What is not folded yet is in the log; the next start takes it from there. */
  close(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#db.close();
  }

  /** All datasets with their documents. */
  load(): Dataset[] {
    const rows = this.#all('datasets') as unknown as DatasetRow[];
    const datasets = rows.map(({ key, project, name, aclMode }) => {
      const dataset = new Dataset(key, project, name, aclMode);
      for (const { body } of this.#get('documents').iterate(key)) {
        dataset.load(JSON.parse(body as string) as StoredDocument);
      }
      return dataset;
    });
    this.#replay(new Map(datasets.map((dataset) => [dataset.key, dataset])));
    return datasets;
  }

  addDataset(project: string, name: string, aclMode: AclMode): Dataset {
    const row = this.#get('add_dataset').get(project, name, aclMode);
    return new Dataset((row as { key: number }).key, project, name, aclMode);
  }

  removeDataset(dataset: Dataset): void {
    this.#forgetWaiting(dataset.key);
    this.#atomically(() => {
      for (const what of ['documents', 'revisions', 'transactions', 'dataset']) {
        this.#get(`remove_${what}`).run(dataset.key);
      }
    });
  }

  hasTransaction(dataset: Dataset, id: string): boolean {
    return this.#get('has_transaction').get(dataset.key, id) !== undefined;
  }

  /** Write a transaction and what it changed; when this returns, `kill -9` can't undo it. */
  append(dataset: Dataset, transaction: Transaction, changes: readonly Change[]): void {
    const { id, at, author, mutations } = transaction;
    const bodies = changes.map(({ after }) => after && JSON.stringify(after));
    const mutationText = JSON.stringify(mutations);
    const states = changes.map(({ id: document }, n) => `["${document}",${bodies[n] ?? null}]`);
    const stateText = `[${states.join(',')}]`;
    const row = this.#get('add_transaction').get(
      dataset.key, id, at, author, mutationText, stateText,
    );
    const { seq } = row as { seq: number };
    changes.forEach((change, n) => this.#await(seq, dataset.key, change.id, bodies[n] ?? null));
    this.#lastAppendMs = performance.now();
    this.#foldLater();
    this.#bytesInWal += mutationText.length + stateText.length;
  }

  /** Accepted transactions after a sequence number, oldest first. */
  *transactions(dataset: Dataset, since: number): Generator<LoggedTransaction> {
    for (const row of this.#get('transactions').iterate(dataset.key, since)) {
      yield toTransaction(row);
    }
  }

  transaction(dataset: Dataset, id: string): LoggedTransaction | undefined {
    const row = this.#get('transaction').get(dataset.key, id);
    return row && toTransaction(row);
  }

  /** The transactions that touched a document, oldest first. */
  *transactionsOf(dataset: Dataset, document: string): Generator<LoggedTransaction> {
    const rows = this.#all('revisions_of', dataset.key, document);
    const waiting = [...(this.#fold?.revisions ?? []), ...this.#waitingRevisions];
    const unfolded = waiting.filter((each) => each.dataset === dataset.key && each.id === document);
    const seqs = new Set([...rows, ...unfolded].map(({ seq }) => Number(seq)));
    for (const seq of [...seqs].sort((a, b) => a - b)) {
      const row = this.#get('transaction_by_seq').get(seq);
      if (row) yield toTransaction(row);
    }
  }

  #forgetWaiting(dataset: number): void {
    const others = (each: { dataset: number }): boolean => each.dataset !== dataset;
    this.#waiting = new Map([...this.#waiting].filter(([, each]) => others(each)));
    this.#waitingRevisions = this.#waitingRevisions.filter(others);
    if (!this.#fold) return;
    this.#fold.documents = this.#fold.documents.filter(others);
    this.#fold.revisions = this.#fold.revisions.filter(others);
  }

  #await(seq: number, dataset: number, id: string, body: string | null): void {
    this.#lastSeq = seq;
    this.#waiting.set(`${dataset} ${id}`, { dataset, id, body });
    this.#waitingRevisions.push({ dataset, id, seq });
  }

  /** While requests keep coming, folding waits for a quiet moment, up to a point. */
  #foldLater(): void {
    if (!this.#timer || this.#waitingRevisions.length < MAX_WAITING) this.#foldAfter(FOLD_DELAY_MS);
  }

  #foldAfter(delayMs: number): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#foldOn(), delayMs).unref();
  }

  /** Take in what a killed process had accepted but not yet folded. */
  #replay(datasets: Map<number, Dataset>): void {
    this.#lastSeq = Number(this.#get('last_seq').get()?.seq);
    for (const row of this.#get('unfolded').iterate()) {
      const states = JSON.parse(String(row.states)) as State[];
      const dataset = datasets.get(Number(row.dataset));
      if (!dataset) continue;
      dataset.commit(states.map(([id, after]) => ({ id, before: dataset.get(id) ?? null, after })));
      for (const [id, after] of states) {
        this.#await(Number(row.seq), dataset.key, id, after && JSON.stringify(after));
      }
    }
    this.#foldLater();
  }

  #foldOn(): void {
    this.#timer = null;
    const startedMs = performance.now();
    const more = this.#foldSlice(FOLD_SLICE) || this.#forgetSlice();
    if (this.#bytesInWal > CHECKPOINT_BYTES || !more) this.#checkpoint();
    const spentMs = performance.now() - startedMs;
    const busy = startedMs - this.#lastAppendMs < BUSY_MS;
    if (more) this.#foldAfter(busy ? spentMs * PAUSE_WHEN_BUSY : PAUSE_MS);
  }

  #checkpoint(): void {
    this.#bytesInWal = 0;
    this.#db.exec('PRAGMA wal_checkpoint(PASSIVE)');
  }

  /** Fold some rows; the answer is whether any are left. */
  #foldSlice(rows: number): boolean {
    const fold = (this.#fold ??= this.#nextFold());
    if (!fold) return false;
    this.#atomically(() => {
      for (const { dataset, id, body } of fold.documents.splice(-rows)) {
        this.#bytesInWal += body?.length ?? 0;
        if (body) this.#get('put_document').run(dataset, id, body);
        else this.#get('delete_document').run(dataset, id);
      }
      for (const { dataset, id, seq } of fold.revisions.splice(-rows)) {
        this.#get('add_revision').run(dataset, id, seq);
      }
      if (fold.documents.length + fold.revisions.length > 0) return;
      // Only now: a crash before this line makes the next start fold the same rows again.
      this.#get('set_folded').run(fold.seq);
      this.#fold = null;
    });
    return this.#fold !== null || this.#waiting.size > 0;
  }

  #nextFold(): Fold | null {
    if (this.#waiting.size === 0) return null;
    const documents = [...this.#waiting.values()];
    const fold = { seq: this.#lastSeq, documents, revisions: this.#waitingRevisions };
    this.#waiting = new Map();
    this.#waitingRevisions = [];
    return fold;
  }

  /** Drop transactions that are older than the history kept; whether there may be more. */
  #forgetSlice(): boolean {
    const before = this.#lastSeq - this.#keepTransactions;
    if (before <= 0) return false;
    const rows = this.#all('forgettable', before, FORGET_SLICE);
    this.#atomically(() => {
      for (const { seq, dataset, states } of rows) {
        for (const [id] of JSON.parse(String(states)) as State[]) {
          this.#get('forget_revision').run(Number(dataset), id, Number(seq));
        }
        this.#get('forget_transaction').run(Number(seq));
      }
    });
    return rows.length === FORGET_SLICE;
  }

  #atomically(work: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  #get(name: string): StatementSync {
    const statement = this.#statements.get(name);
    if (!statement) throw new Error(`no statement named ${name} in queries.sql`);
    return statement;
  }

  #all(name: string, ...values: SQLInputValue[]): Record<string, unknown>[] {
    return this.#get(name).all(...values);
  }
}

interface DatasetRow {
  key: number;
  project: string;
  name: string;
  aclMode: AclMode;
}

function toTransaction(row: Record<string, unknown>): LoggedTransaction {
  const states = JSON.parse(String(row.states)) as State[];
  return {
    seq: Number(row.seq),
    id: String(row.id),
    at: String(row.at),
    author: String(row.author),
    mutations: JSON.parse(String(row.mutations)) as AppliedMutation[],
    states: new Map(states),
  };
}

function readSql(name: string): string {
  return readFileSync(new URL(`sql/${name}`, import.meta.url), 'utf8');
}

function prepareAll(db: DatabaseSync, sql: string): Map<string, StatementSync> {
  const blocks = sql.split(/^-- name: /m).slice(1);
  return new Map(
    blocks.map((block) => {
      const [name = '', ...lines] = block.split('\n');
      return [name.trim(), db.prepare(lines.join('\n'))];
    }),
  );
}
