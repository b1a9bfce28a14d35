/** What one client of a helper is told, as a stream for a reply: a few events, and a sign of life while there is none. */
import { Readable } from 'node:stream';
import type { Clock } from '#core/environment.js';
import { HEARTBEAT_TEXT } from '#wire/change-feed.js';
import { STREAM_HEARTBEAT_MS } from '#wire/event-stream.js';

/** The stream. It ends with `finish`, or when its reader goes. */
export class HelperStream extends Readable {
  readonly #clock: Clock;
  readonly #closed: () => void;
  #isFinished = false;
  #cancelHeartbeat: () => void = () => undefined;

  /** @param closed - is called once, when the stream is over. */
  constructor(clock: Clock, closed: () => void) {
    super();
    this.#clock = clock;
    this.#closed = closed;
    this.push(HEARTBEAT_TEXT); // Without a byte of it no head is sent.
    this.#scheduleHeartbeat();
  }

  /** @param text - one event. */
  tell(text: string): void {
    if (!this.#isFinished && !this.destroyed) this.push(text);
  }

  /** Ends it. */
  finish(): void {
    if (this.#isFinished || this.destroyed) return;
    this.#isFinished = true;
    this.#cancelHeartbeat();
    this.push(null);
  }

  override _read(): void {
    // What there is to tell is pushed when it is known.
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#cancelHeartbeat();
    this.#closed();
    callback(error);
  }

  #scheduleHeartbeat(): void {
    this.#cancelHeartbeat = this.#clock.schedule(STREAM_HEARTBEAT_MS, () => {
      if (this.readableLength === 0) this.tell(HEARTBEAT_TEXT);
      this.#scheduleHeartbeat();
    });
  }
}
