/** One at a time for each key: actions on the same storage index wait for each other, all others do not. */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>();

  /** Runs `action` after all actions of this key that were asked for before. @throws what `action` throws. */
  async run<Result>(key: string, action: () => Promise<Result>): Promise<Result> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const running = before.then(action);
    const tail = running.then(ignore, ignore);
    this.#tails.set(key, tail);
    try {
      return await running;
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    }
  }
}

function ignore(): void {
  // Whoever asked for the action hears of its failure; those behind it only wait for its end.
}
