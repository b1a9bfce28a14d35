/** Something that others need a proxy for to reach this node by: made at the start, and again whenever the proxy was gone. */
import { pause } from '#client/deadline.js';
import type { Clock, Log } from '#core/environment.js';
import { reasonOf } from '#core/errors.js';

/** How long after a failure it is tried again, in milliseconds: twice as long each time, up to the second. */
const RETRY_MS = 2_000;
const RETRY_MAX_MS = 300_000;

/** What is kept up. */
export interface KeptUpOptions {
  /** What the log calls it, such as `onion service`. */
  readonly what: string;
  /** Makes it, says so, and ends when it is gone, or `signal` ends it. */
  readonly once: (signal: AbortSignal, made: () => void) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

/** One of a node's. */
export class KeptUp {
  readonly #options: KeptUpOptions;
  readonly #ended = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #isUp = false;

  constructor(options: KeptUpOptions) {
    this.#options = options;
  }

  /** Whether it is there now. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** Begins, and goes on until `close`. */
  start(): void {
    this.#running = this.#run();
  }

  /** Takes it back. */
  async close(): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, log, once, what } = this.#options;
    const { signal } = this.#ended;
    let delayMs = RETRY_MS;
    const isOver = (): boolean => signal.aborted;
    while (!isOver()) {
      try {
        await once(signal, () => {
          this.#isUp = true;
          delayMs = RETRY_MS;
        });
        if (!isOver()) log.warn(`${what} gone: its proxy ended the connection`);
      } catch (error) {
        if (!isOver()) log.warn(`${what} not published`, { reason: reasonOf(error) });
      }
      this.#isUp = false;
      await pause(clock, delayMs, signal).catch(() => undefined);
      delayMs = Math.min(2 * delayMs, RETRY_MAX_MS);
    }
  }
}

/** Resolves when `signal` ends things. */
export function ending(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      resolve();
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}
