/**
 * Checks and repairs whatever a capability names: immutable files, mutable files, and the files that directories of
 * either kind are kept in. What walks over many objects is fed with the same.
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "t=check" and "t=start-deep-check"
 */
import type { KnownCapability } from '#core/capability/types.js';
import type { MutableContext } from '../mutable/mutable-context.js';
import type { VisitedNode } from '../traversal/walk.js';
import { checkImmutable } from './check-immutable.js';
import type { CheckContext, CheckOptions } from './check-immutable.js';
import { checkMutable } from './check-mutable.js';
import type { CheckOutcome, CheckReport, RepairOutcome, RepairReport } from './check-report.js';
import { repairImmutable } from './repair-immutable.js';
import type { RepairContext, RepairOptions } from './repair-immutable.js';
import { repairMutable } from './repair-mutable.js';

/** Checks any object. @throws ERR_CANCELLED. */
export async function check(
  context: CheckContext & MutableContext,
  capability: KnownCapability,
  options: CheckOptions,
): Promise<CheckOutcome> {
  const file = capability.kind === 'directory' ? capability.file : capability;
  switch (file.kind) {
    case 'lit':
    case 'chk':
    case 'chk-verify':
      return checkImmutable(context, file, options);
    case 'ssk':
    case 'ssk-ro':
    case 'ssk-verify':
      return checkMutable(context, file, options);
  }
}

/** Checks any object and repairs it where that says so. @throws as `repairImmutable` and `repairMutable`. */
export async function repair(
  context: RepairContext & MutableContext,
  capability: KnownCapability,
  options: RepairOptions,
): Promise<RepairOutcome> {
  const file = capability.kind === 'directory' ? capability.file : capability;
  switch (file.kind) {
    case 'lit':
    case 'chk':
    case 'chk-verify':
      return repairImmutable(context, file, options);
    case 'ssk':
    case 'ssk-ro':
    case 'ssk-verify':
      return repairMutable(context, file, options);
  }
}

/** What `deepCheck` checks each object with. */
export function checkOfNodes(
  context: CheckContext & MutableContext,
  options: Omit<CheckOptions, 'signal'>,
): (node: VisitedNode, signal: AbortSignal) => Promise<CheckReport> {
  return async ({ child }, signal) => withShares(await check(context, known(child), { ...options, signal }));
}

/** The same for a deep repair. */
export function repairOfNodes(
  context: RepairContext & MutableContext,
  options: Omit<RepairOptions, 'signal'>,
): (node: VisitedNode, signal: AbortSignal) => Promise<RepairReport> {
  return async ({ child }, signal) => withShares(await repair(context, known(child), { ...options, signal }));
}

function known(child: VisitedNode['child']): KnownCapability {
  if (child.kind === 'unknown') throw new RangeError('an unknown child has no shares to check');
  return child;
}

function withShares<Outcome extends { readonly kind: string }>(
  outcome: Outcome,
): Extract<Outcome, { readonly kind: 'shares' }> {
  if (outcome.kind !== 'shares') throw new RangeError('a literal has no shares to check');
  return outcome as Extract<Outcome, { readonly kind: 'shares' }>;
}
