/**
 * What one share still has to send: bytes come in as blocks of any size, are copied into chunks of one size, and go
 * out as whole chunks, the last one shorter.
 *
 * Copying costs far less than it saves: a block is free again at once, and a chunk is large enough to be worth a
 * write to a socket. Chunks are used again, so an upload makes only as many as it ever holds at a time.
 */

/** The arrays of one upload that nobody uses, all of one size. */
export class ChunkPool {
  /** In bytes. */
  readonly chunkSize: number;
  readonly #free: Uint8Array[] = [];

  /** @param chunkSize - in bytes. */
  constructor(chunkSize: number) {
    this.chunkSize = chunkSize;
  }

  /** An array of `chunkSize` bytes, of any content. */
  take(): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(this.chunkSize);
  }

  /** Takes back a chunk, whole or a view of one, that nobody reads any more. */
  giveBack(chunk: Uint8Array): void {
    this.#free.push(new Uint8Array(chunk.buffer, 0, this.chunkSize));
  }
}

/** The chunks of one share, in order. */
export class ShareQueue {
  readonly #pool: ChunkPool;
  readonly #full: Uint8Array[] = [];
  #filling: Uint8Array | undefined;
  #filled = 0;
  #missing: number;

  /** @param size - how many bytes the share has in all. */
  constructor(pool: ChunkPool, size: number) {
    this.#pool = pool;
    this.#missing = size;
  }

  /** How many chunks are ready to be taken. */
  get length(): number {
    return this.#full.length;
  }

  /** Whether every byte of the share was pushed. */
  get ended(): boolean {
    return this.#missing === 0;
  }

  /** Copies the share's next bytes. @throws RangeError when the share has fewer. */
  push(bytes: Uint8Array): void {
    if (bytes.length > this.#missing) throw new RangeError('more bytes than the share has');
    this.#missing -= bytes.length;
    for (let taken = 0; taken < bytes.length;) {
      const chunk = (this.#filling ??= this.#pool.take());
      const part = bytes.subarray(taken, taken + chunk.length - this.#filled);
      chunk.set(part, this.#filled);
      taken += part.length;
      this.#filled += part.length;
      if (this.#filled === chunk.length) this.#close(chunk);
    }
    if (this.ended && this.#filling !== undefined) this.#close(this.#filling);
  }

  /** The next `count` chunks, or as many as there are. They go back to the pool when they were sent. */
  take(count: number): Uint8Array[] {
    return this.#full.splice(0, count);
  }

  #close(chunk: Uint8Array): void {
    this.#full.push(chunk.subarray(0, this.#filled));
    this.#filling = undefined;
    this.#filled = 0;
  }
}
