/**
 * Repairs a mutable file, which takes its write capability: the best version is published once more, under the next
 * sequence number, over every share that is found, and spread over as many servers as there are.
 *
 * It refuses where that would undo what somebody wrote: while a newer version is there in part, and where several
 * versions of one number hide one another. Who reads and writes the file decides what becomes of them.
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "t=check"; src/allmydata/mutable/repairer.py (the rules)
 */
import { formatBase32 } from '#core/base32.js';
import { TahoeError } from '#core/errors.js';
import type { MutableCapability } from '#core/mutable/access.js';
import type { MutableContext } from '../mutable/mutable-context.js';
import { MutableFile } from '../mutable/mutable-file.js';
import type { CheckOptions } from './check-immutable.js';
import { lookAtMutable } from './check-mutable.js';
import type { MutableLook } from './check-mutable.js';
import type { RepairReport } from './check-report.js';
import type { MutableCheckReport } from './mutable-report.js';

/** The reports of a mutable file's repair. */
export interface MutableRepairReport extends RepairReport {
  readonly before: MutableCheckReport;
  readonly after: MutableCheckReport;
}

/**
 * Checks the file and repairs it where that says so. Through a capability that does not write, and where nothing can be
 * recovered, the check is all that is done.
 * @throws ERR_REPAIR_REFUSED when a repair would lose what was written; ERR_ROLLED_BACK when this node has seen a newer
 *   version than there is; ERR_UNCOORDINATED_WRITE, ERR_UNHAPPY, ERR_TOO_LARGE, ERR_NOT_ENOUGH_SHARES, ERR_CANCELLED.
 */
export async function repairMutable(
  context: MutableContext,
  capability: MutableCapability,
  options: CheckOptions,
): Promise<MutableRepairReport> {
  const look = await lookAtMutable(context, capability, options);
  const before = look.report;
  const done = (after: MutableCheckReport, repairAttempted: boolean): MutableRepairReport => {
    const repairSuccessful = repairAttempted && after.healthy;
    return { kind: 'shares', repairAttempted, repairSuccessful, before, after };
  };
  if (capability.kind !== 'ssk' || !isRepairWanted(before)) return done(before, false);
  if (!before.recoverable) return done(before, true);
  checkNothingIsLost(before);
  await new MutableFile(context, capability).republish(look.map, { signal: options.signal });
  return done(await lookAfter(context, capability, options, look), true);
}

/** Shares that lie on too few servers are worth a repair only while there are others to put them on. */
function isRepairWanted(report: MutableCheckReport): boolean {
  const hasRoomToSpread = report.happiness < Math.min(report.total, report.serversResponding.length);
  const isSpreadWanted = !report.happinessHealthy && hasRoomToSpread;
  return !report.healthy || report.corruptShares.length > 0 || isSpreadWanted;
}

/** @throws ERR_REPAIR_REFUSED. */
function checkNothingIsLost({ needsMerge, newerUnrecoverableCount, storageIndex }: MutableCheckReport): void {
  const reasons = [
    ...(newerUnrecoverableCount > 0 ? ['there are shares of a newer version that cannot be recovered'] : []),
    ...(needsMerge ? ['several versions of it have one sequence number'] : []),
  ];
  if (reasons.length === 0) return;
  throw new TahoeError('ERR_REPAIR_REFUSED', {
    storageIndex: formatBase32(storageIndex),
    reason: reasons.join(', and '),
  });
}

/** A look at those who answered before; nobody else has been written to, and the rest would only be waited for again. */
async function lookAfter(
  context: MutableContext,
  capability: MutableCapability,
  { signal }: CheckOptions,
  { map, report }: MutableLook,
): Promise<MutableCheckReport> {
  const serversFor = (storageIndex: Uint8Array) =>
    context.serversFor(storageIndex).filter((server) => map.answered.has(server));
  const after = await lookAtMutable({ ...context, serversFor }, capability, { signal });
  return { ...after.report, leases: report.leases };
}
