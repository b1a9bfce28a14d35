/**
 * One version of a mutable file: what is signed of it, and what follows from that.
 *
 * The signed bytes are the share's first 75 (SDMF) or 59 (MDMF): version byte, sequence number, root of the share hash
 * tree, the salt in SDMF, k and N, segment size and data size. Through the root they cover every block of every share,
 * so they name the version: two shares with the same signed bytes belong together, wherever their sections lie.
 * The checkstring is the beginning of these bytes, long enough to tell the version from every other.
 * @see Tahoe-LAFS docs/specifications/mutable.rst
 */
import { ByteWriter, toHex } from '../bytes.js';
import type { MutableFormat } from '../capability/types.js';
import { TahoeError } from '../errors.js';
import { checkEncoding, parametersOf } from '../immutable/parameters.js';
import type { Encoding, FileParameters } from '../immutable/parameters.js';
import { CHECKSTRING_SIZE } from './layout.js';

/** A segment of an MDMF file before it is rounded up to a multiple of `needed`, in bytes. */
export const MDMF_SEGMENT_SIZE = 131_072;
/** The largest segment that is read or written, in bytes. An SDMF file is one segment. */
export const MUTABLE_SEGMENT_SIZE_MAX = 268_435_456;
/** The most shares: the header has one byte for their number. */
export const MUTABLE_TOTAL_MAX = 255;

/** What a version's signature covers. A decoded header is one. */
export interface MutableVersion extends Encoding {
  readonly format: MutableFormat;
  readonly sequenceNumber: number;
  /** 32 bytes. */
  readonly rootHash: Uint8Array;
  /** 16 bytes; undefined in MDMF, where every segment has its own. */
  readonly salt: Uint8Array | undefined;
  /** Bytes. */
  readonly segmentSize: number;
  /** The file's, in bytes. */
  readonly dataSize: number;
}

/** The bytes that are signed: 75 in SDMF, 59 in MDMF. */
export function encodeSignedPrefix(version: MutableVersion): Uint8Array {
  const { format, sequenceNumber, rootHash, salt, needed, total, segmentSize, dataSize } = version;
  const writer = new ByteWriter()
    .uint8(format === 'sdmf' ? 0 : 1)
    .uint64(sequenceNumber)
    .bytes(rootHash);
  if (salt !== undefined) writer.bytes(salt);
  return writer.uint8(needed).uint8(total).uint64(segmentSize).uint64(dataSize).finish();
}

/** What a server's share must begin with to be of this version: 57 bytes in SDMF, 41 in MDMF. */
export function encodeCheckstring(version: MutableVersion): Uint8Array {
  return encodeSignedPrefix(version).subarray(0, CHECKSTRING_SIZE[version.format]);
}

/** A text that is equal for shares of one version and differs for all others. */
export function nameVersion(version: MutableVersion): string {
  return toHex(encodeSignedPrefix(version));
}

/** The order of versions: by sequence number, then by root hash. Positive when `a` is the newer. */
export function compareVersions(a: MutableVersion, b: MutableVersion): number {
  if (a.sequenceNumber !== b.sequenceNumber) return a.sequenceNumber - b.sequenceNumber;
  const [left, right] = [nameVersion(a), nameVersion(b)];
  const [leftRoot, rightRoot] = [toHex(a.rootHash), toHex(b.rootHash)];
  if (leftRoot !== rightRoot) return leftRoot < rightRoot ? -1 : 1;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** How a version is cut. An empty file has no segment. */
export function mutableParameters(version: Omit<MutableVersion, 'rootHash' | 'salt'>): FileParameters {
  const { needed, total, dataSize, segmentSize } = version;
  if (dataSize > 0) return parametersOf({ needed, total }, dataSize, segmentSize);
  const blockSize = segmentSize / needed;
  return { needed, total, size: 0, segmentSize, segmentCount: 0, blockSize, tailSize: 0, tailBlockSize: 0 };
}

/** The bytes that one share keeps of all segments, in MDMF with their salts. */
export function blocksSizeOf(format: MutableFormat, file: FileParameters): number {
  if (file.segmentCount === 0) return 0;
  const salts = format === 'mdmf' ? file.segmentCount * 16 : 0;
  return (file.segmentCount - 1) * file.blockSize + file.tailBlockSize + salts;
}

/**
 * The segment size that a writer gives to a file of `dataSize` bytes.
 * @param sizeMax - of an MDMF segment before it is rounded up.
 * @throws ERR_ENCODING unless 1 ≤ needed ≤ total ≤ 255; ERR_TOO_LARGE for an SDMF file above the limit.
 */
export function mutableSegmentSize(
  format: MutableFormat,
  { needed, total }: Encoding,
  dataSize: number,
  sizeMax: number,
): number {
  checkEncoding({ needed, total });
  if (total > MUTABLE_TOTAL_MAX) throw new TahoeError('ERR_ENCODING', { needed, total });
  if (format === 'sdmf' && dataSize > MUTABLE_SEGMENT_SIZE_MAX) {
    const what = 'SDMF file, which is one segment (MDMF has many),';
    throw new TahoeError('ERR_TOO_LARGE', { what, limitBytes: MUTABLE_SEGMENT_SIZE_MAX });
  }
  return Math.ceil((format === 'sdmf' ? dataSize : sizeMax) / needed) * needed;
}
