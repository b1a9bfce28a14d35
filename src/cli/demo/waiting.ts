/** Waiting for something that announces itself in no other way than by being there. */
import type { Clock } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';

/** How one wait goes. */
export interface Wait {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** What ERR_TIMEOUT calls the thing that is waited for. */
  readonly what: string;
  readonly timeoutMs: number;
}

/** Between two looks, in milliseconds. */
const LOOK_EVERY_MS = 25;

/**
 * Waits until `isThere` says so.
 * @throws ERR_TIMEOUT when that takes too long, the reason of the signal, and what `isThere` throws.
 */
export async function waitUntil(
  isThere: () => Promise<boolean>,
  { clock, signal, what, timeoutMs }: Wait,
): Promise<void> {
  const endMs = clock.monotonicMs() + timeoutMs;
  for (;;) {
    signal.throwIfAborted();
    if (await isThere()) return;
    if (clock.monotonicMs() >= endMs) throw new TahoeError('ERR_TIMEOUT', { what, timeoutMs });
    await new Promise<void>((resolve) => {
      clock.schedule(LOOK_EVERY_MS, resolve);
    });
  }
}
