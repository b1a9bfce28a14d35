/**
 * Keeps this node reachable as an onion service: published at the start, and again whenever Tor was gone. The service
 * lives as long as the connection to the control port, so that nothing of it is left when the node is.
 */
import { readFile, stat } from 'node:fs/promises';
import { pause } from '#client/deadline.js';
import type { Clock, Log } from '#core/environment.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import { dangerouslyFormatAddOnion } from '#wire/tor-control.js';
import type { OnionSettings } from './network-settings.js';
import type { TorControl } from './tor-control.js';

/** How long after a failure it is tried again, in milliseconds: twice as long each time, up to the second. */
const RETRY_MS = 2_000;
const RETRY_MAX_MS = 300_000;
const KEY_FILE_SIZE_MAX = 4096;

/** What a service is made of. */
export interface OnionServiceOptions {
  readonly settings: OnionSettings;
  /** As the key file has it. Secret. */
  readonly dangerousKey: string;
  readonly openControl: (signal: AbortSignal) => Promise<TorControl>;
  readonly clock: Clock;
  readonly log: Log;
}

/** The key in its file. @throws ERR_FILE when it is not there, or no key. */
export async function readOnionKey(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > KEY_FILE_SIZE_MAX) throw new Error('it is too large to be a key');
    const key = (await readFile(path, 'latin1')).trim();
    dangerouslyFormatAddOnion(key, 1, 1);
    return key;
  } catch (error) {
    const reason = `${reasonOf(error)}; [tor]onion.private_key_file names it`;
    throw new TahoeError('ERR_FILE', { file: path, reason }, { cause: error });
  }
}

/** One node's. */
export class OnionService {
  readonly #options: OnionServiceOptions;
  readonly #ended = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #isPublished = false;

  constructor(options: OnionServiceOptions) {
    this.#options = options;
  }

  /** Whether Tor has it now. */
  get isPublished(): boolean {
    return this.#isPublished;
  }

  /** Begins to publish it, and goes on until `close`. */
  start(): void {
    this.#running = this.#run();
  }

  /** Takes it back and ends the connection. */
  async close(): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#ended;
    let delayMs = RETRY_MS;
    const isOver = (): boolean => signal.aborted;
    while (!isOver()) {
      try {
        await this.#publish(() => {
          delayMs = RETRY_MS;
        });
        if (!isOver()) log.warn('onion service gone: Tor closed its control port');
      } catch (error) {
        if (!isOver()) log.warn('onion service not published', { reason: reasonOf(error) });
      }
      await pause(clock, delayMs, signal).catch(() => undefined);
      delayMs = Math.min(2 * delayMs, RETRY_MAX_MS);
    }
  }

  /** Publishes it once, and waits until the connection ends or the node does. */
  async #publish(published: () => void): Promise<void> {
    const { dangerousKey, log, openControl, settings } = this.#options;
    const { signal } = this.#ended;
    const control = await openControl(signal);
    try {
      const { serviceId } = await control.addOnion(dangerousKey, settings.externalPort, settings.localPort, signal);
      this.#isPublished = true;
      published();
      log.info('onion service published', { onion: `${serviceId}.onion`, port: settings.externalPort });
      const stopped = new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener('abort', () => resolve(), { once: true });
      });
      await Promise.race([control.closed(), stopped]);
    } finally {
      this.#isPublished = false;
      control.close();
    }
  }
}
