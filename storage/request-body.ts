/**
 * The body of a request, as pieces in the order they arrive, with back-pressure: the socket is read no faster
 * than somebody takes the pieces.
 *
 * A body that trickles is cut: over each minute at least 1 KiB must come for each second that was spent waiting
 * for the sender. Time in which the disk is behind does not count. Leaving the body early does not destroy the
 * connection, so that the reason can still be told.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { concat } from '#core/bytes.js';
import type { Clock } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { messageTooLarge } from './authorization.js';
import { http2StreamOf } from './http2-request.js';

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
  /** Is told of pieces that were taken and are garbage now, in bytes. */
  readonly discarded?: ((sizeBytes: number) => void) | undefined;
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

/** How much of a body may have arrived and not been taken before the socket is no longer read, in bytes. */
const QUEUE_SIZE_MAX = 256 * 1024;

/**
 * What has arrived of a body and was not taken yet. It listens for data rather than asking for it: asked, a stream
 * joins what it holds into one array, which would copy every byte once more.
 */
class PieceQueue {
  readonly #request: Readable;
  #pieces: Uint8Array[] = [];
  #size = 0;
  #ended = false;
  #failure: Error | undefined;
  #wake: () => void = () => undefined;
  #waking = false;

  constructor(request: Readable) {
    this.#request = request;
    request.on('data', this.#onData).once('end', this.#onEnd).once('error', this.#onError).once('close', this.#onClose);
    // A write that waited for another begins to listen when the line may be gone already.
    if (request.destroyed) this.#onClose();
  }

  /** All that has arrived since the last call; empty at the end of the body. @throws the socket's error. */
  async take(): Promise<readonly Uint8Array[]> {
    while (this.#pieces.length === 0 && !this.#ended) {
      if (this.#failure !== undefined) throw this.#failure;
      this.#request.resume();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#size = 0;
    return pieces;
  }

  /** Stops listening; what still comes is dropped. */
  release(): void {
    const request = this.#request;
    request.off('data', this.#onData).off('end', this.#onEnd).off('error', this.#onError).off('close', this.#onClose);
    request.on('error', () => undefined);
    if (!this.#ended) request.resume();
  }

  readonly #onData = (piece: Uint8Array): void => {
    this.#pieces.push(piece);
    this.#size += piece.length;
    if (this.#size >= QUEUE_SIZE_MAX) this.#request.pause();
    this.#wakeSoon();
  };

  /** Once for all that the system hands over in this turn, rather than for each piece. */
  #wakeSoon(): void {
    if (this.#waking) return;
    this.#waking = true;
    setImmediate(() => {
      this.#waking = false;
      this.#wake();
    });
  }

  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#wake();
  };

  readonly #onError = (error: Error): void => {
    this.#failure ??= error;
    this.#wake();
  };

  readonly #onClose = (): void => {
    if (!this.#ended) this.#failure ??= new Error('the connection closed in the middle of the body');
    this.#wake();
  };
}

/**
 * The pieces of the body, as many at a time as have arrived. A client that waits for "100 Continue" is told to go on at the first of them.
 * @throws ERR_TIMEOUT when the body is cut for its slowness, or the socket's error.
 */
export async function* readBody({
  clock,
  discarded,
  request,
  response,
}: BodySource): AsyncGenerator<readonly Uint8Array[], void> {
  if (request.headers.expect !== undefined) response.writeContinue();
  const stream = http2StreamOf(request) ?? request;
  const guard = new RateGuard(clock, () => {
    stream.destroy(new TahoeError('ERR_TIMEOUT', { what: 'the body', timeoutMs: BODY_RATE_INTERVAL_MS }));
  });
  const queue = new PieceQueue(stream);
  try {
    for (;;) {
      guard.waiting();
      const pieces = await queue.take();
      const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
      guard.received(size);
      if (pieces.length === 0) return;
      yield pieces;
      discarded?.(size);
    }
  } finally {
    guard.end();
    queue.release();
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
  for await (const arrived of readBody(source)) {
    size += arrived.reduce((sum, piece) => sum + piece.length, 0);
    if (size > sizeMax) throw messageTooLarge(sizeMax);
    pieces.push(...arrived);
  }
  return concat(...pieces);
}
