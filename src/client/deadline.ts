/**
 * A limit to how long something may take, whatever it is doing: it is told to stop and no longer waited for.
 */
import { setMaxListeners } from 'node:events';
import type { Clock } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';

/** The longest time that a clock can wait, in milliseconds: nearly 25 days. */
export const TIMER_MS_MAX = 2 ** 31 - 1;

/** What is limited, and by what. */
export interface Deadline {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Its name in the error. */
  readonly what: string;
  readonly signal: AbortSignal;
}

/**
 * Runs `action` with a signal that ends it at the deadline, or when the outer signal ends it.
 * @throws ERR_TIMEOUT, ERR_CANCELLED, and what `action` throws before.
 */
export async function withDeadline<Result>(
  { clock, timeoutMs, what, signal }: Deadline,
  action: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  if (signal.aborted) throw new TahoeError('ERR_CANCELLED', { what }, { cause: signal.reason });
  const ended = new AbortController();
  // Much may go on beside each other under one signal; each stops listening at its end.
  setMaxListeners(0, ended.signal, signal);
  let release: () => void = () => undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    const cancel = (): void => {
      reject(new TahoeError('ERR_CANCELLED', { what }, { cause: signal.reason }));
    };
    const cancelTimer = clock.schedule(timeoutMs, () => {
      reject(new TahoeError('ERR_TIMEOUT', { what, timeoutMs }));
    });
    signal.addEventListener('abort', cancel);
    release = () => {
      cancelTimer();
      signal.removeEventListener('abort', cancel);
    };
  });
  try {
    return await Promise.race([action(ended.signal), limit]);
  } finally {
    release();
    ended.abort();
  }
}

/** Waits. @throws ERR_CANCELLED when the signal ends the wait. */
export async function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const cancel = (): void => {
      cancelTimer();
      reject(new TahoeError('ERR_CANCELLED', { what: 'a wait' }, { cause: signal.reason }));
    };
    const cancelTimer = clock.schedule(delayMs, () => {
      signal.removeEventListener('abort', cancel);
      resolve();
    });
    if (signal.aborted) cancel();
    else signal.addEventListener('abort', cancel, { once: true });
  });
}
