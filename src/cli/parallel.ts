/**
 * Several requests at a time. A gateway has many servers to ask for each, so that one after the other would be slow;
 * and too many at once would only wait inside of it.
 */

/** How many requests a command has under way at a time. */
export const AT_ONCE = 8;

/** Does at most `limit` actions at a time, in the order in which they were handed in. */
export class Lanes {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(limit = AT_ONCE) {
    this.#limit = limit;
  }

  /**
   * Does an action when its turn comes.
   * @throws what it throws; after the first failure every further action fails in the same way, not having begun.
   */
  async run<Result>(action: () => Promise<Result>): Promise<Result> {
    if (this.#running >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      if (this.#failure !== undefined) throw this.#failure.error;
      return await action();
    } catch (error) {
      this.#failure ??= { error };
      throw error;
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}

/**
 * Waits until all have ended, so that nothing goes on behind the back of whoever reports a failure.
 * @returns their results in order. @throws the first failure in order.
 */
export async function allEnded<Result>(promises: readonly Promise<Result>[]): Promise<Result[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}
