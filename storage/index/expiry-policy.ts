/**
 * When a share has no live lease any more, as the operator has set it. Pure.
 *
 * A lease is as old as the time since it was granted or renewed, 31 days before it ends. With `age` it is over
 * when it is older than the given duration, without one when its own 31 days are over; with `cutoff-date` when it
 * was granted before that day. A share may go when every lease of it is over. A share that never had a lease is
 * kept: nobody has said how long it is for, and leases have been lost before.
 *
 * Here we differ from the reference, which without a duration never lets a lease end.
 * @see Tahoe-LAFS docs/garbage-collection.rst
 */
import { LEASE_DURATION_SECONDS } from '../leases.js';
import type { ShareFacts, ShareKind } from './share-facts.js';
import type { ShareRecord } from './share-record.js';

/** The last second that a lease can name: who wants a lease that never ends names it. */
const NEVER = 0xffff_ffff;

/** Which leases are over. Times in Unix seconds. */
export type ExpiryRule =
  | { readonly mode: 'age'; readonly durationSeconds: number | undefined }
  | { readonly mode: 'cutoff-date'; readonly cutoffSeconds: number };

/** Which leases are over, and of which shares. */
export interface ExpiryPolicy {
  readonly rule: ExpiryRule;
  readonly immutable: boolean;
  readonly mutable: boolean;
}

/** Whether every lease of a share is over. @param nowSeconds - Unix seconds. */
export function isExpired(policy: ExpiryPolicy, share: ShareFacts, nowSeconds: number): boolean {
  const { kind, expiries } = share;
  const end = endedBefore(policy.rule, nowSeconds);
  return policy[kind] && expiries.length > 0 && expiries.every((expiry) => isOver(expiry, end));
}

/** The same from what the index knows; the share itself has the last word. */
export function seemsExpired(policy: ExpiryPolicy, record: ShareRecord, nowSeconds: number): boolean {
  if (record.kind === 'damaged' || !policy[record.kind] || record.leaseCount === 0) return false;
  return isOver(record.latestExpiry, endedBefore(policy.rule, nowSeconds));
}

/** The policy as a text that is another one when the policy is. */
export function describePolicy({ rule, immutable, mutable }: ExpiryPolicy): string {
  const kinds: readonly ShareKind[] = ['immutable', 'mutable'];
  const chosen = kinds.filter((kind) => (kind === 'immutable' ? immutable : mutable)).join(' and ');
  return `${describeRule(rule)}; of ${chosen === '' ? 'no' : chosen} shares`;
}

function describeRule(rule: ExpiryRule): string {
  switch (rule.mode) {
    case 'age':
      return rule.durationSeconds === undefined
        ? 'leases whose own time is over'
        : `leases not renewed for ${String(rule.durationSeconds)} s`;
    case 'cutoff-date':
      return `leases not renewed since ${new Date(rule.cutoffSeconds * 1000).toISOString()}`;
  }
}

/** Leases that end before this are over. */
function endedBefore(rule: ExpiryRule, nowSeconds: number): number {
  switch (rule.mode) {
    case 'age':
      return rule.durationSeconds === undefined
        ? nowSeconds
        : nowSeconds - rule.durationSeconds + LEASE_DURATION_SECONDS;
    case 'cutoff-date':
      return rule.cutoffSeconds + LEASE_DURATION_SECONDS;
  }
}

function isOver(expiry: number, end: number): boolean {
  return expiry < end && expiry !== NEVER;
}
