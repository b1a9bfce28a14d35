/**
 * Everything that is kept in the grid, in one place: immutable and mutable files, directories of either kind, and the
 * paths through them. What has been opened to be written shares one queue of writers, and its private key is fetched once.
 */
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { concealed } from '#core/capability/types.js';
import type {
  ChkReadCapability,
  DirectoryCapability,
  KnownCapability,
  MutableReadCapability,
  MutableWriteCapability,
} from '#core/capability/types.js';
import { DIRECTORY_SIZE_MAX } from '#core/directory/entries.js';
import type { NewEntry } from '#core/directory/entries.js';
import { newDirectoryContents, openDirectory } from './directory/directory.js';
import type { Directory, DirectoryCallOptions, DirectoryContext } from './directory/directory.js';
import { makeImmutableDirectory } from './directory/immutable-directory.js';
import type { MutableContents } from './directory/mutable-contents.js';
import { followPath, recallPath } from './directory/path.js';
import type { PathFound, PathMissing } from './directory/path.js';
import type { ReadOptions } from './download/immutable-reader.js';
import { OpenFiles } from './download/open-files.js';
import type { OpenFile } from './download/open-files.js';
import { createMutableFile } from './mutable/create.js';
import type { CreateOptions, InitialContents } from './mutable/create.js';
import type { MutableContext } from './mutable/mutable-context.js';
import { MutableFile } from './mutable/mutable-file.js';
import { walk } from './traversal/walk.js';
import type { WalkStep } from './traversal/walk.js';
import { uploadFile } from './upload/upload.js';
import type { UploadContext, UploadEncoding, UploadResult } from './upload/upload.js';

/** How many mutable files are kept open; the one used longest ago is let go first. */
export const OPEN_FILES_MAX = 256;

/** What a store is made of. */
export interface FileStoreContext extends UploadContext, MutableContext {
  readonly encoding: UploadEncoding;
}

/** The files and directories of one user. */
export class FileStore {
  readonly context: FileStoreContext;
  readonly #directories: DirectoryContext;
  readonly #open = new Map<string, MutableFile>();
  readonly #immutable: OpenFiles;

  constructor(context: FileStoreContext) {
    this.context = context;
    this.#immutable = new OpenFiles(context);
    this.#directories = { ...context, openMutable: (capability) => this.#contentsOf(capability) };
  }

  /** Stores an immutable file. @throws as `uploadFile` */
  upload(input: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<UploadResult> {
    return uploadFile(this.context, input, { signal });
  }

  /** An immutable file to be read. The caller closes it. @throws as `OpenFiles.open` */
  openFile(capability: ChkReadCapability, options?: ReadOptions): OpenFile {
    return this.#immutable.open(capability, options);
  }

  /** The mutable file of that capability: the same one for all who ask. */
  openMutable(capability: MutableWriteCapability | MutableReadCapability): MutableFile {
    const name = dangerouslyFormatCapability(capability);
    return this.#keep(name, this.#open.get(name) ?? new MutableFile(this.context, capability));
  }

  /** Makes a mutable file. @throws as `createMutableFile` */
  async createMutable(contents: InitialContents, options: CreateOptions): Promise<MutableFile> {
    const file = await createMutableFile(this.context, contents, options);
    return this.#keep(dangerouslyFormatCapability(file.capability), file);
  }

  /** @throws ERR_NOT_A_DIRECTORY */
  openDirectory(capability: KnownCapability): Directory {
    return openDirectory(this.#directories, capability);
  }

  /** Makes a mutable directory of these entries, whose metadata are taken as they are. @throws as `createMutableFile` */
  async createDirectory(entries: readonly NewEntry[], options: CreateOptions): Promise<DirectoryCapability> {
    const contents = newDirectoryContents(this.context.crypto, entries);
    const file = await this.createMutable(({ writeKey }) => contents(writeKey), options);
    return concealed({ kind: 'directory', file: file.capability });
  }

  /** Makes an immutable directory of these entries. @throws as `makeImmutableDirectory` */
  createImmutableDirectory(entries: readonly NewEntry[], options: DirectoryCallOptions): Promise<DirectoryCapability> {
    return makeImmutableDirectory(this.context, entries, options);
  }

  /** Follows a path. @throws as `followPath` */
  follow(
    root: KnownCapability,
    path: readonly string[],
    options: DirectoryCallOptions,
  ): Promise<PathFound | PathMissing> {
    return followPath(this.#directories, root, path, options);
  }

  /** What was at a path when this process last looked, nobody being asked. @see recallPath */
  recall(root: KnownCapability, path: readonly string[]): PathFound | PathMissing | undefined {
    return recallPath(this.#directories, root, path);
  }

  /** Everything below a directory. @throws as `walk` */
  walk(root: KnownCapability, signal: AbortSignal): AsyncGenerator<WalkStep, void, undefined> {
    return walk(this.#directories, root, { signal });
  }

  #contentsOf(capability: MutableWriteCapability | MutableReadCapability): MutableContents {
    const file = this.openMutable(capability);
    return { ...contentsOf(file), recall: () => this.context.known?.newest(file.storageIndex)?.contents };
  }

  #keep(name: string, file: MutableFile): MutableFile {
    this.#open.delete(name);
    this.#open.set(name, file);
    const [oldest] = this.#open.keys();
    if (this.#open.size > OPEN_FILES_MAX && oldest !== undefined) this.#open.delete(oldest);
    return file;
  }
}

/** A mutable file as the directory that it holds. More than a directory may have is not read. */
function contentsOf(file: MutableFile): MutableContents {
  return {
    async read({ signal } = {}) {
      const range = { begin: 0, end: DIRECTORY_SIZE_MAX + 1 };
      return (await file.read(range, signal === undefined ? {} : { signal })).bytes;
    },
    async modify(change, { signal } = {}) {
      await file.modify(change, signal === undefined ? {} : { signal });
    },
  };
}
