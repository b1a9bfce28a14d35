/**
 * Removing a share whose leases are over: what the expiry needs of a store, and the same over plain files, for a
 * store that is not running.
 */
import { rmdir, unlink } from 'node:fs/promises';
import { formatBase32 } from '#core/base32.js';
import { onDisk, systemCodeOf } from '../disk-error.js';
import { syncDirectory } from '../directory-sync.js';
import type { DiskLayout } from '../disk-layout.js';
import type { KeyedLock } from '../keyed-lock.js';
import type { StoreEvents } from '../store-events.js';
import type { ShareFacts } from './share-facts.js';
import type { ShareInventory } from './share-inventory.js';

/** What became of a share that was to go. */
export type Removal = 'removed' | 'kept' | 'absent';

/** A store that lets go of shares. */
export interface ExpiringStore {
  /**
   * Reads the share anew, while nothing else happens to its storage index, and removes it durably if `isOver` says
   * so of what it is now. A share that makes no sense is kept, and so is one that is being uploaded.
   * @throws ERR_DISK, ERR_STORE_READONLY.
   */
  removeExpired(
    storageIndex: Uint8Array,
    shareNumber: number,
    isOver: (share: ShareFacts) => boolean,
  ): Promise<Removal>;
}

/** What files are removed from. */
export interface ExpiringFilesOptions {
  readonly layout: DiskLayout;
  readonly inventory: ShareInventory;
  /** Held for the text of a storage index while anything happens to it. */
  readonly lock: KeyedLock;
  readonly events: StoreEvents;
}

/** The share files of a directory as such a store. A directory that becomes empty goes too. */
export class ExpiringFiles implements ExpiringStore {
  readonly #options: ExpiringFilesOptions;

  constructor(options: ExpiringFilesOptions) {
    this.#options = options;
  }

  async removeExpired(
    storageIndex: Uint8Array,
    shareNumber: number,
    isOver: (share: ShareFacts) => boolean,
  ): Promise<Removal> {
    const { layout, inventory, lock, events } = this.#options;
    return lock.run(formatBase32(storageIndex), async () => {
      const share = await inventory.examine({ storageIndex, shareNumber });
      if (share === undefined) return 'absent';
      if (!('facts' in share) || !isOver(share.facts)) return 'kept';
      const directory = layout.indexDirectory(storageIndex);
      await onDisk('removing a share', async () => {
        await unlink(layout.share(storageIndex, shareNumber));
        await syncDirectory(directory);
        await removeIfEmpty(directory);
      });
      events.tell({ storageIndex, shareNumber, kind: 'removed' });
      return 'removed';
    });
  }
}

async function removeIfEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(systemCodeOf(error) ?? '')) throw error;
  }
}
