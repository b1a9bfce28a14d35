/**
 * Where things lie in an immutable share, versions 1 and 2 (fields of 4 and of 8 bytes; all big-endian).
 *
 *     0x00  4 bytes   version
 *           field     block size          (readers ignore it)
 *           field     share data size     (readers ignore it)
 *           6 fields  offsets of: data, plaintext hash tree, crypttext hash tree, block hashes,
 *                     share hashes, URI extension
 *     data                 all blocks, one after the other
 *     plaintext hash tree  unused; its space is there, zero
 *     crypttext hash tree  all nodes, root first, 32 bytes each
 *     block hashes         all nodes, root first
 *     share hashes         records of 2 bytes node number and 32 bytes hash, in any order
 *     URI extension        a field with its length, then its bytes
 *
 * Readers trust the offsets and the capability. Version 2 is written when a number outgrows 32 bits.
 * Old writers reserved more room for the URI extension than it fills: bytes may follow it.
 * @see Tahoe-LAFS src/allmydata/immutable/layout.py (the fields), docs/specifications/file-encoding.rst
 */
import { ByteReader, ByteWriter } from '../bytes.js';
import { TahoeError } from '../errors.js';
import { NODE_SIZE, nodeCount, siblingNodes } from '../merkle.js';
import { shareDataSize } from './parameters.js';
import type { FileParameters } from './parameters.js';
import { uebSize } from './ueb.js';

const UINT32_LIMIT = 2 ** 32;
const VERSION_SIZE = 4;
const FIELD_COUNT = 8;
/** One node of the share hashes: its number and its hash; in bytes. */
export const SHARE_HASH_RECORD_SIZE = 2 + NODE_SIZE;

/** The longest header: version 2. A reader that asks for so many bytes first has all of either version's. */
export const SHARE_HEADER_SIZE_MAX = VERSION_SIZE + FIELD_COUNT * 8;

/** Offsets from the start of the share's data, in bytes. */
export interface ShareOffsets {
  readonly data: number;
  readonly plaintextHashTree: number;
  readonly crypttextHashTree: number;
  readonly blockHashes: number;
  readonly shareHashes: number;
  readonly uriExtension: number;
}

/** A share's version and where its sections begin. */
export interface ShareLayout {
  readonly version: 1 | 2;
  /** The size of a number in this version: 4 or 8 bytes. */
  readonly fieldSize: 4 | 8;
  readonly offsets: ShareOffsets;
}

/** A layout for writing: it also knows how much room to ask for. */
export interface WrittenShareLayout extends ShareLayout {
  /** The whole share, in bytes. */
  readonly allocatedSize: number;
}

/**
 * The layout that a writer gives every share of such a file.
 * @param uebLength - of its URI extension block, in bytes, where that is not one of ours.
 */
export function layoutOf(file: FileParameters, uebLength?: number): WrittenShareLayout {
  const first = layoutOfVersion(file, 1, uebLength);
  const outgrown =
    file.blockSize >= UINT32_LIMIT || shareDataSize(file) >= UINT32_LIMIT || first.offsets.uriExtension >= UINT32_LIMIT;
  return outgrown ? layoutOfVersion(file, 2, uebLength) : first;
}

/** The same in a given version, whether it fits or not. */
export function layoutOfVersion(
  file: FileParameters,
  version: 1 | 2,
  uebLength: number = uebSize(file),
): WrittenShareLayout {
  const fieldSize = version === 1 ? 4 : 8;
  const treeSize = nodeCount(file.segmentCount) * NODE_SIZE;
  const shareHashCount = siblingNodes(file.total, 0).length + 1;
  const data = VERSION_SIZE + FIELD_COUNT * fieldSize;
  const plaintextHashTree = data + shareDataSize(file);
  const crypttextHashTree = plaintextHashTree + treeSize;
  const blockHashes = crypttextHashTree + treeSize;
  const shareHashes = blockHashes + treeSize;
  const uriExtension = shareHashes + shareHashCount * SHARE_HASH_RECORD_SIZE;
  return {
    version,
    fieldSize,
    offsets: { data, plaintextHashTree, crypttextHashTree, blockHashes, shareHashes, uriExtension },
    allocatedSize: uriExtension + fieldSize + uebLength,
  };
}

/** The header's bytes: 36 in version 1, 68 in version 2. */
export function encodeShareHeader(file: FileParameters, layout: ShareLayout): Uint8Array {
  const writer = new ByteWriter().uint32(layout.version);
  const { data, plaintextHashTree, crypttextHashTree, blockHashes, shareHashes, uriExtension } = layout.offsets;
  const offsets = [data, plaintextHashTree, crypttextHashTree, blockHashes, shareHashes, uriExtension];
  for (const field of [file.blockSize, shareDataSize(file), ...offsets]) {
    if (layout.version === 1) writer.uint32(field);
    else writer.uint64(field);
  }
  return writer.finish();
}

/**
 * Reads a header.
 * @param bytes - the share's first 68 bytes, or fewer where the share is shorter.
 * @throws ERR_SHARE_LAYOUT for an unknown version, a header cut short, or an offset of 2^53 and more. Whether
 *   the offsets make sense shows when the hashes behind them are checked.
 */
export function decodeShareHeader(bytes: Uint8Array): ShareLayout {
  const reader = new ByteReader(bytes);
  if (reader.left < VERSION_SIZE) throw layoutError('it is too short for a header');
  const version = reader.uint32();
  if (version !== 1 && version !== 2) throw layoutError(`its version is ${String(version)}`);
  const fieldSize = version === 1 ? 4 : 8;
  if (reader.left < FIELD_COUNT * fieldSize) throw layoutError('it is too short for a header');
  const field = (): number => (version === 1 ? reader.uint32() : reader.uint64());
  reader.bytes(2 * fieldSize);
  const offsets = {
    data: field(),
    plaintextHashTree: field(),
    crypttextHashTree: field(),
    blockHashes: field(),
    shareHashes: field(),
    uriExtension: field(),
  };
  return { version, fieldSize, offsets };
}

/** The share's own path in the share hash tree, with its leaf, as records. */
export function encodeShareHashes(nodes: ReadonlyMap<number, Uint8Array>): Uint8Array {
  const writer = new ByteWriter();
  for (const [index, hash] of nodes) writer.uint16(index).bytes(hash);
  return writer.finish();
}

/** @throws ERR_SHARE_LAYOUT when the bytes are not whole records. */
export function decodeShareHashes(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
  if (bytes.length % SHARE_HASH_RECORD_SIZE !== 0) throw layoutError('its share hashes are not whole records');
  const reader = new ByteReader(bytes);
  const nodes = new Map<number, Uint8Array>();
  while (reader.left > 0) nodes.set(reader.uint16(), reader.bytes(NODE_SIZE));
  return nodes;
}

/** The most bytes that share hashes can fill: a path in a tree of 256 leaves, in records. */
export const SHARE_HASHES_SIZE_MAX = (8 + 1) * SHARE_HASH_RECORD_SIZE;

function layoutError(reason: string): TahoeError {
  return new TahoeError('ERR_SHARE_LAYOUT', { reason });
}
