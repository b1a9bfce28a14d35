/** What the SFTP server needs of the node behind it. `node/` provides it; a test may provide less. */
import type {
  ChkReadCapability,
  DirectoryCapability,
  KnownCapability,
  MutableFormat,
  MutableReadCapability,
  MutableWriteCapability,
} from '#core/capability/types.js';
import type { NewEntry } from '#core/directory/entries.js';
import type { Clock, Log } from '#core/environment.js';
import type { Directory } from '#client/directory/directory.js';
import type { PathFound, PathMissing } from '#client/directory/path.js';
import type { ByteRange } from '#wire/storage.js';

/** A file that can be read in pieces. */
export interface ReadableFile {
  read(range: ByteRange, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** A mutable file, as far as it is used here. */
export interface MutableContents {
  openVersion(options: { readonly signal: AbortSignal }): Promise<ReadableFile & { readonly size: number }>;
  overwrite(contents: Uint8Array, options: { readonly signal: AbortSignal }): Promise<unknown>;
}

/** A file of this machine, without a name, that is written and read anywhere. */
export interface Scratch {
  /** In bytes. */
  readonly size: number;
  /** @throws ERR_NO_SPACE, ERR_DISK */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** At most `size` bytes, fewer at the end. @throws ERR_DISK */
  read(offset: number, size: number): Promise<Uint8Array>;
  /** Cuts the file, or fills it up with zeros. @throws ERR_NO_SPACE, ERR_DISK */
  resize(size: number): Promise<void>;
  close(): Promise<void>;
}

/** The grid and the machine, as this server sees them. */
export interface SftpServices {
  readonly clock: Clock;
  readonly log: Log;
  /** Of new directories. */
  readonly mutableFormat: MutableFormat;
  upload(input: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<{ readonly capability: KnownCapability }>;
  /** The caller closes it. */
  openFile(capability: ChkReadCapability, signal: AbortSignal): Promise<ReadableFile & { close(): void }>;
  openMutable(
    capability: MutableWriteCapability | MutableReadCapability,
    signal: AbortSignal,
  ): Promise<MutableContents>;
  openDirectory(capability: DirectoryCapability, signal: AbortSignal): Promise<Directory>;
  createDirectory(
    entries: readonly NewEntry[],
    options: { readonly format: MutableFormat; readonly signal: AbortSignal },
  ): Promise<DirectoryCapability>;
  follow(root: KnownCapability, path: readonly string[], signal: AbortSignal): Promise<PathFound | PathMissing>;
  /** The caller closes it. */
  openScratch(): Promise<Scratch>;
  /** What can still be stored, in bytes; undefined when it is not known. */
  freeBytes(): number | undefined;
}
