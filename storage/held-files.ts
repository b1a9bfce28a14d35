/**
 * Small files that were put into a final place a moment ago, still open. What replaces a file that nobody has open has to
 * wait until its room is freed; one that is held is freed when it is let go, which nobody waits for.
 *
 * A file is let go when it was replaced, when its place has become durable, and when there are too many.
 */
import type { ShareFile } from './share-files.js';

/** How many files are held. */
export const HELD_FILE_COUNT_MAX = 64;

/** The held files of one store, by their places. */
export class HeldFiles {
  /** The longest held first. */
  readonly #files = new Map<string, ShareFile>();
  readonly #closing = new Set<Promise<void>>();

  has(place: string): boolean {
    return this.#files.has(place);
  }

  /** Holds what now stands at a place. It is closed later; what closing says is of no account, for its data are in the journal. */
  hold(place: string, file: ShareFile): void {
    this.letGo(place);
    this.#files.set(place, file);
    for (const oldest of this.#files.keys()) {
      if (this.#files.size <= HELD_FILE_COUNT_MAX) return;
      this.letGo(oldest);
    }
  }

  letGo(place: string): void {
    const file = this.#files.get(place);
    if (file === undefined) return;
    this.#files.delete(place);
    const closing = file.close().catch(() => undefined);
    this.#closing.add(closing);
    void closing.then(() => this.#closing.delete(closing));
  }

  /** Lets all go and waits until they are closed. */
  async close(): Promise<void> {
    for (const place of [...this.#files.keys()]) this.letGo(place);
    await Promise.all(this.#closing);
  }
}
