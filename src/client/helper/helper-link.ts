/**
 * A client's link to its helper: connected again and again as connections end, with waits that grow. An upload goes through the
 * helper when the link is up as it begins, and straight to the servers when it is not.
 * @see Tahoe-LAFS src/allmydata/immutable/upload.py, Uploader
 */
import type { Clock, Log } from '#core/environment.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import type { RemoteReference, Tub } from '#wire/foolscap/tub.js';
import { HELPER_PROTOCOL } from '#wire/foolscap/upload-helper.js';
import { Dict } from '#wire/foolscap/values.js';
import { pause, withDeadline } from '../deadline.js';
import { Places } from '../places.js';

/** The wait before another attempt, at first and at most. */
const BACK_OFF_FIRST_MS = 1_000;
const BACK_OFF_MAX_MS = 60_000;
/** How long a connection and its first answer may take. */
const CONNECT_TIMEOUT_MS = 30_000;
/** How many files go through a helper at a time; others wait. It answers so many calls and no more. */
const UPLOAD_COUNT_MAX = 16;

/** A helper, as an upload sees it. */
export interface UploadAssistant {
  /** For people: the first digits of its tub id. */
  readonly name: string;
  readonly places: Places;
  /** The helper, where it is connected. Right after the start this waits for the first attempt. @throws ERR_CANCELLED. */
  connected(signal: AbortSignal): Promise<RemoteReference | undefined>;
}

/** What a link is made of. */
export interface HelperLinkOptions {
  readonly name: string;
  /** Secret. */
  readonly furl: string;
  readonly tub: Pick<Tub, 'connect'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** The link, from `start` until `close`. */
export class HelperLink implements UploadAssistant {
  readonly name: string;
  readonly places = new Places(UPLOAD_COUNT_MAX);
  readonly #options: HelperLinkOptions;
  readonly #closing = new AbortController();
  readonly #tried: Promise<void>;
  #wasTried: () => void = () => undefined;
  #helper: RemoteReference | undefined;
  #lastReason = '';
  #running: Promise<void> = Promise.resolve();

  constructor(options: HelperLinkOptions) {
    this.name = options.name;
    this.#options = options;
    this.#tried = new Promise((resolve) => (this.#wasTried = resolve));
  }

  start(): void {
    this.#running = this.#run();
  }

  async connected(signal: AbortSignal): Promise<RemoteReference | undefined> {
    const { clock } = this.#options;
    const what = 'connecting to the helper';
    await withDeadline({ clock, timeoutMs: 2 * CONNECT_TIMEOUT_MS, what, signal }, () => this.#tried);
    return this.#helper;
  }

  /** Connects no more. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#wasTried();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    for (let waitMs = BACK_OFF_FIRST_MS; !signal.aborted; waitMs = Math.min(BACK_OFF_MAX_MS, 2 * waitMs)) {
      if (await this.#follow()) waitMs = BACK_OFF_FIRST_MS;
      this.#helper = undefined;
      this.#wasTried();
      await pause(this.#options.clock, waitMs, signal).catch(() => undefined);
    }
  }

  /** One connection from its beginning to its end. @returns whether there was one. */
  async #follow(): Promise<boolean> {
    const { log, name } = this.#options;
    const { signal } = this.#closing;
    try {
      this.#helper = await this.#connect(signal);
    } catch (error) {
      const reason = reasonOf(error);
      if (!signal.aborted && reason !== this.#lastReason) log.warn('helper not reached', { helper: name, reason });
      this.#lastReason = reason;
      return false;
    }
    this.#lastReason = '';
    this.#wasTried();
    log.info('helper connected', { helper: name });
    await ended(this.#helper, signal);
    return true;
  }

  async #connect(signal: AbortSignal): Promise<RemoteReference> {
    const { furl, name, tub } = this.#options;
    const options = { signal, timeoutMs: CONNECT_TIMEOUT_MS };
    const helper = await tub.connect(furl, options);
    const version = await helper.call('get_version', [], undefined, options);
    if (version instanceof Dict && version.get(HELPER_PROTOCOL) !== undefined) return helper;
    const reason = 'it does not speak version 1 of the helper protocol; its operator can put a newer one in its place';
    throw new TahoeError('ERR_HELPER', { helper: name, reason });
  }
}

/** Resolves when the connection is over, or nobody wants it any more. */
function ended(helper: RemoteReference, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      signal.removeEventListener('abort', end);
      takeBack();
      resolve();
    };
    let takeBack = (): void => undefined;
    signal.addEventListener('abort', end, { once: true });
    takeBack = helper.notifyOnDisconnect(end);
  });
}
