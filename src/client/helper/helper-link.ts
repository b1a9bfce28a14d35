/**
 * A client's link to its helper: connected again and again as connections end, with waits that grow. An upload goes through the
 * helper when the link is up as it begins, and straight to the servers when it is not.
 * @see Tahoe-LAFS src/allmydata/immutable/upload.py, Uploader
 */
import type { Clock, Log, Random } from '#core/environment.js';
import { reasonOf } from '#core/errors.js';
import { withDeadline } from '../deadline.js';
import { keepConnecting } from '../keep-connecting.js';
import { Places } from '../places.js';
import type { HelperConnection } from './helper-connection.js';

/** How long the first attempt is waited for. */
const FIRST_TIMEOUT_MS = 60_000;
/** How many files go through a helper at a time; others wait. It answers so many calls and no more. */
export const UPLOAD_COUNT_MAX = 16;

/** A helper, as an upload sees it. */
export interface UploadAssistant {
  readonly places: Places;
  /** The helper, where it is connected. Right after the start this waits for the first attempt. @throws ERR_CANCELLED. */
  connected(signal: AbortSignal): Promise<HelperConnection | undefined>;
}

/** What a link is made of. */
export interface HelperLinkOptions {
  /** For people: the first digits of what its key is known by. */
  readonly name: string;
  /** Connects once. */
  readonly connect: (signal: AbortSignal) => Promise<HelperConnection>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** The link, from `start` until `close`. */
export class HelperLink implements UploadAssistant {
  readonly places = new Places(UPLOAD_COUNT_MAX);
  readonly #options: HelperLinkOptions;
  readonly #closing = new AbortController();
  readonly #tried: Promise<void>;
  #wasTried: () => void = () => undefined;
  #helper: HelperConnection | undefined;
  #lastReason = '';
  #running: Promise<void> = Promise.resolve();

  constructor(options: HelperLinkOptions) {
    this.#options = options;
    this.#tried = new Promise((resolve) => (this.#wasTried = resolve));
  }

  start(): void {
    const { clock, random } = this.#options;
    const { signal } = this.#closing;
    this.#running = keepConnecting({ clock, random, signal }, async () => {
      await this.#follow();
      this.#helper = undefined;
      this.#wasTried();
    });
  }

  async connected(signal: AbortSignal): Promise<HelperConnection | undefined> {
    const { clock } = this.#options;
    const what = 'connecting to the helper';
    await withDeadline({ clock, timeoutMs: FIRST_TIMEOUT_MS, what, signal }, () => this.#tried);
    return this.#helper;
  }

  /** Connects no more. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#wasTried();
    await this.#running;
  }

  /** One connection from its beginning to its end. Never throws. */
  async #follow(): Promise<void> {
    const { connect, log, name } = this.#options;
    const { signal } = this.#closing;
    try {
      this.#helper = await connect(signal);
    } catch (error) {
      const reason = reasonOf(error);
      if (!signal.aborted && reason !== this.#lastReason) log.warn('helper not reached', { helper: name, reason });
      this.#lastReason = reason;
      return;
    }
    this.#lastReason = '';
    this.#wasTried();
    log.info('helper connected', { helper: name });
    await this.#helper.ended(signal);
  }
}

/** Links to helpers, of which the first that is connected is used. */
export class HelperLinks implements UploadAssistant {
  readonly places = new Places(UPLOAD_COUNT_MAX);
  readonly #links: readonly UploadAssistant[];

  constructor(links: readonly UploadAssistant[]) {
    this.#links = links;
  }

  async connected(signal: AbortSignal): Promise<HelperConnection | undefined> {
    for (const link of this.#links) {
      const helper = await link.connected(signal);
      if (helper !== undefined) return helper;
    }
    return undefined;
  }
}
