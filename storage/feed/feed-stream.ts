/**
 * One reader's feed, as a stream for a reply: a bounded queue in front of the line. A reader that lets it fill up is
 * cut, and finds out what it missed when it comes again.
 */
import { Readable } from 'node:stream';
import type { Clock } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { formatFeedEvent, HEARTBEAT_TEXT } from '#wire/change-feed.js';
import type { FeedPosition, ShareChange } from '#wire/change-feed.js';
import type { NumberedChange } from './change-ring.js';

/** Changes that may wait for one reader, besides what the line itself holds. */
export const FEED_QUEUE_COUNT_MAX = 1024;
/** The same in bytes of text. */
const LINE_SIZE_MAX = 16 * 1024;
/** How long a feed says nothing, in milliseconds. */
export const HEARTBEAT_INTERVAL_MS = 15_000;

/** What a stream is given by its feed. */
export interface FeedStreamOptions {
  readonly clock: Clock;
  readonly epoch: number;
  /** Adds to a change what must be read for it. Never throws. */
  readonly complete: (change: ShareChange) => Promise<ShareChange>;
  /** Is called once, when the stream is over. */
  readonly closed: () => void;
}

/** The stream. It ends with `finish`, or when its reader goes. */
export class FeedStream extends Readable {
  readonly #options: FeedStreamOptions;
  readonly #queue: (string | NumberedChange)[] = [];
  #wanted = false;
  #completing = false;
  #ending = false;
  #cancelHeartbeat: () => void = () => undefined;

  constructor(options: FeedStreamOptions) {
    super({ highWaterMark: LINE_SIZE_MAX });
    this.#options = options;
    this.#scheduleHeartbeat();
  }

  /** Says where the feed begins. @param missed - whether the reader has missed changes that nobody can tell it. */
  begin(position: FeedPosition, missed: boolean): void {
    this.#queue.push(missed ? formatFeedEvent(position, { kind: 'look-again' }) : formatFeedEvent(position));
    this.#advance();
  }

  /** Tells a change as soon as the reader takes it. */
  tell(entry: NumberedChange): void {
    if (this.#queue.length >= FEED_QUEUE_COUNT_MAX) {
      this.destroy(
        new TahoeError('ERR_TOO_MANY', { what: 'changes waiting for a reader', limit: FEED_QUEUE_COUNT_MAX }),
      );
      return;
    }
    this.#queue.push(entry);
    this.#advance();
  }

  /** Ends the feed when everything in its queue is told. */
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
    this.#options.closed();
    callback(error);
  }

  #advance(): void {
    while (this.#wanted && !this.#completing && !this.destroyed) {
      const next = this.#queue.shift();
      if (next === undefined) {
        if (this.#ending) this.#wanted = this.push(null);
        return;
      }
      if (typeof next === 'string') this.#hand(next);
      else this.#complete(next);
    }
  }

  #complete({ change, number }: NumberedChange): void {
    this.#completing = true;
    void this.#options.complete(change).then((completed) => {
      this.#completing = false;
      if (this.destroyed) return;
      this.#hand(formatFeedEvent({ epoch: this.#options.epoch, number }, completed));
      this.#advance();
    });
  }

  #hand(text: string): void {
    this.#wanted = this.push(text);
  }

  #scheduleHeartbeat(): void {
    this.#cancelHeartbeat = this.#options.clock.schedule(HEARTBEAT_INTERVAL_MS, () => {
      if (this.#queue.length === 0) this.#queue.push(HEARTBEAT_TEXT);
      this.#advance();
      this.#scheduleHeartbeat();
    });
  }
}
