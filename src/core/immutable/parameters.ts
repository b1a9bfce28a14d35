/**
 * How a file of a given size is cut: segments, blocks, and what the share layout follows from.
 *
 * The segment size is the smaller of the configured maximum and the file's size, rounded up to a multiple of
 * `needed`. Every segment has that size but the last, the tail, which is padded with zero bytes (after
 * encryption) to the next multiple of `needed`. A block is a segment divided by `needed`.
 * @see Tahoe-LAFS docs/specifications/file-encoding.rst, "Encoding"
 */
import { TahoeError } from '../errors.js';

/** The largest segment that a writer makes unless configured otherwise, in bytes. */
export const DEFAULT_SEGMENT_SIZE_MAX = 1_048_576;
/** GF(2^8) has points for so many shares. */
export const TOTAL_MAX = 256;

/** k-of-N. */
export interface Encoding {
  readonly needed: number;
  readonly total: number;
}

/** Sizes in bytes. `size` is the file's, at least 1. */
export interface FileParameters extends Encoding {
  readonly size: number;
  readonly segmentSize: number;
  readonly segmentCount: number;
  readonly blockSize: number;
  /** The tail's ciphertext, unpadded. */
  readonly tailSize: number;
  readonly tailBlockSize: number;
}

/** @throws ERR_ENCODING unless 1 ≤ needed ≤ total ≤ 256. */
export function checkEncoding({ needed, total }: Encoding): void {
  const whole = Number.isInteger(needed) && Number.isInteger(total);
  if (!whole || needed < 1 || needed > total || total > TOTAL_MAX) {
    throw new TahoeError('ERR_ENCODING', { needed, total });
  }
}

/**
 * @param size - the file's, 1 or more bytes.
 * @throws ERR_ENCODING.
 */
export function fileParameters(
  encoding: Encoding,
  size: number,
  segmentSizeMax = DEFAULT_SEGMENT_SIZE_MAX,
): FileParameters {
  checkEncoding(encoding);
  return parametersOf(encoding, size, roundUp(Math.min(segmentSizeMax, size), encoding.needed));
}

/** The same for a file whose segment size is known, as its reader learns it from the URI extension block. */
export function parametersOf({ needed, total }: Encoding, size: number, segmentSize: number): FileParameters {
  const segmentCount = Math.ceil(size / segmentSize);
  const tailSize = size - (segmentCount - 1) * segmentSize;
  const blockSize = segmentSize / needed;
  const tailBlockSize = roundUp(tailSize, needed) / needed;
  return { needed, total, size, segmentSize, segmentCount, blockSize, tailSize, tailBlockSize };
}

/** The bytes of segment `segment`, unpadded. */
export function segmentSizeOf(file: FileParameters, segment: number): number {
  return segment === file.segmentCount - 1 ? file.tailSize : file.segmentSize;
}

/** The bytes of each block of segment `segment`. */
export function blockSizeOf(file: FileParameters, segment: number): number {
  return segment === file.segmentCount - 1 ? file.tailBlockSize : file.blockSize;
}

/** The bytes of all blocks of one share. */
export function shareDataSize(file: FileParameters): number {
  return (file.segmentCount - 1) * file.blockSize + file.tailBlockSize;
}

function roundUp(size: number, multiple: number): number {
  return Math.ceil(size / multiple) * multiple;
}
