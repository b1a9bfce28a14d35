/**
 * The waits between attempts of a link that is connected again and again: each is twice as long as the one before it, from
 * one second to one minute, and shortened by chance, so that not all come back at once to a peer that was started anew.
 */
import type { Clock, Random } from '#core/environment.js';
import { pause } from './deadline.js';

/** The first wait, in milliseconds; by chance down to half of it, as all of them. */
export const BACK_OFF_FIRST_MS = 1_000;
/** The longest; and how long a connection must last for the waits to begin anew. */
export const BACK_OFF_MAX_MS = 60_000;

/** The waits of one link. */
export class BackOff {
  readonly #clock: Clock;
  readonly #random: Random;
  #waitMs = BACK_OFF_FIRST_MS;
  #beginMs: number;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
    this.#beginMs = clock.monotonicMs();
  }

  /** An attempt begins. */
  begin(): void {
    this.#beginMs = this.#clock.monotonicMs();
  }

  /** Waits until the next may begin. @throws ERR_CANCELLED when the signal ends the wait. */
  async wait(signal: AbortSignal): Promise<void> {
    if (this.#clock.monotonicMs() - this.#beginMs > BACK_OFF_MAX_MS) this.#waitMs = BACK_OFF_FIRST_MS;
    const waitMs = this.#waitMs;
    this.#waitMs = Math.min(2 * waitMs, BACK_OFF_MAX_MS);
    const spread = (this.#random.bytes(1)[0] ?? 0) / 256;
    await pause(this.#clock, waitMs * (0.5 + spread / 2), signal);
  }
}
