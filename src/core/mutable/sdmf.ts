/**
 * Where the sections of an SDMF share lie as a writer lays them out: one behind the other, in the order public key,
 * signature, share hashes, block hashes, blocks, encrypted private key. The table of the header stands in layout.ts.
 * @see Tahoe-LAFS docs/specifications/mutable.rst, "SDMF slot format"
 */
import { ByteWriter } from '../bytes.js';
import { TahoeError } from '../errors.js';
import { SDMF_HEADER_SIZE } from './layout.js';
import type { MutableSections, Section } from './layout.js';
import type { SectionSizes, ShareLayout } from './share.js';

/** The last offset of four bytes. */
const OFFSET_MAX = 2 ** 32 - 1;

/** @throws ERR_TOO_LARGE when the share hashes or blocks begin where four bytes cannot point. */
export function layoutSdmf(sizes: SectionSizes): ShareLayout {
  let end = SDMF_HEADER_SIZE;
  const next = (size: number): Section => {
    const begin = end;
    end += size;
    return { begin, end };
  };
  const sections = {
    publicKey: next(sizes.publicKey),
    signature: next(sizes.signature),
    shareHashes: next(sizes.shareHashes),
    blockHashes: next(sizes.blockHashes),
    blocks: next(sizes.blocks),
    encryptedPrivateKey: next(sizes.encryptedPrivateKey),
  };
  if (sections.blocks.begin <= OFFSET_MAX) return { sections, end };
  throw new TahoeError('ERR_TOO_LARGE', { what: 'share in front of its blocks', limitBytes: OFFSET_MAX });
}

/** The offsets of the header, 32 bytes. */
export function encodeSdmfOffsets(sections: MutableSections, end: number): Uint8Array {
  const { signature, shareHashes, blockHashes, blocks, encryptedPrivateKey } = sections;
  const writer = new ByteWriter();
  for (const section of [signature, shareHashes, blockHashes, blocks]) writer.uint32(section.begin);
  return writer.uint64(encryptedPrivateKey.begin).uint64(end).finish();
}
