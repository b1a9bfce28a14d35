/** The share store on a disk, in the reference's layout: what a storage node keeps its shares in. */
import { ContainerStore } from './container-store.js';
import type { StoreOptions } from './container-store.js';
import { DiskFiles } from './disk-files.js';
import type { FileSystem } from './file-system.js';
import type { ShareStore } from './share-store.js';
import type { StoreOwnership } from './store-ownership.js';

/** Where the store is and how it is set up. */
export interface DiskStoreOptions extends StoreOptions {
  /** The storage directory; it and its parents are made where they are missing. */
  readonly directory: string;
  /** The file system that the directory is in; by default the machine's own. */
  readonly fileSystem?: FileSystem;
  /** What tells that the directory is still ours. */
  readonly ownership?: StoreOwnership;
  /** @see DiskFilesOptions */
  readonly journalSize?: number;
}

/**
 * Opens a store, goes on with the uploads that an earlier run was in the middle of, and finishes the mutable writes that it had
 * recorded. Only one process may have a directory open.
 * @throws ERR_DISK, ERR_NO_SPACE.
 */
export async function openDiskStore(options: DiskStoreOptions): Promise<ShareStore> {
  const { clock, directory, fileSystem: system, journalSize, log, ownership } = options;
  const files = await DiskFiles.open(directory, { clock, journalSize, system, log, ownership });
  const store = new ContainerStore(files, options);
  await store.resumeUploads();
  return store;
}
