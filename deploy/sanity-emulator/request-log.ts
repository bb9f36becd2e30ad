/** One request as a test may ask about it. Neither tokens nor bodies are kept. */
export interface LoggedRequest {
  seq: number;
  /** RFC 3339 with milliseconds, when the request arrived. */
  at: string;
  durationMs: number;
  /** The token's name, or `anonymous`. */
  who: string;
  role: string;
  project: string | null;
  dataset: string | null;
  /** mutate, query, doc, listen, ... */
  route: string;
  method: string;
  path: string;
  /** `0` where no answer was sent. */
  status: number;
  /** `answered`, or what the weather did: `cut-before-commit`, `cut-after-commit`, `hung`. */
  outcome: string;
  transactionId: string | null;
  /** Documents changed or, for `doc`, asked for. */
  ids: string[];
  bytesIn: number;
  bytesOut: number;
}

/** Requests and ids in them that are kept; then the older half goes. */
const CAPACITY = 200_000;
const MAX_REQUESTS = 20_000;

/** The last requests, and counts of all. */
export class RequestLog {
  #entries: LoggedRequest[] = [];
  #counters = new Map<string, number>();
  #seq = 0;
  #weight = 0;

  add(entry: Omit<LoggedRequest, 'seq'>): void {
    this.#seq += 1;
    this.#entries.push({ seq: this.#seq, ...entry });
    this.#weight += 1 + entry.ids.length;
    if (this.#weight > CAPACITY || this.#entries.length > MAX_REQUESTS) this.#halve();
    const counter = `${entry.route} ${entry.status}`;
    this.#counters.set(counter, (this.#counters.get(counter) ?? 0) + 1);
  }

  since(seq: number): LoggedRequest[] {
    return this.#entries.filter((entry) => entry.seq > seq);
  }

  /** Requests by `<route> <status>`. */
  counters(): Record<string, number> {
    return Object.fromEntries(this.#counters);
  }

  clear(): void {
    this.#entries = [];
    this.#weight = 0;
    this.#counters.clear();
  }

  /** Half at once: dropping one by one would copy the list for every request. */
  #halve(): void {
    this.#entries = this.#entries.slice(Math.floor(this.#entries.length / 2));
    this.#weight = this.#entries.reduce((sum, { ids }) => sum + 1 + ids.length, 0);
  }
}
