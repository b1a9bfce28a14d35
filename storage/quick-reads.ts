/**
 * Small reads from files that are open already, done at once.
 * @see quick-calls.ts
 */
import type { FileSystem, OpenFile } from './file-system.js';
import type { QuickCalls } from './quick-calls.js';

/** The largest read that is done at once, in bytes. */
export const QUICK_READ_SIZE_MAX = 16 * 1024;

/** The quick reads of one store. */
export class QuickReads {
  readonly #readSync: FileSystem['readSync'];
  readonly #calls: QuickCalls;

  constructor({ readSync }: Pick<FileSystem, 'readSync'>, calls: QuickCalls) {
    this.#readSync = readSync;
    this.#calls = calls;
  }

  /** @returns the `size` bytes at `position`; undefined where they are to be read on a thread, for whatever reason. */
  read({ fd }: OpenFile, position: number, size: number): Uint8Array | undefined {
    const readSync = this.#readSync;
    if (readSync === undefined || fd === undefined || size > QUICK_READ_SIZE_MAX || this.#calls.isPaused)
      return undefined;
    const bytes = Buffer.allocUnsafe(size);
    try {
      // What fails or comes short is done once more, with care.
      return this.#calls.run(() => readSync(fd, bytes, 0, size, position)) === size ? bytes : undefined;
    } catch {
      return undefined;
    }
  }
}
