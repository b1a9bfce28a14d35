/**
 * What the index keeps of each share and of each directory of shares, as bytes. Pure. Big-endian.
 *
 *     key     storage index 16, share number 1       of a share
 *     key     storage index 16                       of the directory of its shares
 *
 *     share   version 1, kind 1, flags 1, 0, lease count 4, earliest expiry 4, latest expiry 4, file size 8,
 *             data size 8, bytes on disk 8, inode 8, modified (ns) 8, checksum 32, last scrubbed (ms) 8, seal 8
 *     directory   version 1, zeros 7, bytes on disk 8, seal 8
 *
 * The seal is the beginning of SHA-256 over key and record, so that a record that was changed, or stands under
 * another key, is known for what it is: nothing. Whoever meets one looks at the share file again.
 */
import { concat, equalBytes } from '#core/bytes.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { SharePlace } from '../store-events.js';
import type { ShareKind } from './share-facts.js';

const VERSION = 1;
const STORAGE_INDEX_SIZE = 16;
const SHARE_KEY_SIZE = 17;
const BODY_SIZE = 104;
const DIRECTORY_BODY_SIZE = 16;
const SEAL_SIZE = 8;
const CHECKSUM_OFFSET = 64;
const CHECKSUM_SIZE = 32;
const HAS_CHECKSUM = 1;
const IS_DAMAGED = 2;
const kinds = ['damaged', 'immutable', 'mutable'] as const;

/** The kind of a share, or that its file makes no sense. */
export type RecordKind = ShareKind | 'damaged';

/** Which state of which file was seen; both are 0 where the file may have changed since without showing it. */
export interface FileStamp {
  readonly inode: bigint;
  /** Nanoseconds since 1970. */
  readonly modifiedNs: bigint;
}

/** All that the index knows of one share. Sizes in bytes. */
export interface ShareRecord {
  readonly kind: RecordKind;
  readonly fileSize: number;
  readonly dataSize: number;
  /** What the file takes of the disk. */
  readonly diskBytes: number;
  readonly stamp: FileStamp;
  readonly leaseCount: number;
  /** Unix seconds; 0 without leases. */
  readonly earliestExpiry: number;
  readonly latestExpiry: number;
  /** SHA-256 of the share data, 32 bytes; undefined as long as nobody has read them. */
  readonly checksum: Uint8Array | undefined;
  /** Unix milliseconds; 0 for never. */
  readonly lastScrubbedMs: number;
  /** Whether the scrub has found, and said, that the data are not what they were. */
  readonly isRotten: boolean;
}

/** The key of a share's record. */
export function shareKey({ storageIndex, shareNumber }: SharePlace): Uint8Array {
  return concat(storageIndex, Uint8Array.of(shareNumber));
}

/** A key as something that maps can be kept by. */
export function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
}

/** Where the share of this key is; undefined when it is the key of something else. */
export function placeOfKey(key: Uint8Array): SharePlace | undefined {
  const shareNumber = key[STORAGE_INDEX_SIZE];
  if (key.length !== SHARE_KEY_SIZE || shareNumber === undefined) return undefined;
  return { storageIndex: key.slice(0, STORAGE_INDEX_SIZE), shareNumber };
}

/** The bytes of a share's record under `key`. */
export function encodeShareRecord(crypto: CryptoProvider, key: Uint8Array, record: ShareRecord): Uint8Array {
  const bytes = new Uint8Array(BODY_SIZE);
  const view = new DataView(bytes.buffer);
  const flags = (record.checksum === undefined ? 0 : HAS_CHECKSUM) | (record.isRotten ? IS_DAMAGED : 0);
  bytes.set([VERSION, kinds.indexOf(record.kind), flags, 0]);
  view.setUint32(4, record.leaseCount);
  view.setUint32(8, record.earliestExpiry);
  view.setUint32(12, record.latestExpiry);
  const numbers = [record.fileSize, record.dataSize, record.diskBytes].map(BigInt);
  for (const [i, value] of [...numbers, record.stamp.inode, record.stamp.modifiedNs].entries()) {
    view.setBigUint64(16 + 8 * i, BigInt.asUintN(64, value));
  }
  if (record.checksum !== undefined) bytes.set(record.checksum, CHECKSUM_OFFSET);
  view.setBigUint64(CHECKSUM_OFFSET + CHECKSUM_SIZE, BigInt(Math.max(0, Math.floor(record.lastScrubbedMs))));
  return seal(crypto, key, bytes);
}

/** The record that these bytes are under `key`; undefined when there is any doubt. */
export function decodeShareRecord(
  crypto: CryptoProvider,
  key: Uint8Array,
  sealed: Uint8Array,
): ShareRecord | undefined {
  const bytes = unseal(crypto, key, sealed, BODY_SIZE);
  const kind = kinds[bytes?.[1] ?? kinds.length];
  if (bytes === undefined || kind === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const flags = view.getUint8(2);
  const big = (offset: number): bigint => view.getBigUint64(offset);
  return {
    kind,
    leaseCount: view.getUint32(4),
    earliestExpiry: view.getUint32(8),
    latestExpiry: view.getUint32(12),
    fileSize: Number(big(16)),
    dataSize: Number(big(24)),
    diskBytes: Number(big(32)),
    stamp: { inode: big(40), modifiedNs: big(48) },
    checksum: (flags & HAS_CHECKSUM) === 0 ? undefined : bytes.slice(CHECKSUM_OFFSET, CHECKSUM_OFFSET + CHECKSUM_SIZE),
    lastScrubbedMs: Number(big(CHECKSUM_OFFSET + CHECKSUM_SIZE)),
    isRotten: (flags & IS_DAMAGED) !== 0,
  };
}

/** The bytes of a directory's record. @param diskBytes - what the directory itself takes of the disk. */
export function encodeDirectoryRecord(crypto: CryptoProvider, storageIndex: Uint8Array, diskBytes: number): Uint8Array {
  const bytes = new Uint8Array(DIRECTORY_BODY_SIZE);
  bytes[0] = VERSION;
  new DataView(bytes.buffer).setBigUint64(8, BigInt(diskBytes));
  return seal(crypto, storageIndex, bytes);
}

/** What the directory takes of the disk; undefined when there is any doubt. */
export function decodeDirectoryRecord(
  crypto: CryptoProvider,
  storageIndex: Uint8Array,
  sealed: Uint8Array,
): number | undefined {
  const bytes = unseal(crypto, storageIndex, sealed, DIRECTORY_BODY_SIZE);
  if (bytes === undefined) return undefined;
  return Number(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(8));
}

function seal(crypto: CryptoProvider, key: Uint8Array, body: Uint8Array): Uint8Array {
  return concat(body, sealOf(crypto, key, body));
}

function unseal(crypto: CryptoProvider, key: Uint8Array, sealed: Uint8Array, bodySize: number): Uint8Array | undefined {
  if (sealed.length !== bodySize + SEAL_SIZE || sealed[0] !== VERSION) return undefined;
  const body = sealed.subarray(0, bodySize);
  return equalBytes(sealed.subarray(bodySize), sealOf(crypto, key, body)) ? body : undefined;
}

function sealOf(crypto: CryptoProvider, key: Uint8Array, body: Uint8Array): Uint8Array {
  return crypto.sha256(concat(key, body)).subarray(0, SEAL_SIZE);
}
