/**
 * Reads one immutable share from its first byte to its last and holds all of it against the capability: the URI
 * extension block, the share hashes, every node of both hash trees, every block. Memory is bounded whatever the
 * size of the file or of its segments.
 * @see Tahoe-LAFS docs/specifications/file-encoding.rst
 */
import { ByteReader, equalBytes } from '#core/bytes.js';
import type { CryptoProvider } from '#core/crypto.js';
import { blockHasher } from '#core/derive.js';
import { isTahoeError, TahoeError } from '#core/errors.js';
import { SHARE_HASH_RECORD_SIZE } from '#core/immutable/layout.js';
import type { ShareLayout } from '#core/immutable/layout.js';
import { blockSizeOf, parametersOf, shareDataSize } from '#core/immutable/parameters.js';
import type { FileParameters } from '#core/immutable/parameters.js';
import { decodeUeb, isUebConsistent } from '#core/immutable/ueb.js';
import type { Ueb } from '#core/immutable/ueb.js';
import { MerkleVerifier, siblingNodes } from '#core/merkle.js';
import type { ByteRange } from '#wire/storage.js';
import type { ShareReader, SharedFile } from '../download/share-reader.js';

/** How much of a share's blocks is read in one request, in bytes, and how many are under way. */
const READ_SIZE = 524_288;
const READ_COUNT = 2;
const VERSION_SIZE = 4;
const KNOWN_VERSIONS = [1, 2];

/**
 * @param reader - of the share, for the file that `capability` names.
 * @param signal - ends the reading of blocks; what else is read is short.
 * @returns `incompatible` when the share is of a version that is not known here: another program may know it.
 * @throws an error of the family `integrity` when the share is corrupt; what the server's `read` throws.
 */
export async function verifyShare(
  crypto: CryptoProvider,
  reader: ShareReader,
  capability: SharedFile,
  signal: AbortSignal,
): Promise<'good' | 'incompatible'> {
  const layout = await knownLayout(reader);
  if (layout === undefined) return 'incompatible';
  const { ueb, file } = await verifyUeb(reader, capability);
  const { offsets } = layout;
  const pathSize = (siblingNodes(file.total, 0).length + 1) * SHARE_HASH_RECORD_SIZE;
  if (offsets.uriExtension - offsets.shareHashes !== pathSize) {
    throw new TahoeError('ERR_SHARE_LAYOUT', { reason: `its share hashes do not fill ${String(pathSize)} bytes` });
  }
  const blockTree = await reader.openBlockTree(file, ueb);
  const crypttextTree = new MerkleVerifier(crypto, file.segmentCount, ueb.crypttextRootHash);
  await verifyTree(reader, crypttextTree, offsets.crypttextHashTree, 'the crypttext hash tree');
  await verifyTree(reader, blockTree, offsets.blockHashes, 'the block hash tree');
  await verifyBlocks(crypto, reader, { file, tree: blockTree, offsets }, signal);
  return 'good';
}

/** @returns undefined when the share has a version, but not one of ours. */
async function knownLayout(reader: ShareReader): Promise<ShareLayout | undefined> {
  try {
    return await reader.layout();
  } catch (error) {
    if (!isTahoeError(error, 'ERR_SHARE_LAYOUT')) throw error;
    const version = new ByteReader(await reader.bytes(0, VERSION_SIZE)).uint32();
    if (KNOWN_VERSIONS.includes(version)) throw error;
    return undefined;
  }
}

async function verifyUeb(
  reader: ShareReader,
  capability: SharedFile,
): Promise<{ readonly ueb: Ueb; readonly file: FileParameters }> {
  const bytes = await reader.uebBytes();
  const ueb = decodeUeb(bytes);
  const file = parametersOf(capability, ueb.size, ueb.segmentSize);
  if (ueb.size !== capability.size || ueb.segmentSize % capability.needed !== 0 || !isUebConsistent(bytes, file)) {
    throw new TahoeError('ERR_UEB', { reason: 'it does not fit the capability or itself' });
  }
  return { ueb, file };
}

async function verifyTree(reader: ShareReader, tree: MerkleVerifier, offset: number, what: string): Promise<void> {
  for (const { leaf, runs } of tree.wholeTree()) {
    if (!tree.acceptWhole(leaf, await reader.treeNodes(offset, runs))) throw new TahoeError('ERR_HASH', { what });
  }
}

async function verifyBlocks(
  crypto: CryptoProvider,
  reader: ShareReader,
  { file, tree, offsets }: { file: FileParameters; tree: MerkleVerifier } & Pick<ShareLayout, 'offsets'>,
  signal: AbortSignal,
): Promise<void> {
  let segment = 0;
  let hasher = blockHasher(crypto);
  let left = blockSizeOf(file, 0);
  const end = offsets.data + shareDataSize(file);
  for await (const piece of piecesOf(reader, { begin: offsets.data, end }, signal)) {
    for (let taken = 0; taken < piece.length;) {
      const part = piece.subarray(taken, taken + left);
      hasher.update(part);
      taken += part.length;
      left -= part.length;
      if (left > 0) continue;
      await verifyBlock(reader, tree, { segment, hash: hasher.digest(), treeOffset: offsets.blockHashes });
      hasher = blockHasher(crypto);
      segment += 1;
      left = blockSizeOf(file, segment);
    }
  }
}

/** The next pieces are on their way while one is looked at. */
async function* piecesOf(reader: ShareReader, range: ByteRange, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
  const underWay: Promise<Uint8Array>[] = [];
  for (let next = range.begin; next < range.end || underWay.length > 0;) {
    for (; next < range.end && underWay.length < READ_COUNT; next += READ_SIZE) {
      const reading = reader.bytes(next, Math.min(range.end, next + READ_SIZE), signal);
      reading.catch(() => undefined); // handled when its turn comes
      underWay.push(reading);
    }
    const piece = await underWay.shift();
    if (piece !== undefined) yield piece;
  }
}

async function verifyBlock(
  reader: ShareReader,
  tree: MerkleVerifier,
  { segment, hash, treeOffset }: { segment: number; hash: Uint8Array; treeOffset: number },
): Promise<void> {
  // Of a large tree only what was read last is kept.
  const wanted = tree.wanted(segment);
  if (wanted.length > 0) tree.accept(segment, await reader.treeNodes(treeOffset, wanted));
  const leaf = tree.leafHash(segment);
  if (leaf === undefined || !equalBytes(leaf, hash)) {
    throw new TahoeError('ERR_HASH', { what: `block ${String(segment)}` });
  }
}
