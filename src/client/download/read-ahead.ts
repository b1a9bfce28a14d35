/**
 * Fetches what a reader will want next, as far ahead as the reader needs it: twice as far when it had to wait, one less
 * far when all that was fetched lies there. A slow reader costs little memory so, and a fast one does not wait.
 */

/** So many are fetched ahead in any case. */
const AHEAD_COUNT_MIN = 2;

interface Fetch<Item> {
  readonly item: Promise<Item>;
  isThere: boolean;
}

/** Items that are known by their numbers, and fetched ahead of whoever reads them. */
export class ReadAhead<Item> {
  readonly #countMax: number;
  readonly #fetch: (number: number) => Promise<Item>;
  #count: number;
  #isAhead = false;

  /**
   * @param countMax - how many are fetched ahead at most; half as many at first.
   * @param fetch - fetches one; what it throws, the reader gets when it comes to that one.
   */
  constructor(countMax: number, fetch: (number: number) => Promise<Item>) {
    this.#countMax = Math.max(AHEAD_COUNT_MIN, countMax);
    this.#fetch = fetch;
    this.#count = Math.max(AHEAD_COUNT_MIN, Math.ceil(this.#countMax / 2));
  }

  /** Whether all that was fetched lay there when the reader came for the last one: it is the slower of the two. */
  get isAhead(): boolean {
    return this.#isAhead;
  }

  /** All from `first` to `last`, in order. @throws what fetching throws. */
  async *read(first: number, last: number): AsyncGenerator<Item, void, undefined> {
    const fetches: Fetch<Item>[] = [];
    let next = first;
    for (let number = first; number <= last; number++) {
      this.#follow(fetches);
      while (next <= last && next < number + this.#count) fetches.push(this.#begin(next++));
      const wanted = fetches.shift();
      if (wanted !== undefined) yield await wanted.item;
    }
  }

  /** Nothing is learned of the first one: every reader waits for that. */
  #follow([wanted, ...others]: readonly Fetch<Item>[]): void {
    if (wanted === undefined) return;
    this.#isAhead = wanted.isThere && others.every(({ isThere }) => isThere);
    if (!wanted.isThere) this.#count = Math.min(this.#countMax, 2 * this.#count);
    else if (this.#isAhead) this.#count = Math.max(AHEAD_COUNT_MIN, this.#count - 1);
  }

  #begin(number: number): Fetch<Item> {
    const fetch: Fetch<Item> = { item: this.#fetch(number), isThere: false };
    // What fails is handled when it is awaited, or given up with the others.
    const done = (): void => void (fetch.isThere = true);
    fetch.item.then(done, done);
    return fetch;
  }
}
