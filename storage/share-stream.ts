/**
 * A range of a share as a stream for a reply: one piece is read when the one before it was taken, and the share is
 * closed when the stream ends in whatever way. A reader that takes nothing for ten minutes is cut.
 */
import { Readable } from 'node:stream';
import type { Clock } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import type { ByteRange } from '#wire/storage.js';
import type { OpenShare } from './share-store.js';

/** How much is read from the disk at a time, in bytes. */
export const READ_PIECE_SIZE = 256 * 1024;
/** How long a reader may take nothing, in milliseconds. */
export const READ_STALL_TIMEOUT_MS = 10 * 60_000;

/** Streams `range` of a share that it owns. */
export class ShareStream extends Readable {
  readonly #share: OpenShare;
  readonly #clock: Clock;
  readonly #discarded: (sizeBytes: number) => void;
  readonly #end: number;
  #offset: number;
  #cancelTimer: () => void = () => undefined;

  /**
   * @param range - inside the share.
   * @param discarded - is told of pieces that are garbage soon, in bytes.
   */
  constructor(share: OpenShare, range: ByteRange, clock: Clock, discarded: (sizeBytes: number) => void) {
    super({ highWaterMark: READ_PIECE_SIZE });
    this.#share = share;
    this.#clock = clock;
    this.#discarded = discarded;
    this.#offset = range.begin;
    this.#end = range.end;
    this.#startTimer();
  }

  override _read(): void {
    this.#cancelTimer();
    this.#readPiece().then(
      (piece) => {
        this.#startTimer();
        this.push(piece);
      },
      (error: unknown) => {
        this.destroy(error instanceof Error ? error : new Error(String(error)));
      },
    );
  }

  async #readPiece(): Promise<Uint8Array | null> {
    const size = Math.min(READ_PIECE_SIZE, this.#end - this.#offset);
    if (size === 0) return null;
    const piece = await this.#share.read(this.#offset, size);
    this.#offset += piece.length;
    this.#discarded(piece.length);
    return piece;
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#cancelTimer();
    this.#share.close().then(
      () => {
        callback(error);
      },
      (closeError: unknown) => {
        callback(error ?? (closeError instanceof Error ? closeError : null));
      },
    );
  }

  #startTimer(): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#clock.schedule(READ_STALL_TIMEOUT_MS, () => {
      this.destroy(new TahoeError('ERR_TIMEOUT', { what: 'the reader', timeoutMs: READ_STALL_TIMEOUT_MS }));
    });
  }
}
