/**
 * One subscriber's announcements as a stream for a reply. What waits for a slow reader is one announcement for each
 * service and key, the newest: so it is never more than the introducer itself holds.
 */
import { Readable } from 'node:stream';
import type { Clock } from '#core/environment.js';
import { HEARTBEAT_TEXT } from '#wire/change-feed.js';
import { formatStreamEvent, STREAM_HEARTBEAT_MS } from '#wire/event-stream.js';
import { dangerouslyFormatAnnouncementEvent, READY_EVENT } from '#wire/introducer.js';
import type { SignedAnnouncement, VerifiedAnnouncement } from '#wire/signed-announcement.js';

/** How much the line itself holds, in bytes. */
const LINE_SIZE_MAX = 16 * 1024;
const READY = formatStreamEvent(READY_EVENT, '{}');
/** The text of an announcement is the same for all subscribers. */
const texts = new WeakMap<SignedAnnouncement, string>();

/** The stream. It ends with `finish`, or when its reader goes. */
export class AnnouncementStream extends Readable {
  /** The announcements that wait, by key and service; and at its end, or alone, what else is to be said. */
  readonly #waiting = new Map<string, VerifiedAnnouncement>();
  readonly #clock: Clock;
  readonly #closed: () => void;
  #first: VerifiedAnnouncement[];
  #isReady = false;
  #wanted = false;
  #ending = false;
  #cancelHeartbeat: () => void = () => undefined;

  /** @param closed - is called once, when the stream is over. */
  constructor(present: readonly VerifiedAnnouncement[], clock: Clock, closed: () => void) {
    super({ highWaterMark: LINE_SIZE_MAX });
    this.#clock = clock;
    this.#closed = closed;
    this.#first = [...present].reverse();
    this.#scheduleHeartbeat();
  }

  /** Tells news as soon as the reader takes it. */
  tell(news: VerifiedAnnouncement): void {
    this.#waiting.set(`${news.serverId} ${news.serviceName}`, news);
    this.#advance();
  }

  /** Ends it. */
  finish(): void {
    this.#ending = true;
    this.#advance();
  }

  override _read(): void {
    this.#wanted = true;
    this.#advance();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#cancelHeartbeat();
    this.#closed();
    callback(error);
  }

  #advance(): void {
    while (this.#wanted && !this.destroyed) {
      const text = this.#ending ? null : this.#next();
      if (text === undefined) return;
      this.#wanted = this.push(text);
    }
  }

  #next(): string | undefined {
    const first = this.#first.pop();
    if (first !== undefined) return textOf(first);
    if (!this.#isReady) {
      this.#isReady = true;
      return READY;
    }
    for (const [index, news] of this.#waiting) {
      this.#waiting.delete(index);
      return textOf(news);
    }
    return undefined;
  }

  #scheduleHeartbeat(): void {
    this.#cancelHeartbeat = this.#clock.schedule(STREAM_HEARTBEAT_MS, () => {
      if (this.#wanted && this.#waiting.size === 0 && this.#isReady) this.#wanted = this.push(HEARTBEAT_TEXT);
      this.#scheduleHeartbeat();
    });
  }
}

function textOf({ signed }: VerifiedAnnouncement): string {
  const text = texts.get(signed) ?? dangerouslyFormatAnnouncementEvent(signed);
  texts.set(signed, text);
  return text;
}
