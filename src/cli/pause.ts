/** Waiting between two questions. */
import type { Clock } from '#core/environment.js';

/** Waits so long. @throws the signal's reason, as soon as it ends the wait. */
export async function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  let cancel: () => void = () => undefined;
  let onAbort: () => void = () => undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      cancel = clock.schedule(delayMs, resolve);
      onAbort = () => reject(signal.reason as Error);
      signal.addEventListener('abort', onAbort);
    });
  } finally {
    cancel();
    signal.removeEventListener('abort', onAbort);
  }
}
