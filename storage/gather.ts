/**
 * Gathers the small pieces in which a body arrives (16 KiB from TLS) into batches fit for one write to disk.
 *
 * The pieces are copied into two arrays in turn: one is filled while the other is being written. That is one copy
 * of memory more and costs less than handing dozens of pieces to the system at once. Batches are smaller when many
 * bodies arrive together, so that all of them hold a bounded amount of memory.
 */

/** The largest batch, in bytes. */
export const BATCH_SIZE_MAX = 256 * 1024;
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
 * @returns each batch as one array, which stays as it is until the batch after the next is begun.
 */
export async function* gather(body: AsyncIterable<Uint8Array>, targetSize: () => number): AsyncGenerator<Uint8Array> {
  let [batch, other] = [new Uint8Array(0), new Uint8Array(0)];
  let size = 0;
  for await (const piece of body) {
    for (let taken = 0; taken < piece.length;) {
      if (size === 0) batch = fitting(batch, targetSize());
      const room = piece.subarray(taken, taken + batch.length - size);
      batch.set(room, size);
      taken += room.length;
      size += room.length;
      if (size < batch.length) continue;
      yield batch;
      [batch, other] = [other, batch];
      size = 0;
    }
  }
  if (size > 0) yield batch.subarray(0, size);
}

/** `batch` if it has that size, else a new array. */
function fitting(batch: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> {
  return batch.length === size ? batch : new Uint8Array(size);
}
