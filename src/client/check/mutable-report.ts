/**
 * Draws the conclusions from what was seen of a mutable file. Pure: shares in, figures and the reference's words out.
 *
 * Its figures are the reference's: shares that count are those of the best version (where none can be recovered, of
 * the newest), and the sharemap names those of every version. Happiness is counted over the sharemap too; our verdict
 * on it looks at the best version alone, for shares of others do not help to read that.
 * @see Tahoe-LAFS src/allmydata/mutable/checker.py (the rules)
 */
import { formatBase32 } from '#core/base32.js';
import { serversOfHappiness } from '#core/happiness.js';
import { happinessOf } from '../mutable/servermap.js';
import type { BadShare, FoundVersion, Servermap } from '../mutable/servermap.js';
import type { StorageServer } from '../storage-server.js';
import type { CheckReport, LeaseCounts, ShareLocation } from './check-report.js';

/** What the reference says of a file of which nothing was found. */
const UNKNOWN_ENCODING = { needed: 3, total: 10 };
/** How many characters of the root hash name a version. */
const ROOT_CHARACTERS = 4;
/** Shares whose first byte is none of these are of a format that another program may know. */
const KNOWN_FORMATS = [0, 1];

/** The state of a mutable file. */
export interface MutableCheckReport extends CheckReport {
  /** Whether versions of one sequence number hide one another. */
  readonly needsMerge: boolean;
  /** Versions above the best that cannot be recovered. */
  readonly newerUnrecoverableCount: number;
}

/** What was seen. */
export interface MutableFindings {
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  /** Of new files. */
  readonly happy: number;
  /** The good shares, as far as was looked, and the bad ones. */
  readonly map: Servermap;
  /** Shares that are in no map since their server failed while they were read. */
  readonly unreadShares: readonly ShareLocation[];
  readonly leases: LeaseCounts;
}

/** Draws the conclusions. */
export function reportMutable({ happy, leases, map, storageIndex, unreadShares }: MutableFindings): MutableCheckReport {
  const versions = map.versions();
  const recoverable = versions.filter((version) => version.recoverable);
  const counted = recoverable[0] ?? versions[0];
  const { needed, total } = counted?.version ?? UNKNOWN_ENCODING;
  const bad = map.badShares.map((share) => ({ ...share, storageIndex }));
  const corrupt = bad.filter(isOfKnownFormat);
  const reasons = reasonsAgainst(versions, recoverable, corrupt);
  const healthy = recoverable.length === 1 && versions.length === 1 && counted?.distinct === total;
  const happinessWanted = Math.min(happy, total);
  return {
    kind: 'shares',
    storageIndex,
    needed,
    total,
    summary: healthy ? 'Healthy' : `Unhealthy: ${reasons.join(' ')}`,
    healthy,
    recoverable: recoverable.length > 0,
    happiness: happinessOfAll(versions),
    happinessWanted,
    happinessHealthy: recoverable.length > 0 && happinessOf(counted?.shares ?? []) >= happinessWanted,
    goodShareCount: counted?.distinct ?? 0,
    goodShareHostCount: new Set(counted?.shares.map(({ server }) => server)).size,
    corruptShares: corrupt.map(locationOf),
    incompatibleShares: bad.filter((share) => !isOfKnownFormat(share)).map(locationOf),
    unreadShares,
    wrongShareCount: map.shares.length - (counted?.shares.length ?? 0),
    recoverableVersionCount: recoverable.length,
    unrecoverableVersionCount: versions.length - recoverable.length,
    sharemap: sharemapOf(versions),
    serversResponding: [...map.answered],
    leases,
    needsMerge: map.needsMerge,
    newerUnrecoverableCount: map.newerUnrecoverable().length,
  };
}

function reasonsAgainst(
  versions: readonly FoundVersion[],
  recoverable: readonly FoundVersion[],
  corrupt: readonly BadShare[],
): string[] {
  const [best] = recoverable;
  const reasons: string[] = [];
  if (versions.length > recoverable.length) reasons.push('some versions are unrecoverable');
  if (best === undefined) reasons.push('no versions are recoverable');
  if (recoverable.length > 1) reasons.push('multiple versions are recoverable');
  if (best !== undefined && best.distinct < best.version.total) {
    const { needed, total } = best.version;
    reasons.push(`${String(best.distinct)} shares (enc ${String(needed)}-of-${String(total)})`);
  }
  if (corrupt.length > 0) reasons.push('Corrupt Shares:');
  reasons.push(...corrupt.map(({ server, shareNumber }) => `${server.shortName}-sh${String(shareNumber)}`));
  return reasons;
}

function isOfKnownFormat({ checkstring }: BadShare): boolean {
  return checkstring[0] === undefined || KNOWN_FORMATS.includes(checkstring[0]);
}

function locationOf({ server, shareNumber, storageIndex }: ShareLocation): ShareLocation {
  return { server, storageIndex, shareNumber };
}

/** The newest version first, each by share number. */
function sharemapOf(versions: readonly FoundVersion[]): Map<string, StorageServer[]> {
  const sharemap = new Map<string, StorageServer[]>();
  for (const { shares, version } of versions) {
    const root = formatBase32(version.rootHash).slice(0, ROOT_CHARACTERS);
    for (const { server, shareNumber } of [...shares].sort((a, b) => a.shareNumber - b.shareNumber)) {
      const id = `seq${String(version.sequenceNumber)}-${root}-sh${String(shareNumber)}`;
      sharemap.set(id, [...(sharemap.get(id) ?? []), server]);
    }
  }
  return sharemap;
}

/** Over how many servers the shares of all versions are spread. */
function happinessOfAll(versions: readonly FoundVersion[]): number {
  const holdings = new Map<string, Set<number>>();
  const ordinals = [...sharemapOf(versions).values()];
  for (const [ordinal, servers] of ordinals.entries())
    for (const { serverId } of servers) holdings.set(serverId, (holdings.get(serverId) ?? new Set()).add(ordinal));
  return serversOfHappiness(holdings);
}
