/** Work that is done again and again while a node runs, each time after a pause. */
import type { Clock, Log } from '#core/environment.js';
import { reasonOf } from '#core/errors.js';
import { pause } from './pace.js';

/** Work, and when it is done. */
export interface RecurringOptions {
  /** What the log calls it. */
  readonly name: string;
  readonly firstDelayMs: number;
  /** From the end of one time to the beginning of the next. */
  readonly pauseMs: number;
  readonly action: (signal: AbortSignal) => Promise<unknown>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Something that goes on until it is closed. */
export interface Recurring {
  /** Resolves when what was under way has ended. */
  close(): Promise<void>;
}

/** Begins. A failure is logged, and the work is done again in its time. */
export function startRecurring(options: RecurringOptions): Recurring {
  const controller = new AbortController();
  const ended = repeat(options, controller.signal);
  return {
    close: async () => {
      controller.abort();
      await ended;
    },
  };
}

async function repeat(options: RecurringOptions, signal: AbortSignal): Promise<void> {
  const { name, firstDelayMs, pauseMs, action, clock, log } = options;
  await pause(clock, firstDelayMs, signal);
  while (!signal.aborted) {
    try {
      await action(signal);
    } catch (error) {
      log.error('storage.upkeep-failed', { name, reason: reasonOf(error) });
    }
    await pause(clock, pauseMs, signal);
  }
}
