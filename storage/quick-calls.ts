/**
 * When calls of the file system are done at once, on the thread that serves, and when not. A call that the system's memory
 * answers takes a few microseconds; the way to another thread and back costs ten times that.
 *
 * What the disk has to answer holds up everything else meanwhile: a tenth of a millisecond for flash, ten for a disk that
 * turns. So slow calls have an allowance, a twentieth of the time that passes, and when it is used up all go to the
 * threads until there is some again. A disk that never answers holds up all, as it does with every thread taken. A call
 * that was slow because other programs had the processor counts too: nobody can tell.
 */
import type { Clock } from '#core/environment.js';

/** A call that took longer waited for something, in milliseconds. */
export const SLOW_CALL_MS = 1;
/** What slow calls may take of the time. */
export const SLOW_SHARE = 1 / 20;
/** What they may take at once after a while without any, in milliseconds. */
export const ALLOWANCE_MAX_MS = 50;
/** The most that is read or written at once, in bytes. */
export const QUICK_SIZE_MAX = 64 * 1024;

/** The pace of one disk. */
export class QuickCalls {
  readonly clock: Clock;
  /** What was left at `#knownMs`, below zero after a call that took more than there was. */
  #allowanceMs = ALLOWANCE_MAX_MS;
  #knownMs: number;

  constructor(clock: Clock) {
    this.clock = clock;
    this.#knownMs = clock.monotonicMs();
  }

  /** Whether a call is to take its way over the threads now. */
  get isPaused(): boolean {
    return this.#allowanceMs <= 0 && this.#allowanceAt(this.clock.monotonicMs()) <= 0;
  }

  /** Does it at once. @throws what `call` throws. */
  run<Result>(call: () => Result): Result {
    const before = this.clock.monotonicMs();
    try {
      return call();
    } finally {
      const after = this.clock.monotonicMs();
      if (after - before > SLOW_CALL_MS) {
        this.#allowanceMs = this.#allowanceAt(before) - (after - before);
        this.#knownMs = after;
      }
    }
  }

  #allowanceAt(nowMs: number): number {
    return Math.min(ALLOWANCE_MAX_MS, this.#allowanceMs + (nowMs - this.#knownMs) * SLOW_SHARE);
  }
}
