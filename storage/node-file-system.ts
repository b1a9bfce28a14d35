/**
 * The machine's own file system, by the calls of node:fs, which cost less than the handles of node:fs/promises.
 *
 * A file that is closed while something is under way on it is let go when that has ended: its number may be another
 * file's soon after.
 */
import * as fs from 'node:fs';
import * as promises from 'node:fs/promises';
import { promisify } from 'node:util';
import type { FileFacts, FileSystem, OpenFile } from './file-system.js';

const open = promisify(fs.open);
const read = promisify(fs.read);
const writev = promisify(fs.writev);
const ftruncate = promisify(fs.ftruncate);
const fstat = promisify(fs.fstat);
const fdatasync = promisify(fs.fdatasync);
const fsync = promisify(fs.fsync);
const close = promisify(fs.close);

/** What a closed file has for a number: the system refuses it. */
const NO_FILE = 2 ** 31 - 1;

class NodeFile implements OpenFile {
  #fd: number;
  #pendingCount = 0;
  /** Called when nothing is under way any more. */
  #idle: (() => void) | undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  get fd(): number {
    return this.#fd;
  }

  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }> {
    return this.#during(read(this.#fd, buffer, offset, length, position));
  }

  writev(parts: readonly Uint8Array[], position: number): Promise<{ readonly bytesWritten: number }> {
    return this.#during(writev(this.#fd, parts, position));
  }

  truncate(size: number): Promise<void> {
    return this.#during(ftruncate(this.#fd, size));
  }

  stat(): Promise<FileFacts> {
    return this.#during(fstat(this.#fd));
  }

  datasync(): Promise<void> {
    return this.#during(fdatasync(this.#fd));
  }

  sync(): Promise<void> {
    return this.#during(fsync(this.#fd));
  }

  async close(): Promise<void> {
    const fd = this.#forget();
    if (this.#pendingCount > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    await close(fd);
  }

  closeNow(): void {
    if (this.#pendingCount > 0) throw new Error('something is under way on a file that is closed at once');
    fs.closeSync(this.#forget());
  }

  /** @returns the number, which nobody uses any more. */
  #forget(): number {
    const fd = this.#fd;
    this.#fd = NO_FILE;
    return fd;
  }

  async #during<Result>(operation: Promise<Result>): Promise<Result> {
    this.#pendingCount += 1;
    try {
      return await operation;
    } finally {
      this.#pendingCount -= 1;
      if (this.#pendingCount === 0) this.#idle?.();
    }
  }
}

/** The machine's own. */
export const nodeFileSystem: FileSystem = {
  ...promises,
  open: async (path, flags, mode) => new NodeFile(await open(path, flags, mode)),
  readSync: fs.readSync,
};
