import type { Committed } from './emulator.ts';

/** Changes kept for listeners that come back; beyond that they are told to start anew. */
const MAX_CHANGES = 10_000;

/** The last transactions of one dataset since the start, oldest first. */
export class RecentTransactions {
  #kept: Committed[] = [];
  #changes = 0;

  add(committed: Committed): void {
    this.#kept.push(committed);
    this.#changes += committed.changes.length + 1;
    if (this.#changes > MAX_CHANGES) this.#halve();
  }

  get last(): string | undefined {
    return this.#kept.at(-1)?.transaction.id;
  }

  /** What came after a transaction, or `undefined` where it is no longer (or never was) known. */
  after(transactionId: string): readonly Committed[] | undefined {
    const seen = this.#kept.findLastIndex(({ transaction }) => transaction.id === transactionId);
    return seen < 0 ? undefined : this.#kept.slice(seen + 1);
  }

  /** What was committed later than this time (RFC 3339 with milliseconds). */
  since(time: string): readonly Committed[] {
    const last = this.#kept.findLastIndex(({ transaction }) => transaction.at <= time);
    return this.#kept.slice(last + 1);
  }

  #halve(): void {
    let drop = 0;
    while (this.#changes > MAX_CHANGES / 2 && drop < this.#kept.length - 1) {
      this.#changes -= (this.#kept[drop]?.changes.length ?? 0) + 1;
      drop += 1;
    }
    this.#kept = this.#kept.slice(drop);
  }
}
