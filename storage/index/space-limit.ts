/**
 * max_space: how a store is kept from taking more of the disk than it may. The store asks for its free bytes and
 * gets fewer.
 *
 * Counted are the shares, as the index has them, and what uploads in progress have on the disk already; what they
 * still lack is the store's own account. While the index is not complete the disk is walked, no more often than
 * once in WALK_AGE_MAX_MS.
 */
import type { Clock } from '#core/environment.js';
import type { ShareIndex } from './share-index.js';
import type { ShareInventory } from './share-inventory.js';
import { availableSpace, totalDiskBytes } from './usage.js';

/** How old the sizes of uploads in progress may be. */
export const INCOMING_AGE_MAX_MS = 1000;
/** How old a sum may be that had to be walked for. */
export const WALK_AGE_MAX_MS = 60_000;

/** What a limit is made of. Sizes in bytes. */
export interface SpaceLimitOptions {
  readonly index: ShareIndex;
  readonly inventory: ShareInventory;
  readonly clock: Clock;
  /** What is free on the file system. */
  readonly freeBytes: () => Promise<number>;
  /** What the store will take off again. */
  readonly reservedBytes: number;
  readonly maximumBytes: number;
}

/** @returns a function for StoreOptions.freeBytes. */
export function limitFreeBytes(options: SpaceLimitOptions): () => Promise<number> {
  const { index, inventory, clock, freeBytes, reservedBytes, maximumBytes } = options;
  const incoming = remember(clock, INCOMING_AGE_MAX_MS, () => inventory.incomingBytes());
  const indexed = async (): Promise<number> => totalDiskBytes(await index.usage());
  const walked = remember(clock, WALK_AGE_MAX_MS, indexed);
  return async () => {
    const stored = index.isComplete ? await indexed() : await walked();
    const usedBytes = stored + (await incoming());
    return reservedBytes + availableSpace({ freeBytes: await freeBytes(), reservedBytes, usedBytes, maximumBytes });
  };
}

/** What `measure` said, as long as it is young enough. */
function remember(clock: Clock, ageMaxMs: number, measure: () => Promise<number>): () => Promise<number> {
  let value: Promise<number> | undefined;
  let measuredMs = 0;
  return () => {
    const now = clock.monotonicMs();
    if (value === undefined || now - measuredMs >= ageMaxMs) {
      measuredMs = now;
      const measuring = measure();
      value = measuring;
      // A failure is not remembered.
      measuring.catch(() => {
        if (value === measuring) value = undefined;
      });
    }
    return value;
  };
}
