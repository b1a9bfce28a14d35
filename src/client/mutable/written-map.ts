/** Where the shares of a version are that was written a moment ago, as a look at the servers would find them. */
import type { MutableVersion } from '#core/mutable/version.js';
import type { KnownVersion } from './known-versions.js';
import type { MutableContext } from './mutable-context.js';
import { Servermap } from './servermap.js';
import type { SharePush } from './share-push.js';
import { MutableShareReader } from './share-reader.js';

/**
 * The map, when every share was written and no server failed.
 * @param header - the same in all shares.
 */
export function writtenMap(
  { clock, crypto }: Pick<MutableContext, 'clock' | 'crypto'>,
  storageIndex: Uint8Array,
  version: MutableVersion,
  header: Uint8Array,
  { failures, placed }: SharePush,
): KnownVersion['written'] {
  const distinct = new Set(placed.map(({ shareNumber }) => shareNumber)).size;
  if (failures.size > 0 || distinct < version.total) return undefined;
  const map = new Servermap();
  for (const { server, shareNumber } of placed) {
    map.answered.add(server);
    map.add(new MutableShareReader({ crypto, storageIndex, server, shareNumber }, header, false));
  }
  return { map, atMs: clock.monotonicMs() };
}
