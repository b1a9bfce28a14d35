/**
 * From verified blocks back to a segment's plaintext.
 * @see Tahoe-LAFS docs/specifications/file-encoding.rst
 */
import { equalBytes } from '../bytes.js';
import type { CryptoProvider } from '../crypto.js';
import { crypttextSegmentHasher } from '../derive.js';
import type { ErasureCodec, NumberedBlock } from '../erasure/codec.js';
import { TahoeError } from '../errors.js';
import { segmentSizeOf } from './parameters.js';
import type { FileParameters } from './parameters.js';

/**
 * Decodes, checks and decrypts one segment.
 * @param blocks - exactly `needed`, each checked against its share's tree.
 * @param segmentHash - 32 bytes, the segment's leaf in the crypttext hash tree, proven.
 * @returns the plaintext in order, in pieces.
 * @throws ERR_HASH when the ciphertext is not what the hash says: then it was encoded inconsistently.
 */
export function decodeSegment(
  crypto: CryptoProvider,
  codec: ErasureCodec,
  file: FileParameters,
  segment: { readonly number: number; readonly segmentHash: Uint8Array; readonly readKey: Uint8Array },
  blocks: readonly NumberedBlock[],
): Uint8Array[] {
  const crypttext = trim(codec.decode(blocks), segmentSizeOf(file, segment.number));
  const hasher = crypttextSegmentHasher(crypto);
  for (const piece of crypttext) hasher.update(piece);
  if (!equalBytes(hasher.digest(), segment.segmentHash)) {
    throw new TahoeError('ERR_HASH', { what: `segment ${String(segment.number)}` });
  }
  const cipher = crypto.aesCtr(segment.readKey, segment.number * file.segmentSize);
  return crypttext.map((piece) => cipher.process(piece));
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
