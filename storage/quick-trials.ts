/**
 * When calls are done at once that the disk may have to answer: looks at names that may be new to the system. Where the
 * system knows most names, or the disk is quicker than the way to a thread, they are worth it; anywhere else they are
 * left to the threads, and tried again ever more rarely. What slow ones take counts in the allowance of all.
 * @see quick-calls.ts
 */
import type { QuickCalls } from './quick-calls.js';

/** What a call may take on the average to be worth it, in milliseconds: about what a thread and the way there take. */
export const WORTH_MS = 0.25;
/** How much the last call counts in the average. */
const LAST_CALL_SHARE = 1 / 16;
/** What a single call counts at most, in milliseconds. */
const COUNTED_MS_MAX = 8 * WORTH_MS;
/** For how long calls that were not worth it are left to the threads at first, in milliseconds. */
export const PAUSE_MS_MIN = 100;
/** The same after many such pauses. */
export const PAUSE_MS_MAX = 60_000;

/** How calls of one kind went lately. */
export class QuickTrials {
  readonly #calls: QuickCalls;
  #averageMs = 0;
  #pauseMs = PAUSE_MS_MIN;
  #pausedUntilMs = -Infinity;

  constructor(calls: QuickCalls) {
    this.#calls = calls;
  }

  /** Whether a call is to take its way over the threads now. */
  get isPaused(): boolean {
    return this.#calls.isPaused || this.#calls.clock.monotonicMs() < this.#pausedUntilMs;
  }

  /** Does it at once. @throws what `call` throws. */
  run<Result>(call: () => Result): Result {
    const before = this.#calls.clock.monotonicMs();
    try {
      return this.#calls.run(call);
    } finally {
      this.#learn(before, this.#calls.clock.monotonicMs());
    }
  }

  #learn(beforeMs: number, afterMs: number): void {
    const tookMs = Math.min(COUNTED_MS_MAX, afterMs - beforeMs);
    this.#averageMs += (tookMs - this.#averageMs) * LAST_CALL_SHARE;
    if (tookMs <= WORTH_MS) this.#pauseMs = Math.max(PAUSE_MS_MIN, this.#pauseMs / 2);
    if (this.#averageMs <= WORTH_MS) return;
    // The next slow one is enough for the next pause.
    this.#averageMs = WORTH_MS;
    this.#pausedUntilMs = afterMs + this.#pauseMs;
    this.#pauseMs = Math.min(PAUSE_MS_MAX, this.#pauseMs * 2);
  }
}
