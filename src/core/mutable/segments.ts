/**
 * From plaintext to blocks and back, one segment at a time.
 *
 * Each segment is encrypted from offset 0 under a key of its own (one salt for the whole file in SDMF, one for each
 * segment in MDMF), filled up with zero bytes to a multiple of k, and coded. What a share keeps of it is a record: the
 * block, in MDMF behind its salt. The hash of a record is a leaf of the share's block hash tree.
 * @see Tahoe-LAFS docs/specifications/mutable.rst
 */
import { concat, equalBytes } from '../bytes.js';
import type { MutableFormat } from '../capability/types.js';
import type { BulkCrypto } from '../crypto.js';
import { deriveBlockHash, deriveMutableDataKey } from '../derive.js';
import type { ErasureCodec } from '../erasure/codec.js';
import { TahoeError } from '../errors.js';
import { blockSizeOf, segmentSizeOf } from '../immutable/parameters.js';
import type { FileParameters } from '../immutable/parameters.js';
import { SALT_SIZE } from './layout.js';

/** What is needed to code and decode the segments of one version. */
export interface SegmentContext {
  readonly crypto: BulkCrypto;
  /** For the version's `needed` and `total`. */
  readonly codec: ErasureCodec;
  readonly format: MutableFormat;
  readonly file: FileParameters;
  /** 16 bytes. */
  readonly readKey: Uint8Array;
}

/** A record with the number of the share that it belongs to. */
export interface NumberedRecord {
  readonly shareNumber: number;
  readonly record: Uint8Array;
}

/** How long the salt in front of each block is, in bytes: 0 in SDMF. */
export function recordSaltSize(format: MutableFormat): number {
  return format === 'mdmf' ? SALT_SIZE : 0;
}

/** Where the record of `segment` lies among a share's blocks, in bytes from their beginning. */
export function recordRange(
  format: MutableFormat,
  file: FileParameters,
  segment: number,
): { readonly begin: number; readonly end: number } {
  const saltSize = recordSaltSize(format);
  const begin = segment * (file.blockSize + saltSize);
  return { begin, end: begin + saltSize + blockSizeOf(file, segment) };
}

/**
 * Encrypts and codes a segment.
 * @param plaintext - as many bytes as the segment has.
 * @param salt - 16 bytes.
 * @returns `total` records by share number.
 */
export function encodeSegment(
  { crypto, codec, format, file, readKey }: SegmentContext,
  segment: number,
  plaintext: Uint8Array,
  salt: Uint8Array,
): Uint8Array[] {
  if (plaintext.length !== segmentSizeOf(file, segment)) {
    throw new RangeError(`segment ${String(segment)} has ${String(plaintext.length)} bytes`);
  }
  const blockSize = blockSizeOf(file, segment);
  const padded = new Uint8Array(blockSize * file.needed);
  padded.set(crypto.aesCtr(deriveMutableDataKey(crypto, salt, readKey), 0).process(plaintext));
  const primary = Array.from({ length: file.needed }, (_, i) => padded.subarray(i * blockSize, (i + 1) * blockSize));
  const blocks = codec.encode(primary);
  return format === 'sdmf' ? blocks : blocks.map((block) => concat(salt, block));
}

/** The hash of a record: in MDMF it covers the salt. 32 bytes. */
export function hashRecord(crypto: BulkCrypto, record: Uint8Array): Uint8Array {
  return deriveBlockHash(crypto, record);
}

/**
 * Decodes and decrypts a segment.
 * @param records - exactly `needed`, each checked against its share's tree.
 * @param salt - the version's, in SDMF.
 * @throws ERR_HASH when the records do not have one salt: then the version was written inconsistently.
 */
export function decodeMutableSegment(
  { crypto, codec, format, file, readKey }: SegmentContext,
  segment: number,
  records: readonly NumberedRecord[],
  salt: Uint8Array | undefined,
): Uint8Array {
  const saltSize = recordSaltSize(format);
  const salts = format === 'sdmf' ? [salt] : records.map(({ record }) => record.subarray(0, saltSize));
  const [first] = salts;
  if (first === undefined || salts.some((other) => other === undefined || !equalBytes(first, other))) {
    throw new TahoeError('ERR_HASH', { what: `the salt of segment ${String(segment)}` });
  }
  const blocks = codec.decode(
    records.map(({ shareNumber, record }) => ({ shareNumber, block: record.subarray(saltSize) })),
  );
  const crypttext = concat(...blocks).subarray(0, segmentSizeOf(file, segment));
  return crypto.aesCtr(deriveMutableDataKey(crypto, first, readKey), 0).process(crypttext);
}
