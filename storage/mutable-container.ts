/**
 * The file that holds a mutable share, versions 1 and 2. Big-endian.
 *
 *     0     32  magic: "Tahoe mutable container v1\n" or "…v2\n" and five bytes more
 *     32    20  node id of the server that recorded the write enabler
 *     52    32  write enabler
 *     84     8  data length
 *     92     8  offset of the extra leases
 *     100  368  four lease slots, 92 bytes each
 *     468    A  share data, and behind it what was data once or is room for more
 *     468+A  4  number of extra leases, then their records, 92 bytes each
 *
 * A lease record is owner number 4, expiry 4, renew secret 32, cancel secret 32, node id 20; owner number 0 is an
 * empty slot. Version 2 keeps BLAKE2b-256 of the secrets, version 1 the secrets. A file that lost a part of its
 * extra leases still has its data and the whole leases; one that lost data is damaged.
 * @see Tahoe-LAFS src/allmydata/storage/mutable.py, mutable_schema.py
 */
import { ByteReader, ByteWriter, concat, equalBytes, utf8 } from '#core/bytes.js';
import { isTahoeError, TahoeError } from '#core/errors.js';
import { encodeLeaseCount } from './container.js';
import type { ContainerVersion, LeaseRecord } from './container.js';

/** Header and lease slots: bytes in front of the share. */
export const MUTABLE_DATA_OFFSET = 468;
/** The lease slots in the header. */
export const LEASE_SLOT_COUNT = 4;
/** One lease, in bytes. */
export const MUTABLE_LEASE_SIZE = 92;
/** Where in a lease record the expiry stands. */
export const MUTABLE_EXPIRY_OFFSET = 4;
/** Where the data length stands, and behind it the offset of the extra leases. */
export const MUTABLE_LENGTHS_OFFSET = 84;
/** The number in front of the extra leases, in bytes. */
export const EXTRA_COUNT_SIZE = 4;

const SLOTS_OFFSET = 100;
const MAGIC_SIZE = 32;
const NODE_ID_SIZE = 20;
const SECRET_SIZE = 32;
const WRITTEN_VERSION = 2;

const magics: readonly (readonly [ContainerVersion, Uint8Array])[] = [
  [1, concat(utf8('Tahoe mutable container v1\n'), Uint8Array.of(0x75, 0x09, 0x44, 0x03, 0x8e))],
  // Five bytes of the tagged hash of the line in front of them.
  [2, concat(utf8('Tahoe mutable container v2\n'), Uint8Array.of(0xc3, 0x55, 0x21, 0x99, 0x25))],
];

/** Where things are in one container, and what opens it. Offsets and sizes in bytes. */
export interface MutableShape {
  readonly version: ContainerVersion;
  /** 20 bytes: whom the write enabler was told. */
  readonly nodeId: Uint8Array;
  /** 32 bytes. */
  readonly writeEnabler: Uint8Array;
  readonly dataLength: number;
  readonly extraOffset: number;
}

/** A lease as it stands in a container. */
export interface MutableLease extends LeaseRecord {
  /** 20 bytes: the server that made the lease. */
  readonly nodeId: Uint8Array;
}

/** A new container without data and leases, 472 bytes, in the version that is written. */
export function encodeMutableContainer(nodeId: Uint8Array, writeEnabler: Uint8Array): Uint8Array {
  const magic = magics.find(([version]) => version === WRITTEN_VERSION)?.[1] ?? new Uint8Array(MAGIC_SIZE);
  return new ByteWriter()
    .bytes(magic)
    .bytes(nodeId)
    .bytes(writeEnabler)
    .bytes(encodeLengths(0, MUTABLE_DATA_OFFSET))
    .bytes(new Uint8Array(LEASE_SLOT_COUNT * MUTABLE_LEASE_SIZE + EXTRA_COUNT_SIZE))
    .finish();
}

/** Data length and offset of the extra leases as the header holds them, 16 bytes. */
export function encodeLengths(dataLength: number, extraOffset: number): Uint8Array {
  return new ByteWriter().uint64(dataLength).uint64(extraOffset).finish();
}

/**
 * The shape of the container that begins with `head` and is `fileSize` bytes long.
 * @param head - the first 468 bytes, or all where there are fewer.
 * @throws ERR_CONTAINER when it is no mutable container of version 1 or 2, or a part of its data is missing.
 */
export function decodeMutableShape(head: Uint8Array, fileSize: number): MutableShape {
  if (fileSize < MUTABLE_DATA_OFFSET || head.length < MUTABLE_DATA_OFFSET) throw damaged('it is shorter than a header');
  const reader = new ByteReader(head);
  const magic = reader.bytes(MAGIC_SIZE);
  const version = magics.find(([, known]) => equalBytes(known, magic))?.[0];
  if (version === undefined) throw damaged('it is no mutable container of version 1 or 2');
  const nodeId = reader.bytes(NODE_ID_SIZE);
  const writeEnabler = reader.bytes(SECRET_SIZE);
  const [dataLength, extraOffset] = decodeLengths(reader);
  const dataEnd = MUTABLE_DATA_OFFSET + dataLength;
  if (dataEnd > fileSize) throw damaged('its data is cut short');
  if (dataEnd > extraOffset) throw damaged('its extra leases lie in its data');
  if (extraOffset > fileSize) throw damaged('its extra leases lie behind its end');
  return { version, nodeId, writeEnabler, dataLength, extraOffset };
}

function decodeLengths(reader: ByteReader): [dataLength: number, extraOffset: number] {
  try {
    return [reader.uint64(), reader.uint64()];
  } catch (error) {
    if (isTahoeError(error, 'ERR_SHARE_LAYOUT')) throw damaged('its data length or lease offset is beyond 2^53');
    throw error;
  }
}

/** Where in the file a lease record stands. @param index - 0 … 3 in the header, from 4 on among the extra leases. */
export function leaseRecordOffset(index: number, extraOffset: number): number {
  if (index < LEASE_SLOT_COUNT) return SLOTS_OFFSET + index * MUTABLE_LEASE_SIZE;
  return extraOffset + EXTRA_COUNT_SIZE + (index - LEASE_SLOT_COUNT) * MUTABLE_LEASE_SIZE;
}

/** One lease record, 92 bytes. */
export function encodeMutableLease(lease: MutableLease): Uint8Array {
  return new ByteWriter()
    .uint32(lease.ownerNumber)
    .uint32(lease.expirySeconds)
    .bytes(lease.renewSecret)
    .bytes(lease.cancelSecret)
    .bytes(lease.nodeId)
    .finish();
}

/**
 * The lease of one record, undefined for an empty slot; secrets and node id are views of it.
 * @throws ERR_TRUNCATED when there are fewer than 92 bytes.
 */
export function decodeMutableLease(record: Uint8Array): MutableLease | undefined {
  const reader = new ByteReader(record);
  const ownerNumber = reader.uint32();
  const lease = {
    ownerNumber,
    expirySeconds: reader.uint32(),
    renewSecret: reader.bytes(SECRET_SIZE),
    cancelSecret: reader.bytes(SECRET_SIZE),
    nodeId: reader.bytes(NODE_ID_SIZE),
  };
  return ownerNumber === 0 ? undefined : lease;
}

/**
 * The extra leases as they stand in the file: their number and as many records.
 * @param found - what the file has at their offset: less where it was cut, which lowers the number.
 */
export function wholeExtraLeases(found: Uint8Array): Uint8Array {
  const counted = found.length < EXTRA_COUNT_SIZE ? 0 : new ByteReader(found).uint32();
  const there = Math.max(0, Math.floor((found.length - EXTRA_COUNT_SIZE) / MUTABLE_LEASE_SIZE));
  const count = Math.min(counted, there);
  const records = found.subarray(EXTRA_COUNT_SIZE, EXTRA_COUNT_SIZE + count * MUTABLE_LEASE_SIZE);
  return concat(encodeLeaseCount(count), records);
}

/**
 * All lease slots in order, the four of the header and the extra ones; undefined where one is empty.
 * @param head - the first 468 bytes.
 * @param extraLeases - as `wholeExtraLeases` gives them.
 */
export function decodeLeaseSlots(head: Uint8Array, extraLeases: Uint8Array): (MutableLease | undefined)[] {
  const slots = concat(head.subarray(SLOTS_OFFSET, MUTABLE_DATA_OFFSET), extraLeases.subarray(EXTRA_COUNT_SIZE));
  return Array.from({ length: slots.length / MUTABLE_LEASE_SIZE }, (_, slot) =>
    decodeMutableLease(slots.subarray(slot * MUTABLE_LEASE_SIZE, (slot + 1) * MUTABLE_LEASE_SIZE)),
  );
}

function damaged(reason: string): TahoeError {
  return new TahoeError('ERR_CONTAINER', { reason });
}
