/**
 * The body of a request, as pieces in the order they arrive, with back-pressure: the socket is read no faster
 * than somebody takes the pieces.
 *
 * A body that trickles is cut: over each minute at least 1 KiB must come for each second that was spent waiting
 * for the sender. Time in which the disk is behind does not count. Leaving the body early does not destroy the
 * connection, so that the reason can still be told.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { concat } from '#core/bytes.js';
import type { Clock } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { messageTooLarge } from './authorization.js';

/** How often the rate of a body is looked at, in milliseconds. */
export const BODY_RATE_INTERVAL_MS = 60_000;
/** The least rate at which a body must arrive while it is waited for, in bytes a second. */
export const BODY_RATE_MIN = 1024;
/** Waiting for less than this in one interval is never held against the sender, in milliseconds. */
const WAITING_TOLERATED_MS = BODY_RATE_INTERVAL_MS / 2;

/** The two ends of one exchange, and time. */
export interface BodySource {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly clock: Clock;
}

/** Watches how long a body is waited for and how much of it comes. */
class RateGuard {
  readonly #clock: Clock;
  readonly #cut: () => void;
  #cancel: () => void = () => undefined;
  #received = 0;
  #waitedMs = 0;
  #waitingSince: number | undefined;

  constructor(clock: Clock, cut: () => void) {
    this.#clock = clock;
    this.#cut = cut;
    this.#schedule();
  }

  waiting(): void {
    this.#waitingSince = this.#clock.monotonicMs();
  }

  received(size: number): void {
    this.#countWaiting();
    this.#waitingSince = undefined;
    this.#received += size;
  }

  end(): void {
    this.#cancel();
  }

  #schedule(): void {
    this.#cancel = this.#clock.schedule(BODY_RATE_INTERVAL_MS, () => {
      this.#countWaiting();
      if (this.#waitedMs > WAITING_TOLERATED_MS && this.#received < (this.#waitedMs / 1000) * BODY_RATE_MIN) {
        this.#cut();
        return;
      }
      this.#received = 0;
      this.#waitedMs = 0;
      this.#schedule();
    });
  }

  #countWaiting(): void {
    if (this.#waitingSince === undefined) return;
    const now = this.#clock.monotonicMs();
    this.#waitedMs += now - this.#waitingSince;
    this.#waitingSince = now;
  }
}

/**
 * The pieces of the body. A client that waits for "100 Continue" is told to go on at the first of them.
 * @throws ERR_TIMEOUT when the body is cut for its slowness, or the socket's error.
 */
export async function* readBody({ clock, request, response }: BodySource): AsyncGenerator<Uint8Array> {
  if (request.headers.expect !== undefined) response.writeContinue();
  const guard = new RateGuard(clock, () => {
    request.destroy(new TahoeError('ERR_TIMEOUT', { what: 'the body', timeoutMs: BODY_RATE_INTERVAL_MS }));
  });
  try {
    guard.waiting();
    for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      guard.received(piece.length);
      yield piece;
      guard.waiting();
    }
  } finally {
    guard.end();
  }
}

/**
 * A small body as a whole.
 * @param sizeMax - in bytes.
 * @throws ERR_TOO_LARGE as soon as it is larger; what readBody throws.
 */
export async function readMessage(source: BodySource, sizeMax: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of readBody(source)) {
    size += piece.length;
    if (size > sizeMax) throw messageTooLarge(sizeMax);
    pieces.push(piece);
  }
  return concat(...pieces);
}
