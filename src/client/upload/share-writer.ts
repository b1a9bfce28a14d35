/**
 * Sends one share to one server, in order, while its bytes are still being made.
 *
 * To a server that likes it the share goes as one long request, whose body is made as the server takes it; to others
 * in batches, one request each, while the next batch fills. `hasRoom` is the back-pressure: whoever feeds all shares
 * of a file waits until each has room, so that memory is bounded by the slowest server, not by the file.
 */
import { reasonOf, TahoeError } from '#core/errors.js';
import type { ShareReservation } from './selection.js';
import { ShareQueue } from './share-queue.js';
import type { ChunkPool } from './share-queue.js';

const ABORT_TIMEOUT_MS = 15_000;
/** The most bytes of one long request: as much is sent again when one fails that may be taken up later. */
const STREAM_SIZE_MAX = 64 << 20;

/** What a share is made of, and how much of it may wait. */
export interface ShareWriterOptions {
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  readonly reservation: ShareReservation;
  /** In bytes. */
  readonly shareSize: number;
  readonly pool: ChunkPool;
  /** How many chunks may be held, on their way or waiting; at least 2. */
  readonly chunkCountMax: number;
  /** Called whenever `hasRoom`, `complete` or `failure` may have changed. */
  readonly changed: () => void;
}

/** A share on its way to a server. */
export class ShareWriter {
  readonly reservation: ShareReservation;
  readonly #options: ShareWriterOptions;
  readonly #queue: ShareQueue;
  readonly #cancel = new AbortController();
  #heldCount = 0;
  #offset = 0;
  #complete = false;
  #failure: Error | undefined;
  #wake: () => void = () => undefined;

  constructor(options: ShareWriterOptions) {
    this.#options = options;
    this.reservation = options.reservation;
    this.#queue = new ShareQueue(options.pool, options.shareSize);
    this.#sendAll().catch((error: unknown) => {
      this.#fail(error);
    });
  }

  /** Whether another block may be pushed. */
  get hasRoom(): boolean {
    return this.#queue.length + this.#heldCount < this.#options.chunkCountMax;
  }

  /** Whether the server said that the whole share is safe. */
  get complete(): boolean {
    return this.#complete;
  }

  /** Why this share is lost, once it is. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Appends bytes to the share; they are copied. */
  push(bytes: Uint8Array): void {
    if (this.#failure !== undefined) return;
    this.#queue.push(bytes);
    if (this.#queue.length > 0) this.#wake();
  }

  /** Gives the share up: stops what is under way and tells the server. */
  async abandon(reason: string): Promise<void> {
    if (this.#complete) return;
    this.#fail(
      new TahoeError('ERR_CANCELLED', { what: `the share on ${this.reservation.server.shortName} (${reason})` }),
    );
    this.#cancel.abort();
    const { server, shareNumber, uploadSecret } = this.reservation;
    await server
      .abort(this.#options.storageIndex, shareNumber, uploadSecret, { timeoutMs: ABORT_TIMEOUT_MS })
      .catch(() => undefined);
  }

  async #sendAll(): Promise<void> {
    const { shareSize } = this.#options;
    let complete = false;
    while (this.#offset < shareSize) {
      await this.#until(() => this.#queue.length > 0);
      ({ complete } = (await this.#stream()) ?? (await this.#sendBatch()));
    }
    if (!complete) throw this.#replyError('it does not call the share complete after its last byte');
    this.#complete = true;
    this.#options.changed();
  }

  /** One long request. @returns undefined when the server would rather have batches now. */
  async #stream(): Promise<{ complete: boolean } | undefined> {
    const { storageIndex, shareSize } = this.#options;
    const { server, shareNumber, uploadSecret } = this.reservation;
    const range = { begin: this.#offset, end: Math.min(shareSize, this.#offset + this.#streamSizeMax()) };
    const chunks = this.#chunksUntil(range.end);
    const options = { signal: this.#cancel.signal };
    return server.streamWrite(storageIndex, shareNumber, uploadSecret, range, chunks, options);
  }

  /** A whole number of chunks, so that none is cut in two. */
  #streamSizeMax(): number {
    const { chunkSize } = this.#options.pool;
    return Math.floor(STREAM_SIZE_MAX / chunkSize) * chunkSize;
  }

  /** The chunks up to `end`, as they become ready; each is used again once the one after it is asked for. */
  async *#chunksUntil(end: number): AsyncGenerator<Uint8Array> {
    while (this.#offset < end) {
      await this.#until(() => this.#queue.length > 0);
      const sent = this.#hold(1);
      for (const chunk of sent) yield chunk;
      this.#release(sent);
    }
  }

  /** One request with as much as may be held while as much again is made ready. */
  async #sendBatch(): Promise<{ complete: boolean }> {
    const { storageIndex, chunkCountMax } = this.#options;
    const { server, shareNumber, uploadSecret } = this.reservation;
    const count = Math.floor(chunkCountMax / 2);
    await this.#until(() => this.#queue.length >= count || this.#queue.ended);
    const begin = this.#offset;
    const parts = this.#hold(count);
    const options = { signal: this.#cancel.signal };
    const reply = await server.write(storageIndex, shareNumber, uploadSecret, begin, parts, options);
    this.#release(parts);
    return reply;
  }

  /** Takes chunks off the queue, to be sent. */
  #hold(count: number): Uint8Array[] {
    const chunks = this.#queue.take(count);
    this.#heldCount += chunks.length;
    this.#offset += chunks.reduce((size, chunk) => size + chunk.length, 0);
    return chunks;
  }

  /** Gives chunks back that were sent. */
  #release(chunks: readonly Uint8Array[]): void {
    this.#heldCount -= chunks.length;
    for (const chunk of chunks) this.#options.pool.giveBack(chunk);
    this.#options.changed();
  }

  /** Waits for what `push` brings. @throws why the share is lost. */
  async #until(condition: () => boolean): Promise<void> {
    while (this.#failure === undefined && !condition()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  #replyError(reason: string): TahoeError {
    return new TahoeError('ERR_SERVER_REPLY', { server: this.reservation.server.shortName, what: 'a write', reason });
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(reasonOf(error));
    this.#wake();
    this.#options.changed();
  }
}
