/**
 * Which shares have no live lease any more: found, put in order, and written down for the operator. Pure.
 */
import { formatBase32 } from '#core/base32.js';
import { describePolicy, seemsExpired } from './expiry-policy.js';
import type { ExpiryPolicy } from './expiry-policy.js';
import type { IndexedShare } from './share-index.js';

/** Shares that are removed in one cycle; those whose leases ended last wait for the next. */
export const EXPIRED_COUNT_MAX = 100_000;
/** Shares that a report names; of the others it says how many there are. */
export const REPORTED_COUNT_MAX = 10_000;

/** What was found. Sizes in bytes. */
export interface ExpiredShares {
  /** By the end of their last lease, the earliest first; EXPIRED_COUNT_MAX at most. */
  readonly shares: readonly IndexedShare[];
  /** All that there are. */
  readonly shareCount: number;
  readonly diskBytes: number;
  /** Shares without any lease: they are kept. */
  readonly leaselessCount: number;
}

/** A report, as it is written to a file and printed. */
export interface ExpiryReport {
  readonly time: string;
  readonly policy: string;
  readonly shareCount: number;
  readonly diskBytes: number;
  readonly leaselessCount: number;
  /** REPORTED_COUNT_MAX of them at most. */
  readonly shares: readonly {
    readonly storageIndex: string;
    readonly shareNumber: number;
    readonly kind: string;
    readonly diskBytes: number;
    readonly lastLeaseEnded: string;
  }[];
}

/** Finds the shares that seem to have no live lease. @param nowMs - Unix milliseconds. */
export async function findExpired(
  shares: AsyncIterable<readonly IndexedShare[]>,
  policy: ExpiryPolicy,
  nowMs: number,
): Promise<ExpiredShares> {
  let found: IndexedShare[] = [];
  let [shareCount, diskBytes, leaselessCount] = [0, 0, 0];
  for await (const some of shares) {
    leaselessCount += some.filter(({ record }) => record.kind !== 'damaged' && record.leaseCount === 0).length;
    const expired = some.filter(({ record }) => seemsExpired(policy, record, nowMs / 1000));
    shareCount += expired.length;
    diskBytes += expired.reduce((sum, { record }) => sum + record.diskBytes, 0);
    found.push(...expired);
    if (found.length > 2 * EXPIRED_COUNT_MAX) found = earliest(found);
  }
  return { shares: earliest(found), shareCount, diskBytes, leaselessCount };
}

/** The report of what was found. */
export function reportOf(expired: ExpiredShares, policy: ExpiryPolicy, nowMs: number): ExpiryReport {
  const { shareCount, diskBytes, leaselessCount } = expired;
  const shares = expired.shares.slice(0, REPORTED_COUNT_MAX).map(({ place, record }) => ({
    storageIndex: formatBase32(place.storageIndex),
    shareNumber: place.shareNumber,
    kind: record.kind,
    diskBytes: record.diskBytes,
    lastLeaseEnded: new Date(record.latestExpiry * 1000).toISOString(),
  }));
  const time = new Date(nowMs).toISOString();
  return { time, policy: describePolicy(policy), shareCount, diskBytes, leaselessCount, shares };
}

function earliest(shares: readonly IndexedShare[]): IndexedShare[] {
  const sorted = [...shares].sort((a, b) => a.record.latestExpiry - b.record.latestExpiry);
  return sorted.slice(0, EXPIRED_COUNT_MAX);
}
