/** Writes in groups: what comes while the disk is busy is written and synced together, and whoever brought it waits. */

/** The writes of one file, one after the other. */
export class GroupedWrites<Item> {
  readonly #write: (items: readonly Item[]) => Promise<void>;
  readonly #pending: Item[] = [];
  /** The write that is to come, and the one under way. */
  #next: Promise<void> | undefined;
  #writing: Promise<void> = Promise.resolve();

  /** @param write - makes them durable, all or none. */
  constructor(write: (items: readonly Item[]) => Promise<void>) {
    this.#write = write;
  }

  /** @returns when it is durable. @throws what the write threw that it was part of. */
  add(item: Item): Promise<void> {
    this.#pending.push(item);
    return (this.#next ??= this.#writeNext());
  }

  /** Waits for the last write, whatever became of it. */
  async ended(): Promise<void> {
    await this.#writing;
  }

  #writeNext(): Promise<void> {
    const next = this.#writing.then(() => {
      this.#next = undefined;
      return this.#write(this.#pending.splice(0));
    });
    this.#writing = next.catch(() => undefined);
    return next;
  }
}
