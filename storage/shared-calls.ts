/**
 * Calls that many ask for at a time and that need be done only once: whoever asks for one that is under way waits for it.
 */

/** Calls by what they are about. */
export class SharedCalls {
  readonly #underWay = new Map<string, Promise<void>>();

  /** @throws what `call` throws, to all who waited. */
  async run(key: string, call: () => Promise<void>): Promise<void> {
    const before = this.#underWay.get(key);
    if (before !== undefined) return before;
    const running = call();
    this.#underWay.set(key, running);
    try {
      await running;
    } finally {
      this.#underWay.delete(key);
    }
  }
}
