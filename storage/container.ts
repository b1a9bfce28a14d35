/**
 * The file that holds an immutable share, versions 1 and 2. Big-endian.
 *
 *     0   4  version: 2 is written, 1 and 2 are read
 *     4   4  data length, saturated at 2^32−1
 *     8   4  number of leases
 *     12  A  share data
 *     12+A   lease records, 72 bytes each: owner number 4, renew secret 32, cancel secret 32, expiry 4
 *
 * The reference finds A as file size − 12 − 72·leases and never reads the data length back. It is read here: a
 * file that holds more or less than header and leases account for was cut, or a lease was being added when the
 * machine stopped. Data and whole leases are kept in the second case; the first is damage.
 * @see Tahoe-LAFS src/allmydata/storage/immutable.py, docs/specifications/lease.rst
 */
import { ByteReader, ByteWriter, fromUtf8 } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';

/** Version, data length, lease count: bytes in front of the share. */
export const CONTAINER_HEADER_SIZE = 12;
/** One lease behind the share, in bytes. */
export const LEASE_RECORD_SIZE = 72;
/** Where the number of leases stands. */
export const LEASE_COUNT_OFFSET = 8;
/** Where in a lease record the expiry stands. */
export const LEASE_EXPIRY_OFFSET = 68;
/** As many bytes of a file as tell what kind of container it is. */
export const CONTAINER_HEAD_SIZE = 32;

const WRITTEN_VERSION = 2;
const UINT32_MAX = 0xffff_ffff;
const MUTABLE_MAGIC = 'Tahoe mutable container v';

/** Version 1 keeps lease secrets in clear, version 2 their BLAKE2b-256. */
export type ContainerVersion = 1 | 2;

/** Where things are in one container. Offsets and sizes in bytes. */
export interface ContainerShape {
  readonly version: ContainerVersion;
  readonly dataSize: number;
  /** Whole lease records that the header counts and the file holds. */
  readonly leaseCount: number;
  readonly leaseOffset: number;
}

/** A lease as it stands in a container; the secrets are hashes in version 2. */
export interface LeaseRecord {
  readonly ownerNumber: number;
  readonly renewSecret: Uint8Array;
  readonly cancelSecret: Uint8Array;
  /** Unix seconds. */
  readonly expirySeconds: number;
}

/** The 12 bytes in front of `dataSize` bytes of data, in the version that is written. */
export function encodeContainerHeader(dataSize: number, leaseCount: number): Uint8Array {
  return new ByteWriter().uint32(WRITTEN_VERSION).uint32(Math.min(dataSize, UINT32_MAX)).uint32(leaseCount).finish();
}

/** The number of leases as the header holds it, 4 bytes. */
export function encodeLeaseCount(leaseCount: number): Uint8Array {
  return new ByteWriter().uint32(leaseCount).finish();
}

/** Whether a file that begins with `head` is a mutable container, of whichever version. */
export function isMutableContainer(head: Uint8Array): boolean {
  try {
    return fromUtf8(head.subarray(0, MUTABLE_MAGIC.length)) === MUTABLE_MAGIC;
  } catch {
    return false;
  }
}

/**
 * The shape of the container that begins with `head` and is `fileSize` bytes long.
 * @throws ERR_CONTAINER when it is no immutable container of version 1 or 2, or a part of its data is missing.
 */
export function decodeContainerShape(head: Uint8Array, fileSize: number): ContainerShape {
  if (fileSize < CONTAINER_HEADER_SIZE || head.length < CONTAINER_HEADER_SIZE) {
    throw damaged(`it holds ${String(fileSize)} bytes, less than a header`);
  }
  const reader = new ByteReader(head);
  const version = toVersion(reader.uint32());
  const dataLength = reader.uint32();
  const leaseCount = reader.uint32();
  const roomSize = fileSize - CONTAINER_HEADER_SIZE;
  const dataSize = dataLength < UINT32_MAX ? dataLength : roomSize - LEASE_RECORD_SIZE * leaseCount;
  if (dataSize > roomSize || dataSize < dataLength) throw damaged('its data is cut short');
  const leaseRoom = roomSize - dataSize;
  if (leaseRoom % LEASE_RECORD_SIZE !== 0 && leaseRoom > LEASE_RECORD_SIZE * (leaseCount + 1)) {
    throw damaged('it is longer than its data and leases');
  }
  return {
    version,
    dataSize,
    leaseCount: Math.min(leaseCount, Math.floor(leaseRoom / LEASE_RECORD_SIZE)),
    leaseOffset: CONTAINER_HEADER_SIZE + dataSize,
  };
}

function toVersion(version: number): ContainerVersion {
  if (version !== 1 && version !== 2) throw damaged('it is no immutable container of version 1 or 2');
  return version;
}

/** One lease record, 72 bytes. */
export function encodeLease(lease: LeaseRecord): Uint8Array {
  return new ByteWriter()
    .uint32(lease.ownerNumber)
    .bytes(lease.renewSecret)
    .bytes(lease.cancelSecret)
    .uint32(lease.expirySeconds)
    .finish();
}

/** An expiry as a lease record holds it, 4 bytes. */
export function encodeExpiry(expirySeconds: number): Uint8Array {
  return new ByteWriter().uint32(expirySeconds).finish();
}

/**
 * The lease of one record; the secrets are views of it.
 * @throws ERR_TRUNCATED when there are fewer than 72 bytes.
 */
export function decodeLease(record: Uint8Array): LeaseRecord {
  const reader = new ByteReader(record);
  return {
    ownerNumber: reader.uint32(),
    renewSecret: reader.bytes(32),
    cancelSecret: reader.bytes(32),
    expirySeconds: reader.uint32(),
  };
}

function damaged(reason: string): TahoeError {
  return new TahoeError('ERR_CONTAINER', { reason });
}
