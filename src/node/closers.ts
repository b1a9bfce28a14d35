/**
 * What a node has opened, to be closed in reverse. Every step is tried, however those before it end; each has a
 * deadline, so that one that hangs does not keep the rest from closing.
 */
import type { Clock, Log } from '#core/environment.js';
import { reasonOf } from '#core/errors.js';

/** How long one step of closing may take. */
const STEP_TIMEOUT_MS = 5_000;

interface Closer {
  readonly name: string;
  readonly close: () => Promise<void> | void;
}

/** Collects what must be closed. */
export class Closers {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #closers: Closer[] = [];

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Has `close` called when everything added later is closed. */
  add(name: string, close: () => Promise<void> | void): void {
    this.#closers.push({ name, close });
  }

  /** Closes everything, the last first. Failures are logged, never thrown. A second call does nothing more. */
  async closeAll(): Promise<void> {
    for (let closer = this.#closers.pop(); closer !== undefined; closer = this.#closers.pop()) {
      try {
        await this.#withDeadline(closer);
      } catch (error) {
        this.#log.error('not closed cleanly', { what: closer.name, reason: reasonOf(error) });
      }
    }
  }

  async #withDeadline({ close }: Closer): Promise<void> {
    let cancel: () => void = () => undefined;
    const overdue = new Promise<never>((_resolve, reject) => {
      cancel = this.#clock.schedule(STEP_TIMEOUT_MS, () => {
        reject(new Error('it took too long'));
      });
    });
    try {
      await Promise.race([close(), overdue]);
    } finally {
      cancel();
    }
  }
}
