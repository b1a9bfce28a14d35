/**
 * Counts what is stored by walking the disk: the slow way, which needs no index and disturbs nobody. It answers
 * while there is no index yet, and for programs beside a running node.
 */
import { inTurns } from './in-turns.js';
import { SCAN_RUN_LENGTH, scanRuns } from './index-scan.js';
import { nextRecord } from './record-change.js';
import type { ShareInventory } from './share-inventory.js';
import type { IndexedShare } from './share-index.js';
import { countDirectory, countShare, noUsage } from './usage.js';
import type { Usage } from './usage.js';

const LOOK_COUNT = SCAN_RUN_LENGTH;

/** All shares of some storage indexes, and what the directories take. */
interface WalkedShares {
  readonly shares: readonly IndexedShare[];
  readonly directoryBytes: number;
}

/** Every share of the disk, in the order of the index, some at a time. @throws ERR_DISK. */
export async function* walkShares(inventory: ShareInventory): AsyncGenerator<WalkedShares> {
  const prefixBytes = [...(await inventory.prefixBytes()).values()];
  yield { shares: [], directoryBytes: prefixBytes.reduce((sum, bytes) => sum + bytes, 0) };
  for await (const { storageIndexes } of scanRuns(inventory)) {
    const walked = await inTurns(LOOK_COUNT, storageIndexes, (storageIndex) => walkIndex(inventory, storageIndex));
    yield {
      shares: walked.flatMap(({ shares }) => shares),
      directoryBytes: walked.reduce((sum, { directoryBytes }) => sum + directoryBytes, 0),
    };
  }
}

/** What is stored. @throws ERR_DISK. */
export async function walkUsage(inventory: ShareInventory): Promise<Usage> {
  let usage = noUsage;
  for await (const { shares, directoryBytes } of walkShares(inventory)) {
    usage = shares.reduce((sum, { record }) => countShare(sum, record), countDirectory(usage, directoryBytes));
  }
  return usage;
}

async function walkIndex(inventory: ShareInventory, storageIndex: Uint8Array): Promise<WalkedShares> {
  const directory = await inventory.directory(storageIndex);
  const shares: IndexedShare[] = [];
  for (const shareNumber of directory?.shareNumbers ?? []) {
    const place = { storageIndex, shareNumber };
    const seen = await inventory.examine(place);
    if (seen !== undefined) shares.push({ place, record: nextRecord(undefined, seen, 'unknown') });
  }
  return { shares, directoryBytes: directory?.diskBytes ?? 0 };
}
