/**
 * Makes a share durable that was placed without a sync, while others may change or remove it.
 * @see share-journal.ts
 */
import { isTahoeError } from '#core/errors.js';
import { systemCodeOf } from './disk-error.js';
import type { NoShareFile, ShareFile } from './share-files.js';

/** What it is done with, for one place. */
export interface SettlingOptions {
  readonly open: () => Promise<ShareFile | NoShareFile>;
  /** Makes the entry of the share durable, and those of the directories above it. */
  readonly settleEntry: () => Promise<void>;
  readonly isThere: () => Promise<boolean>;
}

/**
 * Syncs the file and its entry; nothing happens where there is none. Whoever removes the last share of an index sees to
 * that himself and takes its directory along, perhaps between the two syncs.
 * @throws ERR_DISK, ERR_NO_SPACE, ERR_STORE_READONLY.
 */
export async function settleShare(options: SettlingOptions): Promise<void> {
  const file = await options.open();
  if (file === 'absent') return;
  if (file !== 'unusable') {
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }
  try {
    await options.settleEntry();
  } catch (error) {
    const code = systemCodeOf(isTahoeError(error, 'ERR_DISK') ? error.cause : error);
    if (code !== 'ENOENT') throw error;
    // Another may have been made there since.
    if (await options.isThere()) await settleShare(options);
  }
}
