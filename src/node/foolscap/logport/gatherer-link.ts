/**
 * A node's link to a gatherer of logs: the gatherer is handed the log publisher and asks it for what it gathers. When the
 * connection ends it is made again, with waits that grow.
 * @see https://foolscap.readthedocs.io, "Foolscap Logging"
 */
import { connectionEnd } from '#client/foolscap/connection-end.js';
import { keepConnecting } from '#client/keep-connecting.js';
import { utf8 } from '#core/bytes.js';
import type { Clock, Log, Random } from '#core/environment.js';
import { isTahoeError, reasonOf } from '#core/errors.js';
import { parseFurl } from '#wire/foolscap/furl.js';
import type { RemoteObject, RemoteReference, Tub } from '#wire/foolscap/tub.js';

/** What a link is made of. */
export interface GathererLinkOptions {
  /** Of the gatherer. Secret. */
  readonly furl: string;
  readonly publisher: RemoteObject;
  readonly tub: Pick<Tub, 'connect' | 'tubId'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** The link, from `start` until `close`. */
export class GathererLink {
  readonly #options: GathererLinkOptions;
  readonly #name: string;
  readonly #closing = new AbortController();
  #lastReason = '';
  #running: Promise<void> = Promise.resolve();

  /** @throws ERR_FURL. */
  constructor(options: GathererLinkOptions) {
    this.#options = options;
    this.#name = parseFurl(options.furl).tubId.slice(0, 8);
  }

  start(): void {
    const { clock, random } = this.#options;
    const { signal } = this.#closing;
    this.#running = keepConnecting({ clock, random, signal }, () => this.#follow(signal));
  }

  /** Connects no more. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  /** One connection from its beginning to its end. Never throws. */
  async #follow(signal: AbortSignal): Promise<void> {
    const { furl, log, tub } = this.#options;
    try {
      const gatherer = await tub.connect(furl, { signal });
      this.#lastReason = '';
      log.info('log gatherer connected', { gatherer: this.#name });
      this.#handOver(gatherer, signal);
      await connectionEnd(gatherer, signal);
    } catch (error) {
      const reason = isTahoeError(error, 'ERR_CONNECT') ? error.facts.reason : reasonOf(error);
      if (signal.aborted || reason === this.#lastReason) return;
      this.#lastReason = reason;
      log.warn('log gatherer not reached', { gatherer: this.#name, reason });
    }
  }

  /** It may take its time: it subscribes before it answers, and some first fetch what they missed. */
  #handOver(gatherer: RemoteReference, signal: AbortSignal): void {
    const { log, publisher, tub } = this.#options;
    gatherer.call('logport', [utf8(tub.tubId), publisher], undefined, { signal }).catch((error: unknown) => {
      if (!isTahoeError(error, 'ERR_REMOTE', 'ERR_VIOLATION')) return;
      log.warn('log gatherer refused the log', { gatherer: this.#name, reason: reasonOf(error) });
    });
  }
}
