/**
 * HTTP/2 connections: what one may have open, hold in memory and ask for without asking anything.
 *
 * A connection that has no exchange open for a while is closed, the first time as soon as a head over HTTP/1.1
 * would be due. Pings, settings and exchanges that the client takes back cost it nothing and us something, so that
 * there is a budget for them; who overdraws it is cut, as is who lets an exchange stand still.
 * @see RFC 9113, sections 5.1.2, 6.5.2 and 10.5
 */
import type { ServerHttp2Session, ServerHttp2Stream, ServerOptions } from 'node:http2';
import type { Clock } from '#core/environment.js';

/** How much of a body is taken in before somebody reads it: of one exchange and of a whole connection, in bytes. */
const STREAM_WINDOW_SIZE = 256 * 1024;
const CONNECTION_WINDOW_SIZE = 1 << 20;
/** Exchanges open at once on one connection. */
const STREAM_COUNT_MAX = 64;
/** Pings, settings and cancelled exchanges that one connection may send in each interval. */
export const GRATIS_FRAME_COUNT_MAX = 200;
/** The length of that interval, in milliseconds. */
export const GRATIS_INTERVAL_MS = 10_000;
/** How long a connection of either version may carry nothing while something is open on it, in milliseconds. */
export const SILENCE_TIMEOUT_MS = 10 * 60_000;
/** The error code by which a peer is told that it asks too much: ENHANCE_YOUR_CALM. */
const CALM_DOWN = 11;

/** What a connection waits for, in milliseconds. */
export interface SessionTimes {
  /** For its first request. */
  readonly headersTimeout: number;
  /** For each further one. */
  readonly keepAliveTimeout: number;
}

/** The limits that the protocol itself knows. @param headSizeMax - of a request's head, in bytes. */
export function http2Limits(headSizeMax: number): ServerOptions {
  return {
    settings: {
      enablePush: false,
      initialWindowSize: STREAM_WINDOW_SIZE,
      maxConcurrentStreams: STREAM_COUNT_MAX,
      maxHeaderListSize: headSizeMax,
    },
    // In MiB: what waits to be sent, heads, and the bookkeeping of exchanges.
    maxSessionMemory: 4,
    maxHeaderListPairs: 64,
    maxOutstandingPings: 4,
    maxSettings: 16,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
  };
}

/** All HTTP/2 connections of a port. */
export class Http2Sessions {
  readonly #clock: Clock;
  readonly #times: SessionTimes;
  readonly #sessions = new Set<ServerHttp2Session>();

  constructor(clock: Clock, times: SessionTimes) {
    this.#clock = clock;
    this.#times = times;
  }

  /** Watches over a connection until it closes. */
  add(session: ServerHttp2Session): void {
    const idle = new IdleTimer(this.#clock, this.#times, session);
    const budget = new GratisBudget(this.#clock);
    const spend = (): void => {
      if (!budget.spend()) session.destroy(undefined, CALM_DOWN);
    };
    this.#sessions.add(session);
    session.setLocalWindowSize(CONNECTION_WINDOW_SIZE);
    session.setTimeout(SILENCE_TIMEOUT_MS, () => {
      session.destroy();
    });
    session.on('ping', spend).on('remoteSettings', spend);
    session.on('stream', (stream: ServerHttp2Stream) => {
      idle.streamOpened();
      stream.once('aborted', spend).once('close', () => {
        idle.streamClosed();
      });
    });
    session.once('close', () => {
      idle.end();
      this.#sessions.delete(session);
    });
  }

  /** Lets every connection finish what is open on it, and nothing more. */
  closeGently(): void {
    for (const session of this.#sessions) session.close();
  }

  /** Cuts every connection. */
  destroyAll(): void {
    for (const session of this.#sessions) session.destroy();
  }
}

/** Closes a connection that has nothing open for too long. */
class IdleTimer {
  readonly #clock: Clock;
  readonly #times: SessionTimes;
  readonly #session: ServerHttp2Session;
  #streamCount = 0;
  #cancel: () => void;

  constructor(clock: Clock, times: SessionTimes, session: ServerHttp2Session) {
    this.#clock = clock;
    this.#times = times;
    this.#session = session;
    this.#cancel = this.#schedule(times.headersTimeout);
  }

  streamOpened(): void {
    this.#streamCount += 1;
    this.#cancel();
  }

  streamClosed(): void {
    this.#streamCount -= 1;
    if (this.#streamCount === 0 && !this.#session.destroyed)
      this.#cancel = this.#schedule(this.#times.keepAliveTimeout);
  }

  end(): void {
    this.#cancel();
  }

  #schedule(delayMs: number): () => void {
    return this.#clock.schedule(delayMs, () => {
      this.#session.destroy();
    });
  }
}

/** Counts, interval by interval, what a peer may send for nothing. */
export class GratisBudget {
  readonly #clock: Clock;
  #sinceMs: number;
  #spent = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.monotonicMs();
  }

  /** @returns whether it was in the budget. */
  spend(): boolean {
    const now = this.#clock.monotonicMs();
    if (now - this.#sinceMs >= GRATIS_INTERVAL_MS) {
      this.#sinceMs = now;
      this.#spent = 0;
    }
    this.#spent += 1;
    return this.#spent <= GRATIS_FRAME_COUNT_MAX;
  }
}
