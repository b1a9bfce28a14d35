/**
 * Starts what comes in crowds a few at a time, so that whoever is served already waits no longer than for those few.
 *
 * What arrives while there is time for it starts at once. Of those that have to wait the newest and the oldest go in
 * turns: in a crowd that never ends, most newcomers are not kept waiting, and nobody waits for ever.
 */

/** What can be started, or sent away. */
export interface Startable {
  readonly destroyed: boolean;
  destroy(): unknown;
}

/** How many start in one turn of the event loop, and how many may wait. */
export interface PacedStartsLimits {
  readonly perTurn: number;
  readonly waiting: number;
}

/** The starts of one server. */
export class PacedStarts<Item extends Startable> {
  readonly #limits: PacedStartsLimits;
  readonly #start: (item: Item) => void;
  readonly #waiting: Item[] = [];
  #startedInTurn = 0;
  #turnIsWatched = false;
  #oldestIsNext = false;

  constructor(limits: PacedStartsLimits, start: (item: Item) => void) {
    this.#limits = limits;
    this.#start = start;
  }

  /** Starts the item now or later; when too many wait, the one that has waited longest is sent away. */
  add(item: Item): void {
    this.#waiting.push(item);
    this.#startSome();
    if (this.#waiting.length > this.#limits.waiting) this.#waiting.shift()?.destroy();
  }

  #startSome(): void {
    while (this.#startedInTurn < this.#limits.perTurn) {
      const item = this.#oldestIsNext ? this.#waiting.shift() : this.#waiting.pop();
      if (item === undefined) break;
      if (item.destroyed) continue;
      this.#oldestIsNext = !this.#oldestIsNext;
      this.#startedInTurn += 1;
      this.#start(item);
    }
    if (this.#startedInTurn > 0) this.#watchTurn();
  }

  #watchTurn(): void {
    if (this.#turnIsWatched) return;
    this.#turnIsWatched = true;
    setImmediate(() => {
      this.#turnIsWatched = false;
      this.#startedInTurn = 0;
      this.#startSome();
    });
  }
}
