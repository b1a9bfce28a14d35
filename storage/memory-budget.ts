/** How much memory all requests of one kind may hold together: each takes what it needs and gives it back as a whole. */
import { TahoeError } from '#core/errors.js';

/** Memory that is shared by many requests. */
export class MemoryBudget {
  readonly #limit: number;
  #held = 0;

  /** @param limit - in bytes. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** What is held now, in bytes. */
  get held(): number {
    return this.#held;
  }

  /** The part of one request, nothing at first. */
  open(): MemoryHold {
    let held = 0;
    const tryGrow = (size: number): boolean => {
      if (this.#held + size > this.#limit) return false;
      this.#held += size;
      held += size;
      return true;
    };
    return {
      tryGrow,
      grow: (size) => {
        if (!tryGrow(size))
          throw new TahoeError('ERR_TOO_MANY', { what: 'bytes of requests in memory', limit: this.#limit });
      },
      release: () => {
        this.#held -= held;
        held = 0;
      },
    };
  }
}

/** What one request holds. */
export interface MemoryHold {
  /** Takes `size` bytes more, where there are so many. */
  readonly tryGrow: (size: number) => boolean;
  /** The same. @throws ERR_TOO_MANY where there are not. */
  readonly grow: (size: number) => void;
  /** Gives all of it back; may be called again. */
  readonly release: () => void;
}
