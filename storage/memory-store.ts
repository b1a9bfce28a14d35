/** The share store in memory: for tests and for nodes that shall leave no trace. */
import { ContainerStore } from './container-store.js';
import type { StoreOptions } from './container-store.js';
import { MemoryFiles } from './memory-files.js';
import type { ShareStore } from './share-store.js';

/** How a memory store is set up. */
export interface MemoryStoreOptions extends StoreOptions {
  /** Its files, when somebody else wants to look at them; by default new ones with room for 1 GiB. */
  readonly files?: MemoryFiles;
}

/** Makes an empty store. */
export function createMemoryStore(options: MemoryStoreOptions): ShareStore {
  return new ContainerStore(options.files ?? new MemoryFiles(), options);
}
