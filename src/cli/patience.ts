/**
 * How long to wait for the other side, counted only while it is its turn: a person who types into standard input,
 * or a pager that is not scrolled, costs it nothing.
 */
import type { Clock } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';

/** One deadline at a time, and the caller's own signal, as one AbortSignal. */
export class Patience {
  readonly signal: AbortSignal;
  readonly #clock: Clock;
  readonly #who: string;
  readonly #overdue = new AbortController();
  #cancel: () => void = () => undefined;

  /** @param who - what ERR_TIMEOUT, the signal's reason, calls the other side. */
  constructor(clock: Clock, who: string, signal?: AbortSignal) {
    this.#clock = clock;
    this.#who = who;
    this.signal = signal === undefined ? this.#overdue.signal : AbortSignal.any([signal, this.#overdue.signal]);
  }

  /** The other side's turn: it has `timeoutMs` from now. */
  begin(timeoutMs: number): void {
    this.#cancel();
    this.#cancel = this.#clock.schedule(timeoutMs, () => {
      this.#overdue.abort(new TahoeError('ERR_TIMEOUT', { what: this.#who, timeoutMs }));
    });
  }

  /** Its turn is over. */
  end(): void {
    this.#cancel();
  }

  /** What it sends, each piece within `timeoutMs`. */
  async *receive(pieces: AsyncIterable<Uint8Array>, timeoutMs: number): AsyncGenerator<Uint8Array, void> {
    const iterator = pieces[Symbol.asyncIterator]();
    try {
      for (;;) {
        this.begin(timeoutMs);
        const next = await iterator.next().catch((error: unknown) => {
          throw this.signal.aborted ? this.signal.reason : error;
        });
        this.end();
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      this.end();
      await iterator.return?.();
    }
  }

  /** What is sent to it, each piece to be taken within `timeoutMs`. */
  async *send(pieces: AsyncIterable<Uint8Array>, timeoutMs: number): AsyncGenerator<Uint8Array, void> {
    try {
      for await (const piece of pieces) {
        this.begin(timeoutMs);
        yield piece;
        this.end();
      }
    } finally {
      this.end();
    }
  }
}
