/**
 * Small reads from files that are open already, done at once: what lies in the system's memory comes in a few
 * microseconds, while the way to another thread and back costs twenty times that.
 *
 * What does not lie there holds up everything else until the disk has given it: a tenth of a millisecond for flash, ten
 * for a disk that turns. So after a read that took longer than SLOW_READ_MS, all go to the threads for PAUSE_MS: a
 * slow disk holds up the rest for a fiftieth of the time at most. A disk that never answers holds up all, as it does
 * with every thread taken.
 */
import type { Clock } from '#core/environment.js';
import type { FileSystem, OpenFile } from './file-system.js';

/** The largest read that is done at once, in bytes. */
export const QUICK_READ_SIZE_MAX = 16 * 1024;
/** A read that took longer came from a slow disk, in milliseconds. */
export const SLOW_READ_MS = 4;
/** How long the threads do it all after that, in milliseconds. */
export const QUICK_READ_PAUSE_MS = 500;

/** The quick reads of one store. */
export class QuickReads {
  readonly #readSync: FileSystem['readSync'];
  readonly #clock: Clock;
  #pausedUntilMs = -Infinity;

  constructor({ readSync }: Pick<FileSystem, 'readSync'>, clock: Clock) {
    this.#readSync = readSync;
    this.#clock = clock;
  }

  /** @returns the `size` bytes at `position`; undefined where they are to be read on a thread, for whatever reason. */
  read({ fd }: OpenFile, position: number, size: number): Uint8Array | undefined {
    if (this.#readSync === undefined || fd === undefined || size > QUICK_READ_SIZE_MAX) return undefined;
    const before = this.#clock.monotonicMs();
    if (before < this.#pausedUntilMs) return undefined;
    const bytes = Buffer.allocUnsafe(size);
    try {
      // What fails or comes short is done once more, with care.
      if (this.#readSync(fd, bytes, 0, size, position) !== size) return undefined;
    } catch {
      return undefined;
    }
    const after = this.#clock.monotonicMs();
    if (after - before > SLOW_READ_MS) this.#pausedUntilMs = after + QUICK_READ_PAUSE_MS;
    return bytes;
  }
}
