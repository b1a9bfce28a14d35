/** Why a file cannot be read now. */
import { formatBase32 } from '#core/base32.js';
import { TahoeError } from '#core/errors.js';
import type { Servermap } from './servermap.js';

/** How many servers' reasons it names. */
const REASONS_MAX = 5;

/** Nothing in the map can be recovered. @param needed - of the file, where no share says how many it takes. */
export function shortage(map: Servermap, storageIndexBytes: Uint8Array, needed: number): TahoeError {
  const [newest] = map.versions();
  const storageIndex = formatBase32(storageIndexBytes);
  const failures = [...map.failures].slice(0, REASONS_MAX).map(([server, reason]) => `${server.shortName}: ${reason}`);
  const detail = [`${String(map.answered.size)} servers answered`, ...failures].join('; ');
  if (newest === undefined) return new TahoeError('ERR_NO_SHARES', { storageIndex, needed, detail });
  const { distinct, version } = newest;
  return new TahoeError('ERR_NOT_ENOUGH_SHARES', { storageIndex, needed: version.needed, found: distinct, detail });
}
