/**
 * What a check of a file found: plain values, the same for immutable and mutable files.
 *
 * The reference's verdict and ours stand beside one another. It calls a file healthy when all N shares are there; we
 * also say whether they are spread over enough servers, for N shares on one server are lost with that server.
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "t=check"
 */
import { serversOfHappiness } from '#core/happiness.js';
import type { StorageServer } from '../storage-server.js';

/** A server as reports name it. */
export type CheckedServer = Pick<StorageServer, 'serverId' | 'shortName' | 'nickname'>;

/** One share on one server. */
export interface ShareLocation {
  readonly server: CheckedServer;
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  readonly shareNumber: number;
}

/** How many servers got a lease on the file's shares, and how many were asked for one in vain. */
export interface LeaseCounts {
  readonly renewed: number;
  readonly failed: number;
}

/** The state of one file that has shares. */
export interface CheckReport {
  readonly kind: 'shares';
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  readonly needed: number;
  readonly total: number;
  /** The verdict in the reference's words. */
  readonly summary: string;
  /** All N shares are there; of a mutable file also: of one version, and no other version is in sight. */
  readonly healthy: boolean;
  readonly recoverable: boolean;
  /** How many servers each hold a different share. */
  readonly happiness: number;
  /** How many should: the node's `shares.happy`, but not more than there are shares. */
  readonly happinessWanted: number;
  readonly happinessHealthy: boolean;
  /** Different good shares, of the best version. */
  readonly goodShareCount: number;
  /** Servers with at least one good share. */
  readonly goodShareHostCount: number;
  readonly corruptShares: readonly ShareLocation[];
  /** Of a format that is not known here. */
  readonly incompatibleShares: readonly ShareLocation[];
  /** Those whose server failed while they were read: neither good nor bad. */
  readonly unreadShares: readonly ShareLocation[];
  /** Shares of other versions than the best. */
  readonly wrongShareCount: number;
  readonly recoverableVersionCount: number;
  readonly unrecoverableVersionCount: number;
  /** Share id → who has it. The id is the number, of a mutable file `seq<number>-<root hash>-sh<number>`. */
  readonly sharemap: ReadonlyMap<string, readonly CheckedServer[]>;
  readonly serversResponding: readonly CheckedServer[];
  readonly leases: LeaseCounts;
}

/** A literal has no shares that could be missing. */
export interface LiteralCheck {
  readonly kind: 'literal';
  readonly healthy: true;
}

/** What a check gives. */
export type CheckOutcome = CheckReport | LiteralCheck;

/** A check, what was done about it, and how things are since. */
export interface RepairReport {
  readonly kind: 'shares';
  readonly repairAttempted: boolean;
  readonly repairSuccessful: boolean;
  readonly before: CheckReport;
  /** The same as `before` where no repair was attempted. */
  readonly after: CheckReport;
}

/** What a repair gives. */
export type RepairOutcome = RepairReport | LiteralCheck;

/** How far a check is: shares looked at, of those that were found. */
export type CheckProgress = (checkedShares: number, foundShares: number) => void;

/** The only answer for a literal. */
export const literalCheck: LiteralCheck = { kind: 'literal', healthy: true };

/** What was seen of an immutable file. */
export interface ImmutableFindings extends Pick<
  CheckReport,
  | 'storageIndex'
  | 'needed'
  | 'total'
  | 'happinessWanted'
  | 'corruptShares'
  | 'incompatibleShares'
  | 'unreadShares'
  | 'serversResponding'
  | 'leases'
> {
  /** Share number → who has it, good as far as was looked. */
  readonly good: ReadonlyMap<number, readonly CheckedServer[]>;
}

/**
 * Draws the conclusions.
 * @param findings - with no share number of `total` and more.
 */
export function reportImmutable({ good, ...findings }: ImmutableFindings): CheckReport {
  const { needed, total, happinessWanted } = findings;
  const holdings = new Map<string, Set<number>>();
  for (const [shareNumber, servers] of good)
    for (const { serverId } of servers) holdings.set(serverId, (holdings.get(serverId) ?? new Set()).add(shareNumber));
  const happiness = serversOfHappiness(holdings);
  const healthy = good.size === total;
  const recoverable = good.size >= needed;
  const inOrder = [...good].sort(([a], [b]) => a - b);
  return {
    ...findings,
    kind: 'shares',
    summary: healthy
      ? 'Healthy'
      : `Not Healthy: ${String(good.size)} shares (enc ${String(needed)}-of-${String(total)})`,
    healthy,
    recoverable,
    happiness,
    happinessHealthy: happiness >= happinessWanted,
    goodShareCount: good.size,
    goodShareHostCount: holdings.size,
    wrongShareCount: 0,
    recoverableVersionCount: recoverable ? 1 : 0,
    unrecoverableVersionCount: recoverable ? 0 : 1,
    sharemap: new Map(inOrder.map(([shareNumber, servers]) => [String(shareNumber), servers])),
  };
}

/** An immutable file's report with shares that were placed since; the summary is as short as the reference's then. */
export function withPlacedShares(
  before: CheckReport,
  placed: ReadonlyMap<CheckedServer, ReadonlySet<number>>,
): CheckReport {
  const good = new Map([...before.sharemap].map(([id, servers]) => [Number(id), [...servers]]));
  const isSame = (a: CheckedServer) => (b: CheckedServer) => a.serverId === b.serverId;
  for (const [server, shareNumbers] of placed) {
    for (const shareNumber of shareNumbers) {
      const servers = good.get(shareNumber) ?? [];
      if (!servers.some(isSame(server))) good.set(shareNumber, [...servers, server]);
    }
  }
  const newServers = [...placed.keys()].filter((server) => !before.serversResponding.some(isSame(server)));
  const after = reportImmutable({ ...before, good, serversResponding: [...before.serversResponding, ...newServers] });
  return { ...after, summary: after.healthy ? 'healthy' : 'not healthy' };
}
