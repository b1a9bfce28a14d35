/**
 * Gathers the small pieces in which a body arrives (16 KiB from TLS) into batches fit for one write to disk.
 *
 * The pieces are copied into two arrays in turn: one is filled while the other is being written. That is one copy
 * of memory more and costs less than handing dozens of pieces to the system at once. Batches are smaller when many
 * bodies arrive together, so that all of them hold a bounded amount of memory.
 */

import type { BodyPieces } from './share-store.js';

/** The largest batch, in bytes. */
export const BATCH_SIZE_MAX = 512 * 1024;
/** What the batches of all bodies may add up to, in bytes; each body has one being filled and one being written. */
export const BATCH_BUDGET = 8 * 1024 * 1024;
/** No batch is asked to be smaller, in bytes. */
const BATCH_SIZE_MIN = 16 * 1024;
/** How large batches should be while `bodyCount` bodies arrive, in bytes. */
export function batchSize(bodyCount: number): number {
  return Math.max(BATCH_SIZE_MIN, Math.min(BATCH_SIZE_MAX, Math.floor(BATCH_BUDGET / Math.max(1, bodyCount))));
}

/**
 * The body in batches; the last one is what is left.
 * @param targetSize - asked at the beginning of each batch: how large it should be, in bytes.
 * @param pair - what the batches are made in; released by the caller, once the last batch was written.
 * @returns each batch as one array, which stays as it is until the batch after the next is begun.
 */
export async function* gather(body: BodyPieces, targetSize: () => number, pair: BatchPair): AsyncGenerator<Uint8Array> {
  let batch = new Uint8Array(0);
  let size = 0;
  for await (const arrived of body) {
    for (const piece of arrived instanceof Uint8Array ? [arrived] : arrived) {
      for (let taken = 0; taken < piece.length;) {
        if (size === 0) batch = pair.next(targetSize());
        const room = piece.subarray(taken, taken + batch.length - size);
        batch.set(room, size);
        taken += room.length;
        size += room.length;
        if (size < batch.length) continue;
        yield batch;
        size = 0;
      }
    }
  }
  if (size > 0) yield batch.subarray(0, size);
}

/** Arrays of the largest batch size that were written and may be filled again: new memory has to be cleared first. */
export class BatchPool {
  readonly #free: ArrayBuffer[] = [];
  /** Arrays of that size that are in use or free. */
  #count = 0;

  /** An array of `size` bytes, of any content. */
  take(size: number): Uint8Array<ArrayBuffer> {
    const free = this.#free.pop();
    if (free !== undefined) return new Uint8Array(free, 0, size);
    if (size < BATCH_SIZE_MIN || (this.#count + 1) * BATCH_SIZE_MAX > BATCH_BUDGET) return new Uint8Array(size);
    this.#count += 1;
    return new Uint8Array(new ArrayBuffer(BATCH_SIZE_MAX), 0, size);
  }

  /** Takes back an array that nobody reads any more. */
  giveBack({ buffer }: Uint8Array<ArrayBuffer>): void {
    if (buffer.byteLength === BATCH_SIZE_MAX) this.#free.push(buffer);
  }
}

/** Two arrays in turn, from a pool. */
export class BatchPair {
  readonly #pool: BatchPool;
  #current = new Uint8Array(0);
  #previous = new Uint8Array(0);

  constructor(pool: BatchPool) {
    this.#pool = pool;
  }

  /** The array that is not being written, of `size` bytes. */
  next(size: number): Uint8Array<ArrayBuffer> {
    const [writing, written] = [this.#current, this.#previous];
    this.#previous = writing;
    this.#current = written.length === size ? written : this.#pool.take(size);
    if (this.#current !== written) this.#pool.giveBack(written);
    return this.#current;
  }

  /** Gives both back: nothing is being written any more. */
  release(): void {
    this.#pool.giveBack(this.#current);
    this.#pool.giveBack(this.#previous);
    this.#current = this.#previous = new Uint8Array(0);
  }
}
