/**
 * Gathers the small pieces in which a body arrives (16 KiB from TLS) into batches fit for one write to disk.
 *
 * Nothing is copied: a batch is a list of the pieces, for a vectored write. Batches are smaller when many bodies
 * arrive at once, so that all of them together hold a bounded amount of memory.
 */

/** The largest batch, in bytes. */
export const BATCH_SIZE_MAX = 256 * 1024;
/** What the batches of all bodies may add up to, in bytes; each body has one being filled and one being written. */
export const BATCH_BUDGET = 8 * 1024 * 1024;
/** No batch is asked to be smaller, in bytes. */
const BATCH_SIZE_MIN = 16 * 1024;
/** Pieces in one batch, so that a body in tiny pieces costs no more memory than its bytes. */
const BATCH_PARTS_MAX = 256;

/** Some consecutive bytes of a body, in pieces. */
export interface Batch {
  readonly parts: readonly Uint8Array[];
  readonly size: number;
}

/** How large batches should be while `bodyCount` bodies arrive, in bytes. */
export function batchSize(bodyCount: number): number {
  return Math.max(BATCH_SIZE_MIN, Math.min(BATCH_SIZE_MAX, Math.floor(BATCH_BUDGET / Math.max(1, bodyCount))));
}

/**
 * The body in batches; the last one is what is left.
 * @param targetSize - asked at each piece: at how many bytes a batch is large enough.
 */
export async function* gather(body: AsyncIterable<Uint8Array>, targetSize: () => number): AsyncGenerator<Batch> {
  let parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    if (part.length === 0) continue;
    parts.push(part);
    size += part.length;
    if (size < targetSize() && parts.length < BATCH_PARTS_MAX) continue;
    yield { parts, size };
    parts = [];
    size = 0;
  }
  if (size > 0) yield { parts, size };
}
