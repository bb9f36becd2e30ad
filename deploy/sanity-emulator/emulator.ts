import { randomBytes } from 'node:crypto';

import { Dataset } from './dataset.ts';
import type { AclMode, Change } from './dataset.ts';
import { boom, datasetNotFound, projectNotFound } from './errors.ts';
import type { AppliedMutation } from './mutation.ts';
import { RateLimiter } from './rate-limit.ts';
import { RecentTransactions } from './recent.ts';
import { RequestLog } from './request-log.ts';
import type { ProjectSettings, Settings, TokenSettings } from './settings.ts';
import { DATASET_NAME } from './settings.ts';
import type { Store, Transaction } from './store.ts';
import { Weather } from './weather.ts';

export interface Project {
  id: string;
  datasets: Map<string, Dataset>;
}

/** A transaction that just became visible; listeners are told after it is on disk. */
export interface Committed {
  dataset: Dataset;
  transaction: Transaction;
  changes: readonly Change[];
}

export interface GrantedToken extends TokenSettings {
  project: string;
}

/** Everything the service knows: projects with their datasets, tokens, and what was asked of it. */
export class Emulator {
  readonly settings: Settings;
  readonly store: Store;
  readonly weather = new Weather();
  readonly log = new RequestLog();
  readonly rates = new RateLimiter();
  readonly #projects = new Map<string, Project>();
  readonly #tokens = new Map<string, GrantedToken>();
  readonly #watchers = new Set<(committed: Committed) => void>();
  readonly #recent = new Map<Dataset, RecentTransactions>();
  readonly #streams = new Set<() => void>();

  constructor(settings: Settings, store: Store) {
    this.settings = settings;
    this.store = store;
    for (const project of settings.projects) this.#addProject(project);
    for (const dataset of store.load()) {
      // A project that left the settings keeps its data on disk and is out of reach.
      this.#projects.get(dataset.project)?.datasets.set(dataset.name, dataset);
    }
    for (const project of settings.projects) this.#seed(project);
  }

  project(id: string): Project {
    const project = this.#projects.get(id);
    if (!project) throw projectNotFound(id);
    return project;
  }

  /** The only project, for requests that name none. */
  onlyProject(): string | null {
    const [first, ...others] = this.#projects.keys();
    return first !== undefined && others.length === 0 ? first : null;
  }

  dataset(project: string, name: string): Dataset {
    const dataset = this.project(project).datasets.get(name);
    if (!dataset) throw datasetNotFound(project, name);
    return dataset;
  }

  token(token: string): GrantedToken | undefined {
    return this.#tokens.get(token);
  }

  addDataset(project: string, name: string, aclMode: AclMode): Dataset {
    const { datasets } = this.project(project);
    if (!DATASET_NAME.test(name)) throw boom(400, `Invalid dataset name: ${name}`);
    if (datasets.has(name)) throw boom(409, `Dataset "${name}" already exists`);
    const dataset = this.store.addDataset(project, name, aclMode);
    datasets.set(name, dataset);
    return dataset;
  }

  removeDataset(project: string, name: string): void {
    const dataset = this.dataset(project, name);
    this.store.removeDataset(dataset);
    this.#recent.delete(dataset);
    this.project(project).datasets.delete(name);
  }

  /** Make a transaction durable, then visible, then known. */
  commit(dataset: Dataset, transaction: Transaction, changes: readonly Change[]): void {
    // Disk before memory: a crash between them loses nothing that was acknowledged, since the
    // answer goes out after both.
    this.store.append(dataset, transaction, changes);
    dataset.commit(changes);
    const committed = { dataset, transaction, changes };
    this.recent(dataset).add(committed);
    for (const watcher of this.#watchers) watcher(committed);
  }

  recent(dataset: Dataset): RecentTransactions {
    let recent = this.#recent.get(dataset);
    if (!recent) this.#recent.set(dataset, (recent = new RecentTransactions()));
    return recent;
  }

  /** Register what ends an open stream; the answer takes it off the list. */
  addStream(end: () => void): () => void {
    this.#streams.add(end);
    return () => this.#streams.delete(end);
  }

  /** End every open stream, as a cut line would; how many there were. */
  endStreams(): number {
    const open = [...this.#streams];
    for (const end of open) end();
    return open.length;
  }

  /** Be told of each transaction; the answer stops it. */
  watch(watcher: (committed: Committed) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  #addProject({ id, tokens }: ProjectSettings): void {
    this.#projects.set(id, { id, datasets: new Map() });
    for (const token of tokens) this.#tokens.set(token.token, { ...token, project: id });
  }

  #seed({ id, datasets }: ProjectSettings): void {
    for (const { name, aclMode } of datasets) {
      if (!this.project(id).datasets.has(name)) this.addDataset(id, name, aclMode);
    }
  }
}

/** 22 characters as the service's own ids have, without signs that a path would have to escape. */
export function newTransactionId(): string {
  return randomBytes(16).toString('base64url').replaceAll('-', 'x').replaceAll('_', 'y');
}

export function transactionOf(
  id: string,
  author: string,
  mutations: AppliedMutation[],
): Transaction {
  return { id, at: new Date().toISOString(), author, mutations };
}
