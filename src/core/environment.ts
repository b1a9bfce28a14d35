/**
 * What the pure layers get handed instead of reaching for it: time, chance and a place to write lines.
 * `node/` makes the real ones; tests make seeded ones, so that a seed replays any failure.
 */

/** Time. `nowMs` is the wall clock (Unix milliseconds); `monotonicMs` never jumps. */
export interface Clock {
  nowMs(): number;
  monotonicMs(): number;
  /** Calls `action` once after `delayMs` (at most 2^31−1); the returned function cancels it. */
  schedule(delayMs: number, action: () => void): () => void;
}

/** Chance, fit for keys. */
export interface Random {
  /** `size` unpredictable bytes, owned by the caller. */
  bytes(size: number): Uint8Array;
}

/** Structured lines. Facts hold no secret: no capability, swissnum, write enabler or lease secret. */
export interface Log {
  debug(event: string, facts?: LogFacts): void;
  info(event: string, facts?: LogFacts): void;
  warn(event: string, facts?: LogFacts): void;
  error(event: string, facts?: LogFacts): void;
}

/** What a log line tells, by name. */
export type LogFacts = Readonly<Record<string, string | number | boolean | undefined>>;

/** A log that drops everything. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
};
