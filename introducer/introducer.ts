/**
 * The introducer: what storage servers announce, for all who want to know. How publishers and subscribers reach it,
 * over HTTPS or over Foolscap, is not its concern.
 *
 * Announcements are never dropped when their publisher goes, and a subscriber is told all that there are before any
 * that come later.
 * @see Tahoe-LAFS src/allmydata/introducer/server.py
 */
import type { Clock } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import type { AnnouncementMemory } from '#wire/announcement-memory.js';
import type { OfferOutcome } from '#wire/announcement-table.js';
import type { SignedAnnouncement, VerifiedAnnouncement } from '#wire/signed-announcement.js';

/** Subscribers at a time. */
export const SUBSCRIBERS_MAX = 10_000;

/** What a subscriber says of itself, for the status page, and how it is told. */
export interface Subscription {
  /** Which service it wants to know of; undefined for all. */
  readonly serviceName: string | undefined;
  readonly dialect: 'https' | 'foolscap';
  readonly nickname: string;
  readonly version: string;
  readonly address: string;
  /** Hears each announcement. Must not throw, and waits for nothing. */
  readonly tell: (news: VerifiedAnnouncement) => void;
}

/** One that is subscribed. */
export interface Subscriber extends Subscription {
  /** Since when, Unix milliseconds. */
  readonly sinceMs: number;
}

/** One introducer. */
export class Introducer {
  readonly #memory: AnnouncementMemory;
  readonly #clock: Clock;
  readonly #subscribers = new Set<Subscriber>();
  readonly #published = new Map<'https' | 'foolscap', number>();

  constructor(memory: AnnouncementMemory, clock: Clock) {
    this.#memory = memory;
    this.#clock = clock;
    memory.listen((news) => {
      for (const subscriber of this.#subscribers) if (isFor(subscriber, news)) subscriber.tell(news);
    });
  }

  /** Takes an announcement; it is durable when this resolves. @throws ERR_ANNOUNCEMENT when it is none. */
  async publish(announcement: SignedAnnouncement, dialect: 'https' | 'foolscap'): Promise<OfferOutcome> {
    this.#published.set(dialect, this.publishedOver(dialect) + 1);
    return this.#memory.offer(announcement);
  }

  /** How often something was published over a dialect, since the start. */
  publishedOver(dialect: 'https' | 'foolscap'): number {
    return this.#published.get(dialect) ?? 0;
  }

  /** What is announced, of one service or of all. */
  announcements(serviceName?: string): readonly VerifiedAnnouncement[] {
    return this.#memory.entries().filter((one) => serviceName === undefined || one.serviceName === serviceName);
  }

  /** Those who are subscribed now. */
  subscribers(): readonly Subscriber[] {
    return [...this.#subscribers];
  }

  /**
   * Tells from now on. What is there already is `announcements`.
   * @returns what ends it.
   * @throws ERR_BUSY when there are too many subscribers.
   */
  subscribe(subscription: Subscription): () => void {
    if (this.#subscribers.size >= SUBSCRIBERS_MAX) {
      throw new TahoeError('ERR_BUSY', { what: 'places for subscribers', limit: SUBSCRIBERS_MAX });
    }
    const subscriber = { ...subscription, sinceMs: this.#clock.nowMs() };
    this.#subscribers.add(subscriber);
    return () => {
      this.#subscribers.delete(subscriber);
    };
  }
}

function isFor({ serviceName }: Subscription, news: VerifiedAnnouncement): boolean {
  return serviceName === undefined || serviceName === news.serviceName;
}
