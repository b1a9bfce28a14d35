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
import { blockHasher, deriveBlockHash, deriveMutableDataKey } from '../derive.js';
import type { ErasureCodec } from '../erasure/codec.js';
import { TahoeError } from '../errors.js';
import { blockSizeOf, segmentSizeOf } from '../immutable/parameters.js';
import type { FileParameters } from '../immutable/parameters.js';
import { NODE_SIZE } from '../merkle.js';
import { SALT_SIZE } from './layout.js';

/** So many bytes are encrypted, coded or hashed in one step. */
export const STEP_SIZE = 1_048_576;

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
  context: SegmentContext,
  segment: number,
  plaintext: Uint8Array,
  salt: Uint8Array,
): Uint8Array[] {
  return finished(encodeSegmentSteps(context, segment, plaintext, salt));
}

/** The same in steps that take a few milliseconds each, for who has other things to do between them. */
export function* encodeSegmentSteps(
  { crypto, codec, format, file, readKey }: SegmentContext,
  segment: number,
  plaintext: Uint8Array,
  salt: Uint8Array,
): Generator<undefined, Uint8Array[]> {
  if (plaintext.length !== segmentSizeOf(file, segment)) {
    throw new RangeError(`segment ${String(segment)} has ${String(plaintext.length)} bytes`);
  }
  const blockSize = blockSizeOf(file, segment);
  const padded = new Uint8Array(blockSize * file.needed);
  const cipher = crypto.aesCtr(deriveMutableDataKey(crypto, salt, readKey), 0);
  for (let offset = 0; offset < plaintext.length; offset += STEP_SIZE) {
    padded.set(cipher.process(plaintext.subarray(offset, offset + STEP_SIZE)), offset);
    yield;
  }
  const primary = Array.from({ length: file.needed }, (_, i) => padded.subarray(i * blockSize, (i + 1) * blockSize));
  const blocks = yield* encodeBlocks(codec, primary, blockSize);
  return format === 'sdmf' ? blocks : blocks.map((block) => concat(salt, block));
}

/** Codes blocks that are large piece by piece: a byte depends on those at the same place alone. */
function* encodeBlocks(
  codec: ErasureCodec,
  primary: readonly Uint8Array[],
  blockSize: number,
): Generator<undefined, Uint8Array[]> {
  const pieceSize = Math.ceil(STEP_SIZE / codec.total);
  if (blockSize <= pieceSize) return codec.encode(primary);
  const blocks = Array.from({ length: codec.total }, (_, i) => primary[i] ?? new Uint8Array(blockSize));
  for (let offset = 0; offset < blockSize; offset += pieceSize) {
    const pieces = codec.encode(primary.map((block) => block.subarray(offset, offset + pieceSize)));
    for (let i = codec.needed; i < codec.total; i++) blocks[i]?.set(pieces[i] ?? [], offset);
    yield;
  }
  return blocks;
}

/** Takes all steps at once. */
export function finished<Result>(steps: Generator<undefined, Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The hash of a record, in steps. 32 bytes. */
export function* hashRecordSteps(crypto: BulkCrypto, record: Uint8Array): Generator<undefined, Uint8Array> {
  if (record.length <= STEP_SIZE) return hashRecord(crypto, record);
  const hasher = blockHasher(crypto);
  for (let offset = 0; offset < record.length; offset += STEP_SIZE) {
    hasher.update(record.subarray(offset, offset + STEP_SIZE));
    yield;
  }
  return hasher.digest(NODE_SIZE);
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
  context: SegmentContext,
  segment: number,
  records: readonly NumberedRecord[],
  salt: Uint8Array | undefined,
): Uint8Array {
  return finished(decodeMutableSegmentSteps(context, segment, records, salt));
}

/** The same in steps of STEP_SIZE, for who has other things to do between them. */
export function* decodeMutableSegmentSteps(
  { crypto, codec, format, file, readKey }: SegmentContext,
  segment: number,
  records: readonly NumberedRecord[],
  salt: Uint8Array | undefined,
): Generator<undefined, Uint8Array> {
  const saltSize = recordSaltSize(format);
  const salts = format === 'sdmf' ? [salt] : records.map(({ record }) => record.subarray(0, saltSize));
  const [first] = salts;
  if (first === undefined || salts.some((other) => other === undefined || !equalBytes(first, other))) {
    throw new TahoeError('ERR_HASH', { what: `the salt of segment ${String(segment)}` });
  }
  const blockSize = blockSizeOf(file, segment);
  const padded = new Uint8Array(blockSize * file.needed);
  const pieceSize = Math.ceil(STEP_SIZE / file.needed);
  for (let offset = 0; offset < blockSize; offset += pieceSize) {
    const pieces = records.map(({ shareNumber, record }) => {
      return { shareNumber, block: record.subarray(saltSize).subarray(offset, offset + pieceSize) };
    });
    for (const [i, piece] of codec.decode(pieces).entries()) padded.set(piece, i * blockSize + offset);
    yield;
  }
  const bytes = padded.subarray(0, segmentSizeOf(file, segment));
  const cipher = crypto.aesCtr(deriveMutableDataKey(crypto, first, readKey), 0);
  for (let offset = 0; offset < bytes.length; offset += STEP_SIZE) {
    bytes.set(cipher.process(bytes.subarray(offset, offset + STEP_SIZE)), offset);
    yield;
  }
  return bytes;
}
