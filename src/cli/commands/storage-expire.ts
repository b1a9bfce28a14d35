/** `storage expire`: removes the shares that no lease keeps from a node that is stopped, or only lists them. */
import { listExpired, removeExpired } from '#node/storage-tasks.js';
import type { ExpiryOutcome, ExpiryReport } from '#node/storage-tasks.js';
import type { CommandModule } from '../context.js';
import { FAILURE, SUCCESS } from '../exit-status.js';
import { interruptible } from '../interrupt.js';
import { formatSize } from '../quantities.js';
import { countShares, describeStorageTask, printFound, storageTask } from '../storage-words.js';

interface ExpireWords {
  readonly dryRun?: boolean;
}

/** Removes expired shares. */
export const command: CommandModule = {
  describe(command) {
    const description =
      'Removes the shares that no lease keeps, as [storage]expire.* in tahoe.cfg says. The first time, and whenever ' +
      'those options have changed, they are only listed; they go when that is a day ago. The node must be stopped; ' +
      'one that runs does this by itself.';
    describeStorageTask(command, description).option('--dry-run', 'only list them; the node may run meanwhile');
  },

  async run(command, context) {
    const task = storageTask(command, context);
    if (command.opts<ExpireWords>().dryRun === true) {
      const report = await listExpired(task);
      await printFound(command, context, report, linesOfReport(report));
      return SUCCESS;
    }
    return interruptible('the expiry', async (signal) => {
      const outcome = await removeExpired(task, signal);
      await printFound(command, context, outcome, linesOf(outcome));
      return outcome.kind === 'paused' ? FAILURE : SUCCESS;
    });
  },
};

function linesOf(outcome: ExpiryOutcome): readonly string[] {
  switch (outcome.kind) {
    case 'paused':
      return [`nothing was removed: ${outcome.reason}`];
    case 'reported':
      return [...linesOfReport(outcome.report), afterLine(outcome.removesAfterMs)];
    case 'waiting':
      return [afterLine(outcome.removesAfterMs)];
    case 'removed':
      return [`removed ${countShares(outcome.shareCount)}, ${formatSize(outcome.diskBytes)}`];
  }
}

function linesOfReport({ shares, shareCount, diskBytes, leaselessCount, policy }: ExpiryReport): readonly string[] {
  const named = shares.map(
    ({ storageIndex, shareNumber, kind, diskBytes, lastLeaseEnded }) =>
      `${storageIndex} ${String(shareNumber)} ${kind} ${formatSize(diskBytes)}, kept until ${lastLeaseEnded}`,
  );
  const more = shareCount > shares.length ? [`… and ${String(shareCount - shares.length)} more`] : [];
  const kept = leaselessCount === 0 ? '' : `; ${countShares(leaselessCount)} without any lease, which stay`;
  return [...named, ...more, `${countShares(shareCount)}, ${formatSize(diskBytes)}: ${policy}${kept}`];
}

function afterLine(removesAfterMs: number): string {
  return `nothing was removed; they go after ${new Date(removesAfterMs).toISOString()}`;
}
