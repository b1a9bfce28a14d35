/**
 * The system calls that shares are kept with: as many of those of node:fs/promises as the disk store makes, in the
 * same shape. Tests put a simulated disk in their place.
 *
 * Every operation throws the system's own error, with its `code`. A write may be cut short with no error. What was
 * written is durable after `datasync`; a file made, renamed or removed, after `sync` of its directory.
 */

/** What an open file or a path is. */
export interface FileFacts {
  isFile(): boolean;
  isDirectory(): boolean;
  /** In bytes. */
  readonly size: number;
  readonly ino: number;
  readonly mtimeMs: number;
}

/** An open file or directory. */
export interface OpenFile {
  /** What `readSync` knows it by. */
  readonly fd?: number;
  /** Fills `length` bytes of `buffer` from `offset` on with those at `position`; fewer where the file ends. */
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
  writev(parts: readonly Uint8Array[], position: number): Promise<{ readonly bytesWritten: number }>;
  truncate(size: number): Promise<void>;
  stat(): Promise<FileFacts>;
  /** Makes bytes and size durable. */
  datasync(): Promise<void>;
  /** Makes all of it durable; of a directory, its entries. */
  sync(): Promise<void>;
  close(): Promise<void>;
  /** The same at once, for what has a name: unlike a file without one, it has nothing that would have to be freed. */
  closeNow?(): void;
}

/** A file system, in the calls of node:fs/promises. */
export interface FileSystem {
  /**
   * @param flags - as node:fs has them: a word, or O_ constants; `r` is for what was in use a moment ago.
   * @param isQuick - whether it is for that, where constants say how: it may be done at once.
   */
  open(path: string, flags: string | number, mode?: number, isQuick?: boolean): Promise<OpenFile>;
  /** @returns the topmost directory that was made, when told to make parents too. */
  mkdir(path: string, options: { readonly recursive: true; readonly mode: number }): Promise<string | undefined>;
  readdir(path: string): Promise<string[]>;
  lstat(path: string): Promise<FileFacts>;
  /**
   * Replaces a file that has the name already.
   * @param isQuick - whether nothing is freed by that: it may be done at once.
   */
  rename(from: string, to: string, isQuick?: boolean): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Only of an empty directory. */
  rmdir(path: string): Promise<void>;
  /** @param options - `force`: no error when there is nothing. */
  rm(
    path: string,
    options: { readonly recursive?: boolean; readonly force: boolean; readonly maxRetries?: number },
  ): Promise<void>;
  /** @param mode - COPYFILE_ constants: a clone where the file system can, an error where there is a file already. */
  copyFile(from: string, to: string, mode: number): Promise<void>;
  readFile(path: string): Promise<Uint8Array>;
  statfs(path: string): Promise<{ readonly bavail: number; readonly bsize: number }>;
  /** Reads at once; nothing else happens meanwhile. Where it is missing every read takes its time. */
  readonly readSync?: (fd: number, buffer: Uint8Array, offset: number, length: number, position: number) => number;
}
