/**
 * Ctrl-C and its like while a command works: the command is told by an AbortSignal and cleans up. A second one ends
 * the program at once.
 */
import { constants } from 'node:os';
import { TahoeError } from '#core/errors.js';
import { SIGNAL_BASE } from './exit-status.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs `action` so that it can be interrupted.
 * @param what - what ERR_CANCELLED, the signal's reason, calls it.
 * @returns its exit status, or that of a process ended by the signal when it failed after one.
 */
export async function interruptible(what: string, action: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const controller = new AbortController();
  let received: (typeof SIGNALS)[number] | undefined;
  const interrupt = (signal: (typeof SIGNALS)[number]): void => {
    received = signal;
    release();
    controller.abort(new TahoeError('ERR_CANCELLED', { what }));
  };
  const release = (): void => {
    for (const signal of SIGNALS) process.off(signal, interrupt);
  };
  for (const signal of SIGNALS) process.on(signal, interrupt);
  try {
    return await action(controller.signal);
  } catch (error) {
    if (received === undefined) throw error;
    return SIGNAL_BASE + constants.signals[received];
  } finally {
    release();
  }
}
