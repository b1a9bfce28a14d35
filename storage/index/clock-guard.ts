/**
 * Whether the time of day can be trusted to delete by. A clock that jumps makes every lease seem over.
 *
 * The wall clock is held against the monotonic one, from when the process began, and against the last time that
 * was put on the disk. After a jump nothing is deleted until both agree again, or the node is started anew; a node
 * that was away for long, or whose clock was moved meanwhile, has to report before it deletes (expiry-cycle.ts).
 */
import type { Clock } from '#core/environment.js';

/** How far both clocks may drift apart. */
export const DISAGREEMENT_MAX_MS = 3_600_000;

/** Watches one clock from its making. */
export class ClockGuard {
  readonly #clock: Clock;
  readonly #wallMs: number;
  readonly #monotonicMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#wallMs = clock.nowMs();
    this.#monotonicMs = clock.monotonicMs();
  }

  /** Why the time of day is doubtful; undefined where it is not. @param lastMs - the last that was put on the disk. */
  doubt(lastMs: number): string | undefined {
    const now = this.#clock.nowMs();
    const jumpMs = now - this.#wallMs - (this.#clock.monotonicMs() - this.#monotonicMs);
    if (Math.abs(jumpMs) > DISAGREEMENT_MAX_MS) {
      const seconds = Math.round(jumpMs / 1000);
      return `the clock has jumped by ${String(seconds)} s since the node started; set it right, or start the node again`;
    }
    if (now < lastMs) return `the clock is behind ${new Date(lastMs).toISOString()}, when this store was last in use`;
    return undefined;
  }
}
