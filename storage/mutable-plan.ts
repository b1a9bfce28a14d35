/**
 * What a write does to a mutable container, as a list of edits to its file. Pure: sizes, leases and vectors in,
 * edits out, the same bytes as the reference leaves.
 *
 * Data that grows over the extra leases moves them behind itself: their old place is zeroed and they are written
 * anew. A gap between old and new data is zeroed. Containers never shrink: a cut only changes the data length, and
 * what was cut stays in the file until something is written over it.
 * @see Tahoe-LAFS src/allmydata/storage/mutable.py
 */
import type { CryptoProvider } from '#core/crypto.js';
import { TahoeError } from '#core/errors.js';
import type { WriteVector } from '#wire/storage-mutable.js';
import { encodeExpiry, encodeLeaseCount } from './container.js';
import { contentOf } from './content.js';
import type { Content } from './content.js';
import { changeForLease } from './leases.js';
import {
  encodeLengths,
  encodeMutableLease,
  LEASE_SLOT_COUNT,
  leaseRecordOffset,
  MUTABLE_DATA_OFFSET,
  MUTABLE_EXPIRY_OFFSET,
  MUTABLE_LENGTHS_OFFSET,
} from './mutable-container.js';
import type { MutableLease } from './mutable-container.js';
import { LEASE_COUNT_MAX } from './share-store.js';

/** Bytes that go to a place in the file, or zeros. */
export type Edit =
  { readonly offset: number; readonly content: Content } | { readonly offset: number; readonly zeroCount: number };

/** A container before or after edits. Offsets and sizes in bytes. */
export interface MutableState {
  readonly fileSize: number;
  readonly dataLength: number;
  readonly extraOffset: number;
  /** Their number and their records, byte for byte. */
  readonly extraLeases: Uint8Array;
  /** All lease slots, undefined where one is empty. */
  readonly leases: readonly (MutableLease | undefined)[];
}

/** Collects the edits of one request to one share. */
export class MutablePlan {
  readonly edits: Edit[] = [];
  readonly #before: MutableState;
  #fileSize: number;
  #dataLength: number;
  #extraOffset: number;

  constructor(before: MutableState) {
    this.#before = before;
    this.#fileSize = before.fileSize;
    this.#dataLength = before.dataLength;
    this.#extraOffset = before.extraOffset;
  }

  /** The size of the file after the edits. */
  get fileSize(): number {
    return this.#fileSize;
  }

  get dataLength(): number {
    return this.#dataLength;
  }

  /** Writes all vectors in order, then cuts the data to `newLength` where it is longer. */
  write(writes: readonly WriteVector<Content>[], newLength: number | undefined): void {
    for (const { offset, data } of writes) this.#writeOne(offset, data);
    if (this.#extraOffset !== this.#before.extraOffset) {
      this.#put(this.#extraOffset, contentOf(this.#before.extraLeases));
    }
    if (newLength !== undefined && newLength < this.#dataLength) this.#dataLength = newLength;
    if (this.#dataLength === this.#before.dataLength && this.#extraOffset === this.#before.extraOffset) return;
    this.#put(MUTABLE_LENGTHS_OFFSET, contentOf(encodeLengths(this.#dataLength, this.#extraOffset)));
  }

  #writeOne(offset: number, data: Content): void {
    const end = offset + data.size;
    if (end >= this.#dataLength) {
      this.#moveExtraLeases(MUTABLE_DATA_OFFSET + end);
      // What lies behind the end of the file as it was is zero already: nothing else was written there.
      const gapEnd = Math.min(MUTABLE_DATA_OFFSET + offset, this.#before.fileSize);
      this.#zero(MUTABLE_DATA_OFFSET + this.#dataLength, gapEnd);
      this.#dataLength = end;
    }
    if (data.size > 0) this.#put(MUTABLE_DATA_OFFSET + offset, data);
  }

  /** Makes room for data up to `end`. The leases are written to their new place when all data are in theirs. */
  #moveExtraLeases(end: number): void {
    if (end <= this.#extraOffset) return;
    const { extraLeases, extraOffset } = this.#before;
    if (this.#extraOffset === extraOffset) this.#zero(extraOffset, extraOffset + extraLeases.length);
    this.#extraOffset = end;
  }

  /**
   * Renews the lease of the same renew secret, else puts the lease into the first empty slot or a new one. Once, and
   * after the writes.
   * @throws ERR_TOO_MANY when there is no room for a new one.
   */
  keepLease(crypto: CryptoProvider, lease: MutableLease): void {
    const held = [...this.#before.leases.entries()].flatMap(([slot, each]) =>
      each === undefined ? [] : [{ slot, ...each }],
    );
    const change = changeForLease(crypto, held, lease);
    if (change.kind === 'none') return;
    if (change.kind === 'append') {
      this.#addLease(lease);
      return;
    }
    const slot = held[change.index]?.slot ?? 0;
    const offset = leaseRecordOffset(slot, this.#extraOffset) + MUTABLE_EXPIRY_OFFSET;
    this.#put(offset, contentOf(encodeExpiry(change.expirySeconds)));
  }

  #addLease(lease: MutableLease): void {
    const { leases } = this.#before;
    const empty = leases.indexOf(undefined);
    const slot = empty < 0 ? leases.length : empty;
    if (slot >= LEASE_COUNT_MAX)
      throw new TahoeError('ERR_TOO_MANY', { what: 'leases on a share', limit: LEASE_COUNT_MAX });
    this.#put(leaseRecordOffset(slot, this.#extraOffset), contentOf(encodeMutableLease(lease)));
    // Counted last: a lease that was cut off in between is none.
    if (empty < 0) this.#put(this.#extraOffset, contentOf(encodeLeaseCount(slot + 1 - LEASE_SLOT_COUNT)));
  }

  #put(offset: number, content: Content): void {
    this.edits.push({ offset, content });
    this.#fileSize = Math.max(this.#fileSize, offset + content.size);
  }

  #zero(begin: number, end: number): void {
    if (end > begin) this.edits.push({ offset: begin, zeroCount: end - begin });
  }
}
