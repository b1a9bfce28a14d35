/**
 * Which bytes of an immutable share are asked for before anything of it is known. Where things lie follows from the file's
 * size, for a writer that cuts it as most do; what the guess misses is fetched where the share's header says it is.
 */
import { layoutOf, SHARE_HEADER_SIZE_MAX } from '#core/immutable/layout.js';
import type { WrittenShareLayout } from '#core/immutable/layout.js';
import { fileParameters } from '#core/immutable/parameters.js';
import type { EdgeSizes } from '#wire/immutable-beginnings.js';
import type { ByteRange } from '#wire/storage.js';
import type { SharedFile } from './share-reader.js';

/** How much of a share's beginning and end is fetched of each share that is opened, in bytes. */
export const SPECULATION_SIZE = 65_536;
/**
 * A share of at most so many bytes comes whole with the answer to whether it is there. More servers are asked that than are
 * needed, so that a larger one would cost more than the round trip is worth.
 */
const WHOLE_SIZE_MAX = 16_384;
/** How much of the end of a larger one comes with it, in bytes: both its hash trees, up to a file of 256 MiB. */
const END_SIZE_MAX = 36_864;

/** Header and trailer of a share, or all of it where it is small. */
export function speculativeRanges(file: SharedFile): readonly ByteRange[] {
  const { allocatedSize: size, offsets } = guessedLayout(file);
  if (size <= SPECULATION_SIZE) return [{ begin: 0, end: Math.max(size, SHARE_HEADER_SIZE_MAX) }];
  return [
    { begin: 0, end: SHARE_HEADER_SIZE_MAX },
    { begin: Math.max(offsets.crypttextHashTree, size - SPECULATION_SIZE), end: size },
  ];
}

/** How much of every share of a server is asked for together with which they are. */
export function wantedEdges(file: SharedFile): EdgeSizes {
  const { allocatedSize: size, offsets } = guessedLayout(file);
  if (size <= WHOLE_SIZE_MAX) return { beginning: Math.max(size, SHARE_HEADER_SIZE_MAX), end: 0 };
  // Half a tree is worth nothing: its nodes are believed from the root downwards.
  const { blockHashes, crypttextHashTree, shareHashes } = offsets;
  const begin = [crypttextHashTree, blockHashes].find((offset) => size - offset <= END_SIZE_MAX) ?? shareHashes;
  return { beginning: SHARE_HEADER_SIZE_MAX, end: size - begin };
}

function guessedLayout(file: SharedFile): WrittenShareLayout {
  return layoutOf(fileParameters(file, Math.max(1, file.size)));
}
