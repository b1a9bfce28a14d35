/**
 * The last lines of the log, by number: who follows them keeps the number of the next one and no copy, so that a slow
 * reader costs nothing. What has gone before it was read is missed, and the numbers of the events show it.
 */

/** How many lines are there at least, where so many have been logged. */
export const RECENT_LINE_COUNT_MAX = 1000;
/** A line of more characters is left out. */
export const LINE_LENGTH_MAX = 4096;

/** Those of one log. */
export class RecentLines {
  #lines: string[] = [];
  #firstNumber = 0;
  readonly #watchers = new Set<() => void>();

  /** The number of the oldest line. */
  get firstNumber(): number {
    return this.#firstNumber;
  }

  /** The number that the next line will have. */
  get endNumber(): number {
    return this.#firstNumber + this.#lines.length;
  }

  /** @returns whether the line is short enough. */
  add(line: string): boolean {
    if (line.length > LINE_LENGTH_MAX) return false;
    this.#lines.push(line);
    if (this.#lines.length >= 2 * RECENT_LINE_COUNT_MAX) {
      this.#firstNumber += RECENT_LINE_COUNT_MAX;
      this.#lines = this.#lines.slice(RECENT_LINE_COUNT_MAX);
    }
    for (const told of this.#watchers) told();
    return true;
  }

  /** The line of a number; undefined when it has gone or has not come yet. */
  line(number: number): string | undefined {
    return this.#lines[number - this.#firstNumber];
  }

  /** The last `count`, or as many as there are. */
  last(count: number): readonly string[] {
    return this.#lines.slice(-count);
  }

  /** Calls `told` after each line that comes; it must log nothing. @returns what ends it. */
  watch(told: () => void): () => void {
    this.#watchers.add(told);
    return () => {
      this.#watchers.delete(told);
    };
  }
}
