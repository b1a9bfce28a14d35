/**
 * What the index wants to know of a share file, immutable or mutable: which kind it is, where its data lie, when
 * its leases end. Pure: bytes of the header and of the lease area in, facts out; no secret leaves this module.
 *
 *     immutable   header 12, data, leases of 72 bytes (container.ts)
 *     mutable     magic 32, node id 20, write enabler 32, data length 8, offset of the extra leases 8,
 *                 four leases of 92 bytes, data from 468 on, at the offset: a count (4) and that many leases more
 *
 * A mutable lease is owner 4, expiry 4, secrets and node id; owner 0 is an empty slot. Whole leases that a cut
 * file still holds are kept; data that are cut are damage.
 * @see Tahoe-LAFS src/allmydata/storage/mutable.py, mutable_schema.py
 */
import { ByteReader, equalBytes, utf8 } from '#core/bytes.js';
import { isTahoeError, TahoeError } from '#core/errors.js';
import {
  CONTAINER_HEADER_SIZE,
  decodeContainerShape,
  isMutableContainer,
  LEASE_EXPIRY_OFFSET,
  LEASE_RECORD_SIZE,
} from '../container.js';

/** As many bytes of a file as its layout is decoded from. */
export const LAYOUT_HEAD_SIZE = 468;

const MUTABLE_DATA_OFFSET = 468;
const MUTABLE_LENGTH_OFFSET = 84;
const MUTABLE_SLOTS_OFFSET = 100;
const MUTABLE_SLOT_COUNT = 4;
const MUTABLE_LEASE_SIZE = 92;
const MUTABLE_EXPIRY_OFFSET = 4;
const EXTRA_COUNT_SIZE = 4;
/** The text of each version and the five bytes of its hash behind it. */
const MUTABLE_MAGICS = [
  Uint8Array.of(...utf8('Tahoe mutable container v1\n'), 0x75, 0x09, 0x44, 0x03, 0x8e),
  Uint8Array.of(...utf8('Tahoe mutable container v2\n'), 0xc3, 0x55, 0x21, 0x99, 0x25),
];

/** The two kinds of container. */
export type ShareKind = 'immutable' | 'mutable';

/** Where the data of a share begin in its file. */
export function dataOffsetOf(kind: ShareKind): number {
  return kind === 'immutable' ? CONTAINER_HEADER_SIZE : MUTABLE_DATA_OFFSET;
}

/** Where things are in one share file. Offsets and sizes in bytes. */
export interface ShareLayout {
  readonly kind: ShareKind;
  readonly dataOffset: number;
  readonly dataSize: number;
  /** When the leases of the header end, Unix seconds. */
  readonly headExpiries: readonly number[];
  /** Where the rest of the leases stands; it may be empty. */
  readonly tailOffset: number;
  readonly tailSize: number;
}

/** What is known of one share. */
export interface ShareFacts {
  readonly kind: ShareKind;
  readonly dataSize: number;
  /** When each lease ends, Unix seconds, in the order of the file. */
  readonly expiries: readonly number[];
}

/**
 * The layout of the share file that begins with `head` and is `fileSize` bytes long.
 * @param head - the first LAYOUT_HEAD_SIZE bytes, or the whole of a shorter file.
 * @throws ERR_CONTAINER when it is no container of a known version, or a part of its data is missing.
 */
export function decodeShareLayout(head: Uint8Array, fileSize: number): ShareLayout {
  if (isMutableContainer(head)) return mutableLayout(head, fileSize);
  const { dataSize, leaseCount, leaseOffset } = decodeContainerShape(head, fileSize);
  return {
    kind: 'immutable',
    dataOffset: leaseOffset - dataSize,
    dataSize,
    headExpiries: [],
    tailOffset: leaseOffset,
    tailSize: leaseCount * LEASE_RECORD_SIZE,
  };
}

/** The facts of a share. @param tail - the bytes at the layout's tailOffset, tailSize of them or fewer. */
export function readShareFacts(layout: ShareLayout, tail: Uint8Array): ShareFacts {
  const { kind, dataSize, headExpiries } = layout;
  const tailExpiries = kind === 'immutable' ? immutableExpiries(tail) : extraExpiries(tail);
  return { kind, dataSize, expiries: [...headExpiries, ...tailExpiries] };
}

function mutableLayout(head: Uint8Array, fileSize: number): ShareLayout {
  if (head.length < LAYOUT_HEAD_SIZE) throw damaged('it is shorter than the header of a mutable share');
  if (!MUTABLE_MAGICS.some((magic) => equalBytes(magic, head.subarray(0, magic.length)))) {
    throw damaged('it is no mutable container of version 1 or 2');
  }
  const [dataSize, extraOffset] = mutableSizes(head);
  if (extraOffset < MUTABLE_DATA_OFFSET + dataSize) throw damaged('its leases lie inside its data');
  if (extraOffset > fileSize) throw damaged('its data are cut short');
  const slots = head.subarray(MUTABLE_SLOTS_OFFSET, MUTABLE_SLOTS_OFFSET + MUTABLE_SLOT_COUNT * MUTABLE_LEASE_SIZE);
  return {
    kind: 'mutable',
    dataOffset: MUTABLE_DATA_OFFSET,
    dataSize,
    headExpiries: mutableExpiries(slots),
    tailOffset: extraOffset,
    tailSize: fileSize - extraOffset,
  };
}

/** The data length, and where the extra leases are. @throws ERR_CONTAINER beyond 2^53. */
function mutableSizes(head: Uint8Array): readonly [number, number] {
  const reader = new ByteReader(head.subarray(MUTABLE_LENGTH_OFFSET));
  try {
    return [reader.uint64(), reader.uint64()];
  } catch (error) {
    if (!isTahoeError(error)) throw error;
    throw damaged('its data cannot be as long as it says');
  }
}

function immutableExpiries(records: Uint8Array): number[] {
  return wholeRecords(records, LEASE_RECORD_SIZE).map((record) => uint32At(record, LEASE_EXPIRY_OFFSET));
}

function extraExpiries(tail: Uint8Array): number[] {
  if (tail.length < EXTRA_COUNT_SIZE) return [];
  const count = uint32At(tail, 0);
  const records = tail.subarray(EXTRA_COUNT_SIZE);
  return mutableExpiries(records.subarray(0, Math.min(records.length, count * MUTABLE_LEASE_SIZE)));
}

/** The expiries of the slots that are taken. */
function mutableExpiries(slots: Uint8Array): number[] {
  const taken = wholeRecords(slots, MUTABLE_LEASE_SIZE).filter((record) => uint32At(record, 0) !== 0);
  return taken.map((record) => uint32At(record, MUTABLE_EXPIRY_OFFSET));
}

function wholeRecords(bytes: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.floor(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}

function uint32At(bytes: Uint8Array, offset: number): number {
  return new ByteReader(bytes.subarray(offset)).uint32();
}

function damaged(reason: string): TahoeError {
  return new TahoeError('ERR_CONTAINER', { reason });
}
