/**
 * When calls of the file system are done at once, on the thread that serves, and when not. A call that the system's memory
 * answers takes a few microseconds; the way to another thread and back costs ten times that.
 *
 * What the disk has to answer holds up everything else meanwhile: a tenth of a millisecond for flash, ten for a disk that
 * turns. So after a call that took longer than SLOW_CALL_MS all go to the threads, for fifty times as long: a slow disk
 * holds up the rest for a fiftieth of the time at most. A disk that never answers holds up all, as it does with every
 * thread taken.
 */
import type { Clock } from '#core/environment.js';

/** A call that took longer waited for the disk, in milliseconds. */
export const SLOW_CALL_MS = 4;
/** For how long the threads do it all after that, at least, in milliseconds. */
export const QUICK_PAUSE_MIN_MS = 500;
/** How many times as long as the slow call. */
export const QUICK_PAUSE_FACTOR = 50;
/** The most that is read or written at once, in bytes. */
export const QUICK_SIZE_MAX = 64 * 1024;

/** The pace of one disk. */
export class QuickCalls {
  readonly #clock: Clock;
  #pausedUntilMs = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether a call is to take its way over the threads now. */
  get isPaused(): boolean {
    return this.#clock.monotonicMs() < this.#pausedUntilMs;
  }

  /** Does it at once. @throws what `call` throws. */
  run<Result>(call: () => Result): Result {
    const before = this.#clock.monotonicMs();
    try {
      return call();
    } finally {
      const after = this.#clock.monotonicMs();
      const tookMs = after - before;
      if (tookMs > SLOW_CALL_MS)
        this.#pausedUntilMs = after + Math.max(QUICK_PAUSE_MIN_MS, QUICK_PAUSE_FACTOR * tookMs);
    }
  }
}
