/**
 * Small files that were put into a final place a moment ago, still open. What replaces a file that nobody has open has to
 * wait until its room is freed; one that is held is freed when it is let go, which nobody waits for.
 *
 * A file is let go when it was replaced, when its place has become durable, and when there are too many.
 */
import type { ShareFile } from './share-files.js';

/** How many files are held. */
export const HELD_FILE_COUNT_MAX = 64;

interface HeldFile {
  readonly file: ShareFile;
  readonly modifiedMs: number;
}

/** The held files of one store, by their places. */
export class HeldFiles {
  /** The longest held first. */
  readonly #files = new Map<string, HeldFile>();
  readonly #closing = new Set<Promise<void>>();

  /** When the file at a place was written to, in milliseconds; undefined where none is held. */
  modifiedMs(place: string): number | undefined {
    return this.#files.get(place)?.modifiedMs;
  }

  /**
   * Holds what now stands at a place. It is closed later; what closing says is of no account, for its data are in the journal.
   * @param modifiedMs - when it was written to, by the file system's clock.
   */
  hold(place: string, file: ShareFile, modifiedMs: number): void {
    this.#letGo(place, false);
    this.#files.set(place, { file, modifiedMs });
    for (const oldest of this.#files.keys()) {
      if (this.#files.size <= HELD_FILE_COUNT_MAX) return;
      this.letGo(oldest);
    }
  }

  /** Of what stands at its place still. */
  letGo(place: string): void {
    this.#letGo(place, true);
  }

  #letGo(place: string, isKept: boolean): void {
    const held = this.#files.get(place);
    if (held === undefined) return;
    this.#files.delete(place);
    const closing = held.file.close(isKept).catch(() => undefined);
    this.#closing.add(closing);
    void closing.then(() => this.#closing.delete(closing));
  }

  /** Lets all go and waits until they are closed. */
  async close(): Promise<void> {
    for (const place of [...this.#files.keys()]) this.letGo(place);
    await Promise.all(this.#closing);
  }
}
