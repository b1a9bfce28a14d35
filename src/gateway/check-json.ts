/**
 * Checks and repairs as the web API's JSON has them: the reference's keys in its order, and no others.
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "t=check"
 */
import { formatBase32 } from '#core/base32.js';
import type { CheckOutcome, CheckReport, RepairOutcome } from '#client/check/check-report.js';

/** What `t=check` answers. */
export function checkJson(outcome: CheckOutcome): object {
  if (outcome.kind === 'literal') return { 'storage-index': '', results: { healthy: true } };
  return {
    'storage-index': formatBase32(outcome.storageIndex),
    summary: outcome.summary,
    results: { ...counts(outcome), healthy: outcome.healthy, recoverable: outcome.recoverable },
  };
}

/** What `t=check` answers with `repair=true`; for a literal the same as without. */
export function repairJson(outcome: RepairOutcome): object {
  if (outcome.kind === 'literal') return checkJson(outcome);
  const { before, after, repairAttempted, repairSuccessful } = outcome;
  return {
    'storage-index': formatBase32(before.storageIndex),
    'repair-attempted': repairAttempted,
    'repair-successful': repairSuccessful,
    'pre-repair-results': checkJson(before),
    'post-repair-results': checkJson(after),
  };
}

function counts(report: CheckReport): object {
  const { corruptShares, serversResponding, sharemap } = report;
  return {
    'count-happiness': report.happiness,
    'count-shares-good': report.goodShareCount,
    'count-shares-needed': report.needed,
    'count-shares-expected': report.total,
    'count-good-share-hosts': report.goodShareHostCount,
    'count-corrupt-shares': corruptShares.length,
    'list-corrupt-shares': corruptShares.map(({ server, storageIndex, shareNumber }) => [
      server.serverId,
      formatBase32(storageIndex),
      shareNumber,
    ]),
    'servers-responding': serversResponding.map(({ serverId }) => serverId),
    sharemap: Object.fromEntries(
      [...sharemap].map(([id, servers]) => [id, servers.map(({ serverId }) => serverId).sort()]),
    ),
    'count-wrong-shares': report.wrongShareCount,
    'count-recoverable-versions': report.recoverableVersionCount,
    'count-unrecoverable-versions': report.unrecoverableVersionCount,
  };
}
