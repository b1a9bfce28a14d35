/** The keys of a file, from the private key that every share of it carries. */
import type { MutableAccess } from '#core/mutable/access.js';
import { decryptPrivateKey, mutableKeysOf } from '#core/mutable/keys.js';
import type { MutableKeys } from '#core/mutable/keys.js';
import { BlockRace } from './block-race.js';
import type { MutableContext } from './mutable-context.js';
import type { Servermap } from './servermap.js';
import { shortage } from './shortage.js';

/** After so long another share is asked for the private key: it is short, and one answer is enough. */
const KEY_HEDGE_MS = 500;

/** @throws ERR_NO_SHARES, ERR_NOT_ENOUGH_SHARES when no share gives it, ERR_CANCELLED. */
export async function fetchKeys(
  context: MutableContext,
  { storageIndex, writeKey }: MutableAccess,
  map: Servermap,
  signal: AbortSignal,
): Promise<MutableKeys> {
  if (writeKey === undefined) throw new RangeError('writing takes a write key');
  const { shares } = map;
  if (shares.length === 0) throw shortage(map, storageIndex, context.encoding.needed);
  const race = new BlockRace({ ...context, storageIndex, shares, map, needed: 1, hedgeDelayMs: KEY_HEDGE_MS });
  const [answer] = await race.collect(
    1,
    0,
    async (share, ended) => decryptPrivateKey(context.crypto, writeKey, await share.encryptedPrivateKey(ended)),
    signal,
  );
  if (answer === undefined) throw new RangeError('a collection of one has one answer');
  return mutableKeysOf(context.crypto, answer.value);
}
