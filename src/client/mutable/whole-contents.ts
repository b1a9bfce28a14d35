/** The contents of a version, whole: from memory where this node has read or written that version before. */
import type { MutableContext } from './mutable-context.js';
import type { VersionReader } from './version-reader.js';

/** @returns bytes that the caller owns. @throws as reading does. */
export async function wholeContents(
  { known }: Pick<MutableContext, 'known'>,
  storageIndex: Uint8Array,
  reader: VersionReader,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { version } = reader;
  const kept = known?.of(storageIndex, version).contents;
  if (kept !== undefined) return kept.slice();
  const contents = await reader.bytes({ begin: 0, end: Number.MAX_SAFE_INTEGER }, signal);
  known?.keep(storageIndex, version, { ...known.of(storageIndex, version), contents });
  return contents;
}
