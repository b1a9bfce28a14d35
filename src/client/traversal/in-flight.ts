/** Tasks that run at the same time, whose results are taken in the order in which they end. Holds no more than is started. */
import { TahoeError } from '#core/errors.js';

/** So many tasks as its user starts before it takes results. */
export class InFlight<Result> {
  readonly #what: string;
  readonly #signal: AbortSignal;
  readonly #ended: Promise<Result>[] = [];
  #size = 0;
  #wake: () => void = () => undefined;

  /**
   * @param what - in the words of ERR_CANCELLED.
   * @param signal - ends waiting, also for tasks that do not heed it.
   */
  constructor(what: string, signal: AbortSignal) {
    this.#what = what;
    this.#signal = signal;
  }

  /** Tasks whose results were not taken yet. */
  get size(): number {
    return this.#size;
  }

  start(task: Promise<Result>): void {
    this.#size++;
    const end = (): void => {
      this.#ended.push(task);
      this.#wake();
    };
    task.then(end, end);
  }

  /** The result of the task that ended first, of those that were not taken. @throws what it threw, and ERR_CANCELLED */
  async next(): Promise<Result> {
    const wake = (): void => {
      this.#wake();
    };
    this.#signal.addEventListener('abort', wake, { once: true });
    try {
      for (;;) {
        this.throwIfCancelled();
        const ended = this.#ended.shift();
        if (ended !== undefined) {
          this.#size--;
          return await ended;
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.#signal.removeEventListener('abort', wake);
    }
  }

  /** @throws ERR_CANCELLED when the signal says so. */
  throwIfCancelled(): void {
    if (!this.#signal.aborted) return;
    throw new TahoeError('ERR_CANCELLED', { what: this.#what }, { cause: this.#signal.reason });
  }
}
