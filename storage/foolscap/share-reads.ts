/**
 * Reads for peers over Foolscap, whose answers are made in memory. Large ones of one peer are made one after the other, each
 * when the last has mostly left; all together stay within a budget.
 */
import { TahoeError } from '#core/errors.js';
import type { PeerConnection } from '#wire/foolscap/tub.js';
import type { ReadVector } from '#wire/storage-mutable.js';
import { MemoryBudget } from '../memory-budget.js';
import { READ_REPLY_SIZE_MAX } from '../share-store.js';
import type { OpenShare } from '../share-store.js';

/** What all answers that are being made hold, in bytes. */
export const FOOLSCAP_READ_MEMORY_MAX = 128 << 20;
/** An answer up to this size is made at once, in bytes. */
const SMALL_SIZE_MAX = 64 * 1024;

/** A share that was opened, and what is to be read of it. */
export interface ShareRead {
  readonly share: OpenShare;
  readonly vectors: readonly ReadVector[];
}

/** The reads of one server. */
export class ShareReads {
  readonly #budget = new MemoryBudget(FOOLSCAP_READ_MEMORY_MAX);
  readonly #turns = new WeakMap<PeerConnection, Promise<unknown>>();

  /** @throws ERR_TOO_LARGE, ERR_BUSY, ERR_DISK, ERR_CONTAINER. @returns for each share what each vector gives. */
  async read(reads: readonly ShareRead[], peer: PeerConnection): Promise<Uint8Array[][]> {
    const size = reads.reduce((sum, read) => sum + sizeOf(read), 0);
    if (size > READ_REPLY_SIZE_MAX) {
      throw new TahoeError('ERR_TOO_LARGE', { what: 'answer', limitBytes: READ_REPLY_SIZE_MAX });
    }
    if (size <= SMALL_SIZE_MAX) return readAll(reads);
    const turn = (this.#turns.get(peer) ?? Promise.resolve()).then(() => this.#readLarge(reads, size, peer));
    this.#turns.set(
      peer,
      turn.catch(() => undefined),
    );
    return turn;
  }

  async #readLarge(reads: readonly ShareRead[], size: number, peer: PeerConnection): Promise<Uint8Array[][]> {
    await peer.room();
    const memory = this.#budget.open();
    try {
      memory.grow(size);
      return await readAll(reads);
    } finally {
      memory.release();
    }
  }
}

function sizeOf({ share, vectors }: ShareRead): number {
  return vectors.reduce((sum, vector) => sum + clipped(share, vector), 0);
}

function clipped(share: OpenShare, { offset, size }: ReadVector): number {
  return Math.max(0, Math.min(size, share.size - offset));
}

async function readAll(reads: readonly ShareRead[]): Promise<Uint8Array[][]> {
  const all: Uint8Array[][] = [];
  for (const { share, vectors } of reads) {
    const pieces: Uint8Array[] = [];
    for (const vector of vectors) {
      const size = clipped(share, vector);
      pieces.push(size === 0 ? new Uint8Array(0) : await share.read(vector.offset, size));
    }
    all.push(pieces);
  }
  return all;
}
