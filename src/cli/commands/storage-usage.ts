/** `storage usage`: how much a node stores, and how much more it may. It walks the disk, beside a running node too. */
import { measureStore } from '#node/storage-tasks.js';
import type { StorageUsage } from '#node/storage-tasks.js';
import type { CommandModule } from '../context.js';
import { SUCCESS } from '../exit-status.js';
import { formatSize } from '../quantities.js';
import { countShares, describeStorageTask, printFound, storageTask } from '../storage-words.js';

/** Measures a store. */
export const command: CommandModule = {
  describe(command) {
    const description =
      'Prints how many shares a node stores, what they take of the disk, and how much more it may store. It reads ' +
      'the whole storage directory; the node may run meanwhile.';
    describeStorageTask(command, description);
  },

  async run(command, context) {
    const found = await measureStore(storageTask(command, context));
    const { usage, ...rest } = found;
    await printFound(command, context, { ...usage, ...rest, maximumBytes: rest.maximumBytes ?? null }, linesOf(found));
    return SUCCESS;
  },
};

function linesOf(found: StorageUsage): string[] {
  const { usage, diskBytes, freeBytes, reservedBytes, maximumBytes, availableBytes } = found;
  const kinds = (['immutable', 'mutable', 'damaged'] as const).map((kind) => {
    const { shareCount, dataBytes, diskBytes } = usage[kind];
    const data = kind === 'damaged' ? '' : `${formatSize(dataBytes)} of data, `;
    return `${kind}: ${countShares(shareCount)}, ${data}${formatSize(diskBytes)} on disk`;
  });
  const maximum = maximumBytes === undefined ? 'no max_space' : `max_space ${formatSize(maximumBytes)}`;
  return [
    ...kinds,
    `in all: ${formatSize(diskBytes)} on disk, ${formatSize(usage.directoryBytes)} of them for directories`,
    `room for: ${formatSize(availableBytes)} (${formatSize(freeBytes)} free, ${formatSize(reservedBytes)} reserved, ${maximum})`,
  ];
}
