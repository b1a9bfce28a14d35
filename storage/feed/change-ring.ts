/**
 * The last changes of a store, numbered, so that a reader who was away for a while can be told what it missed.
 */
import type { FeedPosition, ShareChange } from '#wire/change-feed.js';

/** Changes that are remembered: some hundred bytes each. */
export const RING_COUNT_MAX = 4096;

/** A change and its number. */
export interface NumberedChange {
  readonly number: number;
  readonly change: ShareChange;
}

/** The changes since the server started, the last of them in full. */
export class ChangeRing {
  /** Tells this start of the server from any other. */
  readonly epoch: number;
  readonly #sizeMax: number;
  readonly #changes: ShareChange[] = [];
  #lastNumber = 0;

  /** @param epoch - Unix milliseconds of the start. @param sizeMax - changes that are remembered. */
  constructor(epoch: number, sizeMax = RING_COUNT_MAX) {
    this.epoch = epoch;
    this.#sizeMax = sizeMax;
  }

  /** Where the feed stands: behind the last change. */
  get position(): FeedPosition {
    return { epoch: this.epoch, number: this.#lastNumber };
  }

  /** Numbers a change. */
  add(change: ShareChange): NumberedChange {
    this.#lastNumber += 1;
    this.#changes[this.#lastNumber % this.#sizeMax] = change;
    return { number: this.#lastNumber, change };
  }

  /** All changes behind `position`; undefined when some of them are forgotten, or it is not of this ring. */
  since(position: FeedPosition): NumberedChange[] | undefined {
    const missed = this.#lastNumber - position.number;
    if (position.epoch !== this.epoch || missed < 0 || missed > this.#sizeMax) return undefined;
    return Array.from({ length: missed }, (_, i) => {
      const number = position.number + 1 + i;
      return { number, change: this.#changes[number % this.#sizeMax] };
    }).filter((entry): entry is NumberedChange => entry.change !== undefined);
  }
}
