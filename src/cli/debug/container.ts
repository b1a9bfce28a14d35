/**
 * The two containers that hold shares on a server's disk, as far as the debug commands show them. Big-endian.
 *
 *     immutable: 12 bytes (version, data length, number of leases), data, leases of 72 bytes
 *     mutable:   32 magic, 20 node id, 32 write enabler, 8 data size, 8 offset of extra leases,
 *                4 lease slots of 92 bytes, data at 468; at the offset: 4 bytes count, then leases of 92 bytes
 *
 * Version 1 of either keeps the secrets of leases, version 2 their hashes.
 * @see Tahoe-LAFS src/allmydata/storage/immutable.py, mutable.py, lease_schema.py (the fields)
 */
import { ByteReader, equalBytes, utf8 } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';

/** Where the data of an immutable container begins. */
export const IMMUTABLE_DATA_OFFSET = 12;
/** Where the lease slots of a mutable container begin. */
export const MUTABLE_LEASES_OFFSET = 100;
/** Where the data of a mutable container begins. */
export const MUTABLE_DATA_OFFSET = 468;
/** As many bytes of a file as tell which container it is, and all in front of the leases of either. */
export const CONTAINER_HEAD_SIZE = MUTABLE_LEASES_OFFSET;
const IMMUTABLE_LEASE_SIZE = 72;
const MUTABLE_LEASE_SIZE = 92;
const LEASE_SLOT_COUNT = 4;
const EXTRA_COUNT_SIZE = 4;
/** Leases of one share that are read. */
const LEASE_COUNT_MAX = 100_000;

/** What follows the magic's text, by version. */
const MUTABLE_MAGICS = [
  [1, new Uint8Array([0x75, 0x09, 0x44, 0x03, 0x8e])],
  [2, new Uint8Array([0xc3, 0x55, 0x21, 0x99, 0x25])],
] as const;

/** A lease as it is recorded. */
export interface StoredLease {
  /** Its place among the leases, from 0; in a mutable container places may be free. */
  readonly place: number;
  readonly ownerNumber: number;
  /** Unix seconds. */
  readonly expirySeconds: number;
  /** 32 bytes each: the secrets in version 1, their hashes in version 2. */
  readonly renewSecret: Uint8Array;
  readonly cancelSecret: Uint8Array;
  /** 20 bytes; empty in an immutable container. */
  readonly nodeId: Uint8Array;
}

/** The frame of an immutable share. */
export interface ImmutableContainer {
  readonly kind: 'immutable';
  readonly leaseCount: number;
  /** Where the leases begin and the data ends. */
  readonly leaseOffset: number;
}

/** The frame of a mutable share. */
export interface MutableContainer {
  readonly kind: 'mutable';
  readonly version: 1 | 2;
  readonly nodeId: Uint8Array;
  readonly writeEnabler: Uint8Array;
  readonly dataSize: number;
  readonly extraLeaseOffset: number;
}

/**
 * Reads the frame.
 * @param head - the first 100 bytes of the file, or fewer where it is shorter.
 * @returns undefined when it is neither container in a known version.
 * @throws ERR_CONTAINER when the leases would not fit into the file.
 */
export function decodeContainer(head: Uint8Array, fileSize: number): ImmutableContainer | MutableContainer | undefined {
  const version = MUTABLE_MAGICS.find(([version, tail]) => isMagic(head, version, tail))?.[0];
  if (version !== undefined) return decodeMutable(head, version, fileSize);
  if (head.length < IMMUTABLE_DATA_OFFSET) return undefined;
  const reader = new ByteReader(head);
  const immutableVersion = reader.uint32();
  if (immutableVersion !== 1 && immutableVersion !== 2) return undefined;
  reader.uint32();
  const leaseCount = reader.uint32();
  const leaseOffset = fileSize - leaseCount * IMMUTABLE_LEASE_SIZE;
  if (leaseOffset < IMMUTABLE_DATA_OFFSET) throw damaged(`it is too short for ${String(leaseCount)} leases`);
  return { kind: 'immutable', leaseCount, leaseOffset };
}

function isMagic(head: Uint8Array, version: number, tail: Uint8Array): boolean {
  const text = utf8(`Tahoe mutable container v${String(version)}\n`);
  return equalBytes(head.subarray(0, text.length), text) && equalBytes(head.subarray(text.length, 32), tail);
}

function decodeMutable(head: Uint8Array, version: 1 | 2, fileSize: number): MutableContainer {
  if (fileSize < MUTABLE_DATA_OFFSET + EXTRA_COUNT_SIZE) throw damaged('it ends before its data');
  const reader = new ByteReader(head.subarray(32));
  const [nodeId, writeEnabler] = [reader.bytes(20), reader.bytes(32)];
  const [dataSize, extraLeaseOffset] = [reader.uint64(), reader.uint64()];
  if (extraLeaseOffset < MUTABLE_DATA_OFFSET + dataSize || extraLeaseOffset + EXTRA_COUNT_SIZE > fileSize) {
    throw damaged('its leases do not lie behind its data');
  }
  return { kind: 'mutable', version, nodeId, writeEnabler, dataSize, extraLeaseOffset };
}

/** The range of an immutable container's leases. @throws ERR_CONTAINER when there are too many to show. */
export function immutableLeaseRange({ leaseCount, leaseOffset }: ImmutableContainer): [offset: number, size: number] {
  return [leaseOffset, checkedCount(leaseCount) * IMMUTABLE_LEASE_SIZE];
}

/** @param bytes - of the range that immutableLeaseRange gives. */
export function decodeImmutableLeases(bytes: Uint8Array): readonly StoredLease[] {
  return Array.from({ length: Math.floor(bytes.length / IMMUTABLE_LEASE_SIZE) }, (_, place) => {
    const reader = new ByteReader(bytes.subarray(place * IMMUTABLE_LEASE_SIZE));
    const [ownerNumber, renewSecret, cancelSecret] = [reader.uint32(), reader.bytes(32), reader.bytes(32)];
    return { place, ownerNumber, renewSecret, cancelSecret, expirySeconds: reader.uint32(), nodeId: new Uint8Array() };
  });
}

/** The range of the four lease slots. */
export const MUTABLE_SLOTS_RANGE = [MUTABLE_LEASES_OFFSET, LEASE_SLOT_COUNT * MUTABLE_LEASE_SIZE] as const;

/** How many extra leases there are. @param bytes - 4 of them, at the container's extraLeaseOffset. */
export function decodeExtraLeaseCount(bytes: Uint8Array): number {
  return new ByteReader(bytes).uint32();
}

/** The range of the extra leases. @throws ERR_CONTAINER when there are too many to show. */
export function extraLeaseRange({ extraLeaseOffset }: MutableContainer, count: number): [offset: number, size: number] {
  return [extraLeaseOffset + EXTRA_COUNT_SIZE, checkedCount(count) * MUTABLE_LEASE_SIZE];
}

/** @param bytes - the four slots, then the extra leases. Free places are left out. */
export function decodeMutableLeases(bytes: Uint8Array): readonly StoredLease[] {
  const records = Array.from({ length: Math.floor(bytes.length / MUTABLE_LEASE_SIZE) }, (_, place) => {
    const reader = new ByteReader(bytes.subarray(place * MUTABLE_LEASE_SIZE));
    const [ownerNumber, expirySeconds] = [reader.uint32(), reader.uint32()];
    const [renewSecret, cancelSecret, nodeId] = [reader.bytes(32), reader.bytes(32), reader.bytes(20)];
    return { place, ownerNumber, expirySeconds, renewSecret, cancelSecret, nodeId };
  });
  return records.filter(({ ownerNumber }) => ownerNumber !== 0);
}

function checkedCount(count: number): number {
  if (count > LEASE_COUNT_MAX) throw damaged(`it has ${String(count)} leases, more than can be shown`);
  return count;
}

function damaged(reason: string): TahoeError {
  return new TahoeError('ERR_CONTAINER', { reason });
}
