/**
 * One mutable share as a value, in either format, and its bytes.
 *
 * A share is its version, the keys, the signature, its path in the share hash tree (without its own leaf, which is the
 * root of its block hash tree), the block hash tree, and its blocks. Nothing is verified here.
 * @see Tahoe-LAFS docs/specifications/mutable.rst
 */
import type { MutableFormat } from '../capability/types.js';
import { concat } from '../bytes.js';
import { TahoeError } from '../errors.js';
import { decodeMutableHeader, MUTABLE_HEADER_SIZE_MAX } from './layout.js';
import type { MutableHeader, MutableSections, Section } from './layout.js';
import { encodeMdmfOffsets, layoutMdmf } from './mdmf.js';
import { encodeSdmfOffsets, layoutSdmf } from './sdmf.js';
import { encodeSignedPrefix } from './version.js';
import type { MutableVersion } from './version.js';

/** How long each section of a share is, in bytes. */
export type SectionSizes = Readonly<Record<keyof MutableSections, number>>;

/** The bytes of each section of a share. */
export type SectionBytes = Readonly<Record<keyof MutableSections, Uint8Array>>;

/** Where the sections of a share lie, and where it ends. */
export interface ShareLayout {
  readonly sections: MutableSections;
  readonly end: number;
}

/** A share taken apart. */
export interface MutableShare {
  readonly version: MutableVersion;
  readonly sections: SectionBytes;
}

/** Where a writer of the format puts sections of these sizes. @throws ERR_TOO_LARGE when they do not fit. */
export function layoutShare(format: MutableFormat, sizes: SectionSizes): ShareLayout {
  return format === 'sdmf' ? layoutSdmf(sizes) : layoutMdmf(sizes);
}

/** The header's bytes: 107 in SDMF, 123 in MDMF. */
export function encodeMutableHeader(version: MutableVersion, { sections, end }: ShareLayout): Uint8Array {
  const encodeOffsets = version.format === 'sdmf' ? encodeSdmfOffsets : encodeMdmfOffsets;
  return concat(encodeSignedPrefix(version), encodeOffsets(sections, end));
}

/** A share's bytes. */
export function encodeMutableShare({ version, sections }: MutableShare): Uint8Array {
  const layout = layoutShare(
    version.format,
    mapSections(sections, (section) => section.length),
  );
  const bytes = new Uint8Array(layout.end);
  bytes.set(encodeMutableHeader(version, layout));
  for (const [name, section] of entriesOf(sections)) bytes.set(section, layout.sections[name].begin);
  return bytes;
}

/**
 * Takes a whole share apart. Byte strings are views.
 * @throws ERR_SHARE_LAYOUT as `decodeMutableHeader`, and when the share is shorter than it says.
 */
export function decodeMutableShare(bytes: Uint8Array): MutableShare {
  const header: MutableHeader = decodeMutableHeader(bytes.subarray(0, MUTABLE_HEADER_SIZE_MAX));
  if (header.end > bytes.length) {
    throw new TahoeError('ERR_SHARE_LAYOUT', { reason: `it ends before byte ${String(header.end)}` });
  }
  const sections = mapSections(header.sections, ({ begin, end }: Section) => bytes.subarray(begin, end));
  return { version: header, sections };
}

function entriesOf<Value>(
  sections: Readonly<Record<keyof MutableSections, Value>>,
): [name: keyof MutableSections, value: Value][] {
  return Object.entries(sections) as [keyof MutableSections, Value][];
}

function mapSections<Value, Result>(
  sections: Readonly<Record<keyof MutableSections, Value>>,
  change: (value: Value) => Result,
): Record<keyof MutableSections, Result> {
  return {
    publicKey: change(sections.publicKey),
    signature: change(sections.signature),
    shareHashes: change(sections.shareHashes),
    blockHashes: change(sections.blockHashes),
    blocks: change(sections.blocks),
    encryptedPrivateKey: change(sections.encryptedPrivateKey),
  };
}
