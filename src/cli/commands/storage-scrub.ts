/** `storage scrub`: reads every share of a node that is stopped, and names those that are damaged. */
import { formatBase32 } from '#core/base32.js';
import { scrubStore } from '#node/storage-tasks.js';
import type { CommandModule } from '../context.js';
import { FAILURE, SUCCESS } from '../exit-status.js';
import { interruptible } from '../interrupt.js';
import { formatSize } from '../quantities.js';
import { countShares, describeStorageTask, printFound, storageTask } from '../storage-words.js';

/** Scrubs a store. */
export const command: CommandModule = {
  describe(command) {
    const description =
      'Reads every share and names those whose data are no longer those that were stored. The node must be stopped; ' +
      'one that runs scrubs by itself. When interrupted it goes on the next time where it was. The exit status is 1 ' +
      'when shares are damaged.';
    describeStorageTask(command, description);
  },

  run(command, context) {
    return interruptible('the scrub', async (signal) => {
      const { figures, damaged, isWhole } = await scrubStore(storageTask(command, context), signal);
      const named = damaged.map(({ storageIndex, shareNumber, reason }) => ({
        ...{ storageIndex: formatBase32(storageIndex), shareNumber, reason },
      }));
      const { shareCount, bytes, damagedCount, newCount, unreadCount } = figures;
      const lines = [
        ...named.map(({ storageIndex, shareNumber, reason }) => `${storageIndex} ${String(shareNumber)}: ${reason}`),
        `${countShares(shareCount)} read, ${formatSize(bytes)}: ${String(damagedCount)} damaged (${String(damaged.length)} ` +
          `new), ${String(newCount)} read for the first time, ${String(unreadCount)} that could not be read now`,
        ...(isWhole ? [] : ['not finished: the next scrub goes on from here']),
      ];
      await printFound(command, context, { ...figures, damaged: named, isWhole }, lines);
      return damagedCount === 0 && isWhole ? SUCCESS : FAILURE;
    });
  },
};
