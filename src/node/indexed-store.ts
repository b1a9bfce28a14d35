/** Where a store and its index meet: room within max_space, and shares that are removed when their leases are over. */
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#core/environment.js';
import type { AttachedIndex } from '#storage/index/attach-index.js';
import type { ExpiringStore } from '#storage/index/expired-shares.js';
import { limitFreeBytes } from '#storage/index/space-limit.js';
import type { ShareStore } from '#storage/share-store.js';
import type { StorageSettings } from './settings.js';

/** The part of a store's options that keeps it within max_space, where that is set. */
export function spaceLimitOf(
  settings: StorageSettings,
  { index, inventory }: AttachedIndex,
  clock: Clock,
): { readonly freeBytes?: () => Promise<number> } {
  const { directory, reservedSpaceBytes: reservedBytes, maximumSpaceBytes: maximumBytes } = settings;
  if (maximumBytes === undefined) return {};
  const freeBytes = async (): Promise<number> => {
    const { bavail, bsize } = await statfs(join(directory, 'shares'));
    return bavail * bsize;
  };
  return { freeBytes: limitFreeBytes({ index, inventory, clock, freeBytes, reservedBytes, maximumBytes }) };
}

/** A store that lets go of what its index finds to be over, by what the share says then. */
export function expiringStoreOf(store: ShareStore, { inventory }: AttachedIndex): ExpiringStore {
  return {
    async removeExpired(storageIndex, shareNumber, isOver) {
      const found = { isThere: true };
      const removed = await store.removeShare(storageIndex, shareNumber, async () => {
        const share = await inventory.examine({ storageIndex, shareNumber });
        found.isThere = share !== undefined;
        return share !== undefined && 'facts' in share && isOver(share.facts);
      });
      if (removed) return 'removed';
      return found.isThere ? 'kept' : 'absent';
    },
  };
}
