/**
 * Keeps to the server list of one grid manager: what was kept of it at the last run, then what its places say.
 *
 * A list is believed when the manager's key has signed it, it has not expired, and no list with a higher number was ever
 * seen here, be it before a restart: it is kept before it is used. A list that is refused changes nothing: the node goes
 * on with the one it has until that expires. Several places are the same list in several copies.
 * @see docs/server-lists.md
 */
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log, Random } from '#core/environment.js';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import { equalBytes } from '#core/bytes.js';
import { verifyServerList } from '#wire/server-list.js';
import type { VerifiedServerList } from '#wire/server-list.js';
import { pause } from './deadline.js';
import type { ToldServer } from './known-servers.js';
import { hostOf } from './list-fetching.js';
import type { ListFetcher } from './list-fetching.js';

/** How often a place is asked, and how soon again after a failure, at first and at most. In milliseconds. */
export const LIST_REFRESH_MS = 600_000;
const BACK_OFF_FIRST_MS = 5_000;
/** After news is told, so long more of it is waited for. */
const NEWS_SPACING_MS = 1_000;
/** How often it is asked whether the list has expired: the clock may be set. */
const EXPIRY_LOOK_MS = 30_000;

/** Where a list outlives the process. */
export interface ListCache {
  /** What was kept last, whatever has become of it since. */
  readonly kept: Uint8Array | undefined;
  /** @throws when it cannot be kept. */
  keep(document: Uint8Array): Promise<void>;
}

/** What to follow. */
export interface FollowerOptions {
  /** For people, such as `pub-v0-abcdefgh`. */
  readonly name: string;
  /** The manager's key, 32 bytes. */
  readonly manager: Uint8Array;
  /** At least one. */
  readonly urls: readonly string[];
  readonly fetcher: ListFetcher;
  readonly cache: ListCache;
  readonly crypto: Pick<CryptoProvider, 'ed25519Verify' | 'sha256'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Hears the servers whenever they are others; none when the list has expired. */
  readonly told: (servers: readonly ToldServer[]) => void;
}

/** How things stand with the list. */
export interface ListStatus {
  readonly name: string;
  /** Undefined when there never was one. */
  readonly number: number | undefined;
  readonly expiresMs: number | undefined;
  readonly isExpired: boolean;
  /** Why the last attempt gave no news; undefined when it did, or said that there is none. */
  readonly problem: string | undefined;
}

/** One list, followed from `start` until `close`. */
export class ServerListFollower {
  readonly #options: FollowerOptions;
  readonly #closing = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #document: Uint8Array | undefined;
  #list: VerifiedServerList | undefined;
  #isExpired = false;
  #isTried = false;
  #problem: string | undefined;
  #cancelExpiry: () => void = () => undefined;
  #accepting: Promise<unknown> = Promise.resolve();

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** Whether every place has been asked once, or what was kept is as good. */
  get isTold(): boolean {
    return this.#isTried || (this.#list !== undefined && !this.#isExpired);
  }

  get status(): ListStatus {
    return {
      name: this.#options.name,
      number: this.#list?.number,
      expiresMs: this.#list?.expiresMs,
      isExpired: this.#isExpired,
      problem: this.#problem,
    };
  }

  /** Tells what was kept, and begins to ask. */
  start(): void {
    this.#loadKept();
    this.#watchExpiry();
    const { urls } = this.#options;
    const first = urls.map((url) => this.#followPlace(url));
    this.#running = Promise.all(first.map(({ ended }) => ended));
    void Promise.all(first.map(({ tried }) => tried)).then(() => {
      this.#isTried = true;
      // Whoever waits for servers looks again.
      this.#tell();
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#cancelExpiry();
    await this.#running;
    await this.#accepting;
  }

  /**
   * Takes a list, if it is a right one and not older than what is known.
   * @throws ERR_SERVER_LIST when it is not; what the cache throws.
   */
  accept(document: Uint8Array): Promise<void> {
    const accepted = this.#accepting.then(() => this.#accept(document));
    this.#accepting = accepted.catch(() => undefined);
    return accepted;
  }

  async #accept(document: Uint8Array): Promise<void> {
    const { cache, crypto, manager, name, log } = this.#options;
    const list = verifyServerList(document, manager, name, crypto);
    this.#refuseOld(list, document);
    if (this.#document !== undefined && equalBytes(document, this.#document)) return;
    await cache.keep(document);
    this.#document = document;
    this.#list = list;
    this.#isExpired = false;
    log.info('server list accepted', { list: name, number: list.number, servers: list.servers.length });
    for (const { where, reason } of list.skipped) log.warn('server of a list skipped', { list: name, where, reason });
    this.#tell();
  }

  #refuseOld(list: VerifiedServerList, document: Uint8Array): void {
    const known = this.#list;
    if (known !== undefined && list.number < known.number) {
      throw this.#refused(`its number is ${String(list.number)}, and number ${String(known.number)} has been seen`);
    }
    if (known?.number === list.number && this.#document !== undefined && !equalBytes(document, this.#document)) {
      throw this.#refused(`another list with the number ${String(list.number)} has been seen`);
    }
    if (this.#hasExpired(list)) {
      const expired = new Date(list.expiresMs).toISOString();
      throw this.#refused(`it expired ${expired}, if the clock of this machine is right; have a new one published`);
    }
  }

  /** What was kept counts for its number even when it has expired. */
  #loadKept(): void {
    const { cache, crypto, log, manager, name } = this.#options;
    if (cache.kept === undefined) return;
    try {
      this.#list = verifyServerList(cache.kept, manager, name, crypto);
      this.#document = cache.kept;
    } catch (error) {
      log.warn('the server list that was kept cannot be used', { list: name, reason: reasonOf(error) });
      return;
    }
    this.#isExpired = this.#hasExpired(this.#list);
    this.#tell();
  }

  #hasExpired({ expiresMs }: VerifiedServerList): boolean {
    return this.#options.clock.nowMs() >= expiresMs;
  }

  #tell(): void {
    if (this.#closing.signal.aborted) return;
    const servers = this.#isExpired ? [] : (this.#list?.servers ?? []);
    this.#options.told(servers.map((announcement) => ({ announcement })));
  }

  #watchExpiry(): void {
    const { clock, log, name } = this.#options;
    this.#cancelExpiry = clock.schedule(EXPIRY_LOOK_MS, () => {
      const isExpired = this.#list !== undefined && this.#hasExpired(this.#list);
      if (isExpired !== this.#isExpired) {
        this.#isExpired = isExpired;
        if (isExpired) log.warn('the server list has expired; have a new one published', { list: name });
        this.#tell();
      }
      this.#watchExpiry();
    });
  }

  #followPlace(url: string): { readonly tried: Promise<void>; readonly ended: Promise<void> } {
    let noteTried: () => void = () => undefined;
    const tried = new Promise<void>((resolve) => {
      noteTried = resolve;
    });
    const place = new Place(url, this, this.#options, (problem) => {
      this.#problem = problem;
      noteTried();
    });
    const ended = place.run(this.#closing.signal).finally(noteTried);
    return { tried, ended };
  }

  #refused(reason: string): TahoeError {
    return new TahoeError('ERR_SERVER_LIST', { list: this.#options.name, reason });
  }
}

/** One copy of the list: asked now and then, at once when its stream of events says so. */
class Place {
  readonly #url: string;
  readonly #follower: ServerListFollower;
  readonly #options: FollowerOptions;
  readonly #asked: (problem: string | undefined) => void;
  #etag: string | undefined;
  #hasNews = false;
  #wake: () => void = () => undefined;

  constructor(
    url: string,
    follower: ServerListFollower,
    options: FollowerOptions,
    asked: (problem: string | undefined) => void,
  ) {
    this.#url = url;
    this.#follower = follower;
    this.#options = options;
    this.#asked = asked;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { log, name } = this.#options;
    let backOffMs = BACK_OFF_FIRST_MS;
    let following: Promise<void> | undefined;
    const isOver = (): boolean => signal.aborted;
    while (!isOver()) {
      let delayMs = LIST_REFRESH_MS;
      try {
        const eventsUrl = await this.#ask(signal);
        backOffMs = BACK_OFF_FIRST_MS;
        if (eventsUrl !== undefined) {
          following ??= this.#follow(eventsUrl, signal).finally(() => {
            following = undefined;
          });
        }
        this.#asked(undefined);
      } catch (error) {
        if (isOver()) break;
        log.warn('server list not fetched', { list: name, place: hostOf(this.#url), reason: reasonOf(error) });
        delayMs = backOffMs;
        backOffMs = Math.min(2 * backOffMs, LIST_REFRESH_MS);
        this.#asked(reasonOf(error));
      }
      await this.#wait(delayMs, signal);
    }
    await following;
  }

  /** @returns where changes are told. */
  async #ask(signal: AbortSignal): Promise<string | undefined> {
    const { document, etag, eventsUrl } = await this.#options.fetcher.fetch(this.#url, this.#etag, signal);
    if (document !== undefined) await this.#follower.accept(document);
    // Only of what was accepted: what was refused is to be looked at again.
    this.#etag = etag;
    return eventsUrl;
  }

  async #follow(eventsUrl: string, signal: AbortSignal): Promise<void> {
    const { fetcher, log, name } = this.#options;
    try {
      const changed = (): void => {
        this.#hasNews = true;
        this.#wake();
      };
      await fetcher.follow(eventsUrl, changed, signal);
    } catch (error) {
      if (!signal.aborted) log.info('changes of a server list not followed', { list: name, reason: reasonOf(error) });
    }
  }

  /** Spread, so that not all clients ask at once. */
  async #wait(delayMs: number, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    const woken = new AbortController();
    this.#wake = () => {
      woken.abort();
    };
    const spread = (random.bytes(1)[0] ?? 0) / 256;
    const either = AbortSignal.any([signal, woken.signal]);
    try {
      if (!this.#hasNews) await pause(clock, delayMs * (0.75 + spread / 2), either);
    } catch (error) {
      if (!isTahoeError(error, 'ERR_CANCELLED')) throw error;
    }
    if (!this.#hasNews || signal.aborted) return;
    this.#hasNews = false;
    await pause(clock, NEWS_SPACING_MS, signal).catch(() => undefined);
  }
}
