import type { Effect } from './weather.ts';

/** What is noted about a request while it is served, for the request log. */
export interface Trace {
  startedMs: number;
  transactionId: string | null;
  ids: string[];
  outcome: string;
  bytesOut: number;
  /** Trouble that waits until the work is done. */
  afterwards: Effect | null;
  logged: boolean;
}

export function newTrace(): Trace {
  return {
    startedMs: performance.now(),
    transactionId: null,
    ids: [],
    outcome: 'answered',
    bytesOut: 0,
    afterwards: null,
    logged: false,
  };
}
