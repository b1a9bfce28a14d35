/**
 * From verified blocks back to a segment's plaintext, or to its ciphertext for who may not read it.
 * @see Tahoe-LAFS docs/specifications/file-encoding.rst
 */
import { equalBytes } from '../bytes.js';
import type { CryptoProvider } from '../crypto.js';
import { crypttextSegmentHasher } from '../derive.js';
import type { ErasureCodec, NumberedBlock } from '../erasure/codec.js';
import { TahoeError } from '../errors.js';
import { segmentSizeOf } from './parameters.js';
import type { FileParameters } from './parameters.js';

/** Which segment, and what proves it. */
export interface ProvenSegment {
  readonly number: number;
  /** 32 bytes: the segment's leaf in the crypttext hash tree, proven. */
  readonly segmentHash: Uint8Array;
  /** 16 bytes. */
  readonly readKey: Uint8Array;
}

/**
 * Decodes, checks and decrypts one segment.
 * @param blocks - exactly `needed`, each checked against its share's tree.
 * @returns the plaintext in order, in pieces.
 * @throws ERR_HASH when the ciphertext is not what the hash says: then it was encoded inconsistently.
 */
export function decodeSegment(
  crypto: CryptoProvider,
  codec: ErasureCodec,
  file: FileParameters,
  segment: ProvenSegment,
  blocks: readonly NumberedBlock[],
): Uint8Array[] {
  const cipher = crypto.aesCtr(segment.readKey, segment.number * file.segmentSize);
  return decodeCiphertext(crypto, codec, file, segment, blocks).map((piece) => cipher.process(piece));
}

/** The same, still encrypted. @returns views of the blocks, or of new arrays where blocks were missing. */
export function decodeCiphertext(
  crypto: CryptoProvider,
  codec: ErasureCodec,
  file: FileParameters,
  segment: Omit<ProvenSegment, 'readKey'>,
  blocks: readonly NumberedBlock[],
): Uint8Array[] {
  const crypttext = trim(codec.decode(blocks), segmentSizeOf(file, segment.number));
  const hasher = crypttextSegmentHasher(crypto);
  for (const piece of crypttext) hasher.update(piece);
  if (!equalBytes(hasher.digest(), segment.segmentHash)) {
    throw new TahoeError('ERR_HASH', { what: `segment ${String(segment.number)}` });
  }
  return crypttext;
}

/** The first `size` bytes of the blocks, as views: what is behind them is padding. */
function trim(blocks: readonly Uint8Array[], size: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let left = size;
  for (const block of blocks) {
    if (left <= 0) break;
    pieces.push(block.subarray(0, left));
    left -= block.length;
  }
  return pieces;
}
