/**
 * Files that are being written and not in the grid yet, by where they will stand: whoever asks for that place waits
 * until what was asked of them before is done, or takes them for what will be there. One for all users of a node.
 */

/** A file on its way. */
export interface PendingFile {
  /** The later it came, the higher. */
  readonly order: number;
  /** Waits until everything that was asked of it so far is done; never throws. */
  settled(): Promise<void>;
}

/** Files on their way, each under any number of places. Places are secrets: they hold capabilities. */
export class PendingFiles<File extends PendingFile> {
  readonly #files = new Map<string, Set<File>>();
  #count = 0;

  /** The number of a file that comes now. */
  nextOrder(): number {
    return this.#count++;
  }

  /** Has the file found at this place too. */
  add(place: string, file: File): void {
    const files = this.#files.get(place) ?? new Set();
    this.#files.set(place, files.add(file));
  }

  /** Has the file found nowhere any more. */
  forget(file: File): void {
    for (const [place, files] of this.#files) {
      if (files.delete(file) && files.size === 0) this.#files.delete(place);
    }
  }

  /** What is on its way to any of these places, each once, the last to come last. */
  at(...places: readonly string[]): File[] {
    return [...new Set(places.flatMap((place) => [...(this.#files.get(place) ?? [])]))];
  }
}

/** Waits for all of them. */
export async function allSettled(files: readonly PendingFile[]): Promise<void> {
  await Promise.all(files.map((file) => file.settled()));
}
