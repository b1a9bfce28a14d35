/**
 * A mutable share whose file is open: what it holds, and the state that a plan of edits begins from.
 * @see mutable-container.ts, mutable-plan.ts
 */
import { equalBytes } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';
import type { ReadVector, TestVector } from '#wire/storage-mutable.js';
import { forEachPiece } from './content.js';
import type { Content } from './content.js';
import {
  decodeLeaseSlots,
  decodeMutableShape,
  EXTRA_COUNT_SIZE,
  LEASE_SLOT_COUNT,
  MUTABLE_DATA_OFFSET,
  MUTABLE_LEASE_SIZE,
  wholeExtraLeases,
} from './mutable-container.js';
import type { MutableShape } from './mutable-container.js';
import type { MutableState } from './mutable-plan.js';
import type { ShareFile } from './share-files.js';
import { LEASE_COUNT_MAX } from './share-store.js';
import type { OpenShare } from './share-store.js';

/** As much of a file is read when it is opened, in bytes: most mutable shares are no larger. */
export const MUTABLE_HEAD_SIZE = 4096;
/** What the extra leases take at most, in bytes. */
const EXTRA_SIZE_MAX = EXTRA_COUNT_SIZE + (LEASE_COUNT_MAX - LEASE_SLOT_COUNT) * MUTABLE_LEASE_SIZE;

/** An open mutable share. Whoever has it closes it. */
export class MutableShare implements OpenShare {
  readonly shape: MutableShape;
  readonly file: ShareFile;
  readonly #head: Uint8Array;

  /**
   * @param file - owned by the share when this returns.
   * @param head - the first bytes of the file, 468 at least: what lies in them is not read again.
   * @throws ERR_CONTAINER when it is damaged.
   */
  constructor(file: ShareFile, head: Uint8Array) {
    this.shape = decodeMutableShape(head, file.size);
    this.file = file;
    this.#head = head;
  }

  get size(): number {
    return this.shape.dataLength;
  }

  async read(offset: number, size: number, room?: Uint8Array): Promise<Uint8Array> {
    const wanted = this.clippedSize({ offset, size });
    if (wanted === 0) return new Uint8Array(0);
    return this.#readFile(MUTABLE_DATA_OFFSET + offset, wanted, room);
  }

  readNow(offset: number, size: number): Uint8Array | undefined {
    const begin = MUTABLE_DATA_OFFSET + offset;
    if (offset + size > this.size) return undefined;
    if (begin + size <= this.#head.length) return this.#head.subarray(begin, begin + size);
    return this.file.readNow?.(begin, size);
  }

  /** All bytes of the file. @throws as `read`. */
  whole(): Promise<Uint8Array> {
    return this.#readFile(0, this.file.size);
  }

  async #readFile(offset: number, size: number, room?: Uint8Array): Promise<Uint8Array> {
    if (offset + size <= this.#head.length) return this.#head.subarray(offset, offset + size);
    const bytes = await this.file.read(offset, size, room);
    if (bytes.length < size) throw new TahoeError('ERR_CONTAINER', { reason: 'it became shorter' });
    return bytes;
  }

  close(): Promise<void> {
    return this.file.close();
  }

  /** How much a read gives, in bytes. */
  clippedSize({ offset, size }: ReadVector): number {
    return Math.max(0, Math.min(size, this.size - offset));
  }

  /** Whether the bytes there are those of the specimen. */
  async passes(test: TestVector<Content>): Promise<boolean> {
    if (this.clippedSize(test) !== test.specimen.size) return false;
    let isEqual = true;
    await forEachPiece(test.specimen, async (piece, position) => {
      isEqual &&= equalBytes(piece, await this.read(test.offset + position, piece.length));
    });
    return isEqual;
  }

  /** The container before any edit. */
  async state(): Promise<MutableState> {
    const { dataLength, extraOffset } = this.shape;
    const extraSize = Math.max(0, Math.min(this.file.size - extraOffset, EXTRA_SIZE_MAX));
    const extraLeases = wholeExtraLeases(await this.#readFile(extraOffset, extraSize));
    const leases = decodeLeaseSlots(this.#head, extraLeases);
    return { fileSize: this.file.size, dataLength, extraOffset, extraLeases, leases };
  }
}
