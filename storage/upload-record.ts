/**
 * What is kept of an upload in progress, so that it can go on after a restart. Pure. Big-endian.
 *
 *     slot   magic 8 "TALLACU1", number 8, storage index 16, share number 1, share size 8, hash of the upload secret 32,
 *            lease 72, count 2, that many ranges of begin 8 and end 8, zeros up to 4092, CRC-32 of all that 4
 *
 * A file has two slots, written in turns: whatever becomes of a write to one of them, the other is whole. The higher
 * number counts. The ranges are those whose bytes are on the disk for good; what is not named is asked for again.
 */
import { crc32 } from 'node:zlib';
import { ByteReader, ByteWriter, concat, equalBytes, utf8 } from '#core/bytes.js';
import { isTahoeError } from '#core/errors.js';
import type { ByteRange } from '#wire/storage.js';
import { LEASE_RECORD_SIZE } from './container.js';

/** The bytes of a slot. */
export const UPLOAD_SLOT_SIZE = 4096;
/** Ranges that a record names: the longest where there are more. */
export const RECORDED_RANGE_COUNT_MAX = 240;

const MAGIC = utf8('TALLACU1');
const CHECKSUM_SIZE = 4;
const STORAGE_INDEX_SIZE = 16;
const HASH_SIZE = 32;

/** An upload in progress. */
export interface UploadRecord {
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  readonly shareNumber: number;
  readonly allocatedSize: number;
  /** 32 bytes: of the secret that later writes must show. */
  readonly secretHash: Uint8Array;
  /** What stands behind the data, 72 bytes. */
  readonly lease: Uint8Array;
  /** In order, none touching another. */
  readonly ranges: readonly ByteRange[];
}

/** One slot. @param number - higher than that of the other slot. */
export function encodeUploadSlot(number: number, record: UploadRecord): Uint8Array {
  const { allocatedSize, lease, secretHash, shareNumber, storageIndex } = record;
  const ranges = longest(record.ranges);
  const writer = new ByteWriter().bytes(MAGIC).uint64(number).bytes(storageIndex).bytes(Uint8Array.of(shareNumber));
  writer.uint64(allocatedSize).bytes(secretHash).bytes(lease).uint16(ranges.length);
  for (const { begin, end } of ranges) writer.uint64(begin).uint64(end);
  const fields = writer.finish();
  const body = concat(fields, new Uint8Array(UPLOAD_SLOT_SIZE - CHECKSUM_SIZE - fields.length));
  return concat(body, new ByteWriter().uint32(crc32(body)).finish());
}

function longest(ranges: readonly ByteRange[]): readonly ByteRange[] {
  if (ranges.length <= RECORDED_RANGE_COUNT_MAX) return ranges;
  const byLength = [...ranges].sort((a, b) => b.end - b.begin - (a.end - a.begin));
  return byLength.slice(0, RECORDED_RANGE_COUNT_MAX).sort((a, b) => a.begin - b.begin);
}

/** The newest record of a file and its number; undefined when there is none that is whole. */
export function decodeUploadFile(file: Uint8Array): { number: number; record: UploadRecord } | undefined {
  const slots = [0, UPLOAD_SLOT_SIZE].map((offset) => decodeSlot(file.subarray(offset, offset + UPLOAD_SLOT_SIZE)));
  return slots.filter((slot) => slot !== undefined).sort((a, b) => b.number - a.number)[0];
}

function decodeSlot(slot: Uint8Array): { number: number; record: UploadRecord } | undefined {
  if (slot.length < UPLOAD_SLOT_SIZE || !equalBytes(slot.subarray(0, MAGIC.length), MAGIC)) return undefined;
  const body = slot.subarray(0, UPLOAD_SLOT_SIZE - CHECKSUM_SIZE);
  if (new ByteReader(slot.subarray(body.length)).uint32() !== crc32(body)) return undefined;
  try {
    return decodeFields(new ByteReader(body.slice(MAGIC.length)));
  } catch (error) {
    if (isTahoeError(error, 'ERR_TRUNCATED', 'ERR_SHARE_LAYOUT')) return undefined;
    throw error;
  }
}

function decodeFields(reader: ByteReader): { number: number; record: UploadRecord } | undefined {
  const number = reader.uint64();
  const storageIndex = reader.bytes(STORAGE_INDEX_SIZE);
  const shareNumber = reader.uint8();
  const allocatedSize = reader.uint64();
  const secretHash = reader.bytes(HASH_SIZE);
  const lease = reader.bytes(LEASE_RECORD_SIZE);
  const ranges = Array.from({ length: reader.uint16() }, () => ({ begin: reader.uint64(), end: reader.uint64() }));
  const isSound = ranges.every(
    ({ begin, end }, i) => begin < end && end <= allocatedSize && begin > (ranges[i - 1]?.end ?? -1),
  );
  if (!isSound) return undefined;
  return { number, record: { storageIndex, shareNumber, allocatedSize, secretHash, lease, ranges } };
}
