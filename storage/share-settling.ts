/**
 * Makes shares of one index durable that were placed without a sync, while others may change or remove them.
 * @see share-journal.ts
 */
import { isTahoeError } from '#core/errors.js';
import { systemCodeOf } from './disk-error.js';
import type { NoShareFile, ShareFile } from './share-files.js';

/** What it is done with, at one storage index. */
export interface SettlingOptions {
  readonly open: (shareNumber: number) => Promise<ShareFile | NoShareFile>;
  /** Makes the entries of the index durable, and those of the directories above it. */
  readonly settleEntries: () => Promise<void>;
  readonly isThere: (shareNumber: number) => Promise<boolean>;
}

/**
 * Syncs the files and then their entries, once for all; nothing happens where there is none. Whoever removes the last share
 * of an index sees to that himself and takes its directory along, perhaps between the two.
 * @throws ERR_DISK, ERR_NO_SPACE, ERR_STORE_READONLY.
 */
export async function settleShares(shareNumbers: readonly number[], options: SettlingOptions): Promise<void> {
  const found: number[] = [];
  for (const shareNumber of shareNumbers) {
    if (await syncIfThere(await options.open(shareNumber))) found.push(shareNumber);
  }
  if (found.length === 0) return;
  try {
    await options.settleEntries();
  } catch (error) {
    const code = systemCodeOf(isTahoeError(error, 'ERR_DISK') ? error.cause : error);
    if (code !== 'ENOENT') throw error;
    // Others may have been made there since.
    const there: number[] = [];
    for (const shareNumber of found) if (await options.isThere(shareNumber)) there.push(shareNumber);
    await settleShares(there, options);
  }
}

async function syncIfThere(file: ShareFile | NoShareFile): Promise<boolean> {
  if (file === 'absent' || file === 'unusable') return file === 'unusable';
  try {
    await file.sync();
  } finally {
    await file.close(true);
  }
  return true;
}
