/**
 * Writing on top of what this node wrote itself a moment ago, without a look: the servers say whether somebody else was
 * there since, for they write only where the share that is expected is there still.
 */
import { equalBytes } from '#core/bytes.js';
import { isTahoeError } from '#core/errors.js';
import type { WrittenVersion } from './known-versions.js';
import type { MutableContext } from './mutable-context.js';

/**
 * Tries it, where there is something to try it on.
 * @returns `met` when somebody else was there; undefined when `attempt` was not made, or has not done it.
 */
export async function onOwnWork<Result>(
  { clock, known, seen }: Pick<MutableContext, 'clock' | 'known' | 'seen'>,
  storageIndex: Uint8Array,
  attempt: (written: WrittenVersion) => Promise<Result | undefined>,
): Promise<Result | 'met' | undefined> {
  const written = known?.takeWritten(storageIndex, clock.monotonicMs());
  if (written === undefined) return undefined;
  const highest = await seen.highest(storageIndex);
  if ((highest?.sequenceNumber ?? 0) > written.map.highestSequenceNumber) return undefined;
  try {
    return await attempt(written);
  } catch (error) {
    if (isTahoeError(error, 'ERR_UNCOORDINATED_WRITE')) return 'met';
    throw error;
  }
}

/**
 * New contents made of old ones that may not be the newest any more. Whatever else a change says of those, that there
 * is nothing to do or that it cannot be done, is worth nothing: undefined then.
 */
export async function changedBy(
  change: (old: Uint8Array, isFirst: boolean) => Uint8Array | undefined | Promise<Uint8Array | undefined>,
  old: Uint8Array,
): Promise<Uint8Array | undefined> {
  try {
    const changed = await change(old.slice(), true);
    return changed === undefined || equalBytes(changed, old) ? undefined : changed;
  } catch {
    return undefined;
  }
}
