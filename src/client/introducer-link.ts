/**
 * A node's link to one introducer, whatever it is spoken to in: what the node announces is published, and what others
 * announce is heard, verified, kept and told, again and again as connections end.
 * @see Tahoe-LAFS src/allmydata/introducer/client.py
 */
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log, Random } from '#core/environment.js';
import { isTahoeError, reasonOf } from '#core/errors.js';
import { parseAnnouncement } from '#wire/announcement.js';
import type { AnnouncementMemory } from '#wire/announcement-memory.js';
import type { OfferOutcome } from '#wire/announcement-table.js';
import { STORAGE_SERVICE } from '#wire/signed-announcement.js';
import type { SignedAnnouncement, VerifiedAnnouncement } from '#wire/signed-announcement.js';
import { pause } from './deadline.js';
import { keepConnecting } from './keep-connecting.js';
import type { ToldServer } from './known-servers.js';

/** How long news waits for more of it. */
const TELL_DELAY_MS = 100;
/** How often a node that only announces does so again. */
const REPUBLISH_MS = 300_000;
/** How many announcements are verified in one turn of the event loop: an introducer may tell of thousands at once. */
export const HEARD_PER_TURN = 32;
/** How many announcements that are refused the log names of one batch. */
const REFUSALS_NAMED_MAX = 5;

/** One introducer, reached in one dialect. Each call connects when it must. */
export interface IntroducerSession {
  /** @throws ERR_SERVER_REPLY when it was not accepted; ERR_CONNECT, ERR_PIN, ERR_TIMEOUT, ERR_CANCELLED. */
  publish(announcement: SignedAnnouncement, signal: AbortSignal): Promise<void>;
  /**
   * Offers what it says to `memory` for as long as the connection lasts.
   * @param heard - is called when something was accepted, and with true when all that was there at first has been heard.
   */
  follow(memory: AnnouncementMemory, heard: (isAll: boolean) => void, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** What a link is made of. */
export interface LinkOptions {
  /** For people, such as `introducer default`. */
  readonly name: string;
  readonly dialect: 'https' | 'foolscap';
  readonly session: IntroducerSession;
  /** What it has said, kept between runs; undefined for a node that wants to hear nothing. */
  readonly memory: AnnouncementMemory | undefined;
  /** What this node announces; undefined for nothing. */
  readonly announcement: SignedAnnouncement | undefined;
  /** Hears all storage servers that are known from here, whenever they are others. */
  readonly told: (servers: readonly ToldServer[]) => void;
  readonly crypto: Pick<CryptoProvider, 'sha256'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** How a link is. */
export interface LinkStatus {
  readonly name: string;
  readonly dialect: 'https' | 'foolscap';
  readonly connected: boolean;
  /** `connected`, `connecting`, or why it is not. */
  readonly connectionStatus: string;
  /** Since when that is so, Unix milliseconds. */
  readonly sinceMs: number;
  readonly announcementCount: number;
}

/** The link, from `start` until `close`. */
export class IntroducerLink {
  readonly #options: LinkOptions;
  readonly #closing = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #connectionStatus = 'connecting';
  #sinceMs: number;
  #isTold = false;
  #isTelling = false;
  #cancelTelling: () => void = () => undefined;
  /** What announcements say, so that none is read twice. */
  readonly #servers = new WeakMap<VerifiedAnnouncement, ToldServer[]>();

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#sinceMs = options.clock.nowMs();
  }

  /** Whether the introducer has said all that it knows, or could not be asked. */
  get isTold(): boolean {
    return this.#isTold;
  }

  get status(): LinkStatus {
    const { dialect, memory, name } = this.#options;
    return {
      name,
      dialect,
      connected: this.#connectionStatus === 'connected',
      connectionStatus: this.#connectionStatus,
      sinceMs: this.#sinceMs,
      announcementCount: memory?.entries().length ?? 0,
    };
  }

  /** Tells what was kept, and connects. */
  start(): void {
    this.#isTold = this.#options.memory === undefined;
    this.#tell();
    const { clock, random } = this.#options;
    const { signal } = this.#closing;
    this.#running = keepConnecting({ clock, random, signal }, () => this.#connect());
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#cancelTelling();
    await this.#options.session.close();
    await this.#running;
  }

  /** One attempt, for as long as it lasts. Never throws. */
  async #connect(): Promise<void> {
    const { announcement, clock, log, memory, name, session } = this.#options;
    const { signal } = this.#closing;
    try {
      if (announcement !== undefined) await this.#publish(announcement);
      if (memory === undefined) {
        // It was said; whether the introducer forgets it is looked at now and then.
        this.#note('connected');
        await pause(clock, REPUBLISH_MS, signal);
        return;
      }
      const heard = (isAll: boolean): void => {
        this.#note('connected');
        this.#isTold ||= isAll;
        if (isAll) this.#tell();
        else this.#tellSoon();
      };
      await session.follow(memory, heard, signal);
      this.#note('it ended the connection');
    } catch (error) {
      if (signal.aborted) return;
      const reason = isTahoeError(error, 'ERR_CONNECT', 'ERR_SERVER_REPLY') ? error.facts.reason : reasonOf(error);
      if (this.#connectionStatus !== reason) log.warn('introducer not reached', { introducer: name, reason });
      this.#note(reason);
    }
    if (this.#isTold) return;
    this.#isTold = true;
    this.#tell();
  }

  #note(connectionStatus: string): void {
    if (this.#connectionStatus === connectionStatus) return;
    const { clock, log, name } = this.#options;
    if (connectionStatus === 'connected') log.info('introducer connected', { introducer: name });
    this.#connectionStatus = connectionStatus;
    this.#sinceMs = clock.nowMs();
  }

  /** What is refused keeps the node from announcing itself, and from nothing else. */
  async #publish(announcement: SignedAnnouncement): Promise<void> {
    const { log, name, session } = this.#options;
    try {
      await session.publish(announcement, this.#closing.signal);
    } catch (error) {
      if (!isTahoeError(error, 'ERR_SERVER_REPLY')) throw error;
      log.warn('this node could not be announced', { introducer: name, reason: error.facts.reason });
    }
  }

  /** Much may come at once. */
  #tellSoon(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    this.#cancelTelling = this.#options.clock.schedule(TELL_DELAY_MS, () => {
      this.#tell();
    });
  }

  #tell(): void {
    this.#cancelTelling();
    this.#isTelling = false;
    const { memory, told } = this.#options;
    if (this.#closing.signal.aborted || memory === undefined) return;
    const storage = memory.entries().filter(({ serviceName }) => serviceName === STORAGE_SERVICE);
    told(storage.flatMap((announced) => this.#serverOf(announced)));
  }

  /** One with a bad address is left out, and no other with it. */
  #serverOf(announced: VerifiedAnnouncement): ToldServer[] {
    const server = this.#servers.get(announced) ?? this.#readServer(announced);
    this.#servers.set(announced, server);
    return server;
  }

  #readServer({ fields, sequenceNumber, serverId }: VerifiedAnnouncement): ToldServer[] {
    const { crypto, log, name } = this.#options;
    const where = serverId.slice(0, 11);
    const skip = (reason: string): void => {
      log.debug('part of an announcement skipped', { introducer: name, where, reason });
    };
    try {
      return [{ announcement: parseAnnouncement(serverId, fields, crypto, skip), sequenceNumber }];
    } catch (error) {
      if (!isTahoeError(error)) throw error;
      skip(reasonOf(error));
      return [];
    }
  }
}

/**
 * Offers announcements that came together. One that is refused keeps no other out.
 * @returns whether any of them is news.
 */
export async function hearAll(
  announcements: readonly SignedAnnouncement[],
  memory: AnnouncementMemory,
  { log, name }: { readonly log: Log; readonly name: string },
): Promise<boolean> {
  const outcomes: PromiseSettledResult<OfferOutcome>[] = [];
  for (let i = 0; i < announcements.length; i += HEARD_PER_TURN) {
    if (i > 0) await new Promise((resolve) => setImmediate(resolve));
    const some = announcements.slice(i, i + HEARD_PER_TURN);
    outcomes.push(...(await Promise.allSettled(some.map((announcement) => memory.offer(announcement)))));
  }
  const refusals = outcomes.filter((outcome) => outcome.status === 'rejected');
  for (const { reason } of refusals.slice(0, REFUSALS_NAMED_MAX)) {
    log.warn('announcement refused', { introducer: name, reason: reasonOf(reason) });
  }
  return outcomes.some((outcome) => outcome.status === 'fulfilled' && ['new', 'updated'].includes(outcome.value));
}
