/** Places for work of one kind: so many at a time have one, and who comes later waits in the order of coming. */
import { setMaxListeners } from 'node:events';
import { TahoeError } from '#core/errors.js';

/** A number of places. */
export class Places {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Runs `action` when there is a place for it. @throws ERR_CANCELLED when the signal ends the wait; what `action` throws. */
  async run<Result>(signal: AbortSignal, action: () => Promise<Result>): Promise<Result> {
    if (this.#free > 0 && !signal.aborted) this.#free -= 1;
    else if (signal.aborted || !(await this.#wait(signal))) {
      throw new TahoeError('ERR_CANCELLED', { what: 'waiting for a turn' }, { cause: signal.reason });
    }
    try {
      return await action();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }

  /** @returns whether somebody who was done gave the place up to this one. */
  #wait(signal: AbortSignal): Promise<boolean> {
    setMaxListeners(0, signal); // as many as wait under it
    return new Promise((resolve) => {
      const take = (): void => {
        signal.removeEventListener('abort', leave);
        resolve(true);
      };
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(take), 1);
        resolve(false);
      };
      this.#waiting.push(take);
      signal.addEventListener('abort', leave, { once: true });
    });
  }
}
