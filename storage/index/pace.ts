/** Reading no faster than so many bytes a second. */
import type { Clock } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import type { Pace } from './share-inventory.js';

/** A look at a share costs the disk about as much as reading this many bytes. */
const READ_COST_MIN = 4096;

/**
 * A pace for one reader at a time: each read waits until those before it have had their time.
 * @param bytesPerSecond - Infinity for as fast as it goes.
 * @throws ERR_CANCELLED from the pace once `signal` is aborted; `what` is what errors call the reading.
 */
export function paceOf(clock: Clock, bytesPerSecond: number, what: string, signal: AbortSignal): Pace {
  let freeMs = clock.monotonicMs();
  return async (sizeBytes) => {
    const now = clock.monotonicMs();
    const waitMs = Math.max(0, freeMs - now);
    freeMs = Math.max(freeMs, now) + (1000 * Math.max(sizeBytes, READ_COST_MIN)) / bytesPerSecond;
    if (waitMs > 0) await pause(clock, waitMs, signal);
    if (signal.aborted) throw new TahoeError('ERR_CANCELLED', { what });
  };
}

/** Resolves after `delayMs`, or as soon as `signal` is aborted. */
export async function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const end = (): void => {
      cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.schedule(delayMs, end);
    signal.addEventListener('abort', end);
  });
}
