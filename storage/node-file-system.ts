/**
 * The machine's own file system, by the calls of node:fs, which cost less than the handles of node:fs/promises. Those
 * that the system's memory answers are done at once where that is asked for (quick-calls.ts): making a small file or a
 * directory, looking at a name that was in use a moment ago. What may free much never is, nor is a sync: both were
 * tried and gained nothing. Names in a directory that may be new to the system are looked at so only as long as that is
 * quick (quick-trials.ts).
 *
 * A file that is closed while something is under way on it is let go when that has ended: its number may be another
 * file's soon after.
 */
import * as fs from 'node:fs';
import * as promises from 'node:fs/promises';
import { promisify } from 'node:util';
import type { FileFacts, FileSystem, OpenFile } from './file-system.js';
import { QUICK_SIZE_MAX } from './quick-calls.js';
import type { QuickCalls } from './quick-calls.js';
import { QuickTrials } from './quick-trials.js';

const open = promisify(fs.open);
const read = promisify(fs.read);
const writev = promisify(fs.writev);
const ftruncate = promisify(fs.ftruncate);
const fstat = promisify(fs.fstat);
const fdatasync = promisify(fs.fdatasync);
const fsync = promisify(fs.fsync);
const close = promisify(fs.close);
const lstat = promisify(fs.lstat);
const rename = promisify(fs.rename);
const statfs = promisify(fs.statfs);
const readdir = promisify(fs.readdir);

/** What a closed file has for a number: the system refuses it. */
const NO_FILE = 2 ** 31 - 1;

class NodeFile implements OpenFile {
  #fd: number;
  readonly #quick: QuickCalls | undefined;
  #pendingCount = 0;
  /** Called when nothing is under way any more. */
  #idle: (() => void) | undefined;

  constructor(fd: number, quick?: QuickCalls) {
    this.#fd = fd;
    this.#quick = quick;
  }

  get fd(): number {
    return this.#fd;
  }

  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }> {
    return this.#during(read(this.#fd, buffer, offset, length, position));
  }

  async writev(parts: readonly Uint8Array[], position: number): Promise<{ readonly bytesWritten: number }> {
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    const quick = size <= QUICK_SIZE_MAX ? quickNow(this.#quick) : undefined;
    if (quick === undefined) return this.#during(writev(this.#fd, parts, position));
    return { bytesWritten: quick.run(() => fs.writevSync(this.#fd, parts, position)) };
  }

  truncate(size: number): Promise<void> {
    return this.#during(ftruncate(this.#fd, size));
  }

  async stat(): Promise<FileFacts> {
    const quick = quickNow(this.#quick);
    return quick === undefined ? this.#during(fstat(this.#fd)) : quick.run(() => fs.fstatSync(this.#fd));
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

/** `quick`, unless it is to be left alone for a while. */
function quickNow<Quick extends QuickCalls | QuickTrials>(quick: Quick | undefined): Quick | undefined {
  return quick?.isPaused === false ? quick : undefined;
}

/** Ways to open a file that is made by that, or one that is at hand. */
const quickFlags: readonly unknown[] = ['wx', 'wx+', 'r'];

/** The machine's own file system. @param quick - small calls are done at once by it; on threads where it is missing. */
export function machineFileSystem(quick?: QuickCalls): FileSystem {
  const looks = quick && new QuickTrials(quick);
  return {
    ...promises,
    open: async (path, flags, mode, isQuick = quickFlags.includes(flags)) => {
      const now = isQuick ? quickNow(quick) : undefined;
      const fd = await (now === undefined ? open(path, flags, mode) : now.run(() => fs.openSync(path, flags, mode)));
      return new NodeFile(fd, quick);
    },
    lstat: async (path) => quickNow(quick)?.run(() => fs.lstatSync(path)) ?? lstat(path),
    statfs: async (path) => quickNow(quick)?.run(() => fs.statfsSync(path)) ?? statfs(path),
    mkdir: async (path, options) => {
      const now = quickNow(quick);
      return now === undefined ? promises.mkdir(path, options) : now.run(() => fs.mkdirSync(path, options));
    },
    readdir: async (path) => {
      const now = quickNow(looks);
      return now === undefined ? readdir(path) : now.run(() => fs.readdirSync(path));
    },
    rename: async (from, to, isQuick = false) => {
      const now = isQuick ? quickNow(quick) : undefined;
      if (now === undefined) return rename(from, to);
      now.run(() => {
        fs.renameSync(from, to);
      });
    },
    readSync: fs.readSync,
  };
}

/** The machine's own, every call on another thread. */
export const nodeFileSystem = machineFileSystem();
