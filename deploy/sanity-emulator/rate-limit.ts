/** The names that a real mutate answer carried (facts T1). */
export interface RateHeaders {
  'ratelimit-limit': string;
  'ratelimit-remaining': string;
  'ratelimit-reset': string;
  'x-ratelimit-limit-second': string;
  'x-ratelimit-remaining-second': string;
}

export interface RateDecision {
  allowed: boolean;
  headers: RateHeaders;
}

/** Documented: 25 mutate requests and 500 requests of any kind per second and address. */
export const DOCUMENTED_LIMITS = { mutate: 25, other: 500 } as const;

const WINDOW_MS = 1_000;

/** Requests in the running second, per key (a client's address and a kind of request). */
export class RateLimiter {
  #windows = new Map<string, { start: number; used: number }>();

  /** Count one request. `enforced` false still reports, but never refuses. */
  take(key: string, limit: number, enforced: boolean, nowMs: number): RateDecision {
    const window = this.#window(key, nowMs);
    const allowed = !enforced || window.used < limit;
    if (allowed) window.used += 1;
    // Not enforced, the count may pass the limit; a client must not be told to stop for that.
    const left = limit - window.used;
    const remaining = String(enforced ? Math.max(left, 0) : Math.max(left, 1));
    return {
      allowed,
      headers: {
        'ratelimit-limit': String(limit),
        'ratelimit-remaining': remaining,
        'ratelimit-reset': '1',
        'x-ratelimit-limit-second': String(limit),
        'x-ratelimit-remaining-second': remaining,
      },
    };
  }

  #window(key: string, nowMs: number): { start: number; used: number } {
    const start = Math.floor(nowMs / WINDOW_MS);
    let window = this.#windows.get(key);
    if (!window || window.start !== start) this.#windows.set(key, (window = { start, used: 0 }));
    return window;
  }
}
