/**
 * Where the sections of an MDMF share lie as a writer lays them out. Encrypted private key, share hashes, signature and
 * public key follow the header, each where the one before it ends; the blocks begin at a fixed place behind them, so
 * that they stay where they are when the file is changed in its middle; the block hashes are last.
 *
 *     123    encrypted private key, share hashes, signature, public key; zeros up to
 *     2167   for each segment its salt (16) and its block; all nodes of the block hash tree
 * @see Tahoe-LAFS src/allmydata/mutable/layout.py (the sizes that it reserves)
 */
import { ByteWriter } from '../bytes.js';
import { TahoeError } from '../errors.js';
import { MUTABLE_HEADER_SIZE_MAX } from './layout.js';
import type { MutableSections, Section } from './layout.js';
import type { SectionSizes, ShareLayout } from './share.js';

/** Room for a private key of 1220 bytes, a signature of 260, a public key of 292 and 8 records of 34. */
const BLOCKS_OFFSET = MUTABLE_HEADER_SIZE_MAX + 1220 + 260 + 292 + 8 * 34;

/** @throws ERR_TOO_LARGE when the keys leave no room. */
export function layoutMdmf(sizes: SectionSizes): ShareLayout {
  let end = MUTABLE_HEADER_SIZE_MAX;
  const next = (size: number): Section => {
    const begin = end;
    end += size;
    return { begin, end };
  };
  const encryptedPrivateKey = next(sizes.encryptedPrivateKey);
  const shareHashes = next(sizes.shareHashes);
  const signature = next(sizes.signature);
  const publicKey = next(sizes.publicKey);
  if (end > BLOCKS_OFFSET) throw new TahoeError('ERR_TOO_LARGE', { what: "share's keys", limitBytes: BLOCKS_OFFSET });
  end = BLOCKS_OFFSET;
  const blocks = next(sizes.blocks);
  const blockHashes = next(sizes.blockHashes);
  return { sections: { encryptedPrivateKey, shareHashes, signature, publicKey, blocks, blockHashes }, end };
}

/** The offsets of the header, 64 bytes. */
export function encodeMdmfOffsets(sections: MutableSections, end: number): Uint8Array {
  const { encryptedPrivateKey, shareHashes, signature, publicKey, blocks, blockHashes } = sections;
  const writer = new ByteWriter();
  for (const section of [encryptedPrivateKey, shareHashes, signature, publicKey]) writer.uint64(section.begin);
  return writer.uint64(publicKey.end).uint64(blocks.begin).uint64(blockHashes.begin).uint64(end).finish();
}
