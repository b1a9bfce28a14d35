/**
 * Puts an index beside a share store: opens it in the storage directory, and has it hear what the store tells.
 */
import { join } from 'node:path';
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log } from '#core/environment.js';
import { DiskLayout } from '../disk-layout.js';
import type { StoreEvents } from '../store-events.js';
import { OWN_DIRECTORY } from './own-files.js';
import { ShareIndex } from './share-index.js';
import { ShareInventory } from './share-inventory.js';

const INDEX_DIRECTORY = 'index';

/** Which store, and what tells of its changes. */
export interface AttachOptions {
  /** The storage directory. */
  readonly directory: string;
  readonly events: StoreEvents;
  readonly crypto: CryptoProvider;
  readonly clock: Clock;
  readonly log: Log;
}

/** An index that listens. */
export interface AttachedIndex {
  readonly index: ShareIndex;
  readonly inventory: ShareInventory;
  /** Ends listening and closes the index; call it once the store is closed. */
  close(): Promise<void>;
}

/**
 * Opens the index of a store. It listens before it looks at the disk, so that no change falls between the two;
 * call this before the store takes its first request.
 * @throws ERR_INDEX when another process has it, or none can be made.
 */
export async function attachIndex(options: AttachOptions): Promise<AttachedIndex> {
  const { directory, events, crypto, clock, log } = options;
  const layout = new DiskLayout(directory);
  const inventory = new ShareInventory(layout, clock);
  const index = await ShareIndex.open({
    directory: join(layout.directory, OWN_DIRECTORY, INDEX_DIRECTORY),
    inventory,
    crypto,
    clock,
    log,
  });
  const stop = events.listen(index.note);
  const close = async (): Promise<void> => {
    stop();
    await index.close();
  };
  return { index, inventory, close };
}
