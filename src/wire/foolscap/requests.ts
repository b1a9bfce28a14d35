/** The calls of ours to one peer that wait for their answers, each with its number, its deadline and its signal. */
import type { Clock } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { REQUEST_COUNT_MAX } from './limits.js';
import type { RemoteCallOptions } from './tub.js';
import type { Value } from './values.js';

/** Request numbers are below this: a larger one would be sent as another kind of integer. */
const NUMBER_END = 2 ** 31;

interface Request {
  readonly method: string;
  readonly resolve: (value: Value) => void;
  readonly reject: (error: unknown) => void;
}

/** The table of one connection. */
export class Requests {
  readonly #clock: Clock;
  readonly #defaultTimeoutMs: number;
  readonly #waiting = new Map<number, Request>();
  #lastNumber = 0;
  #ended: TahoeError | undefined;

  constructor(clock: Clock, defaultTimeoutMs: number) {
    this.#clock = clock;
    this.#defaultTimeoutMs = defaultTimeoutMs;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Sends a call with a number of its own and waits for its answer.
   * @throws as RemoteReference.call, and what `send` throws.
   */
  async ask(method: string, options: RemoteCallOptions, send: (requestNumber: number) => void): Promise<Value> {
    const { signal, timeoutMs = this.#defaultTimeoutMs } = options;
    const what = `calling ${method}`;
    if (this.#ended !== undefined) throw this.#ended;
    if (signal?.aborted === true) throw new TahoeError('ERR_CANCELLED', { what }, { cause: signal.reason });
    if (this.#waiting.size >= REQUEST_COUNT_MAX) {
      throw new TahoeError('ERR_TOO_MANY', { what: 'calls to one peer', limit: REQUEST_COUNT_MAX });
    }
    const number = this.#nextNumber();
    let stop = (): void => undefined;
    try {
      return await new Promise<Value>((resolve, reject) => {
        this.#waiting.set(number, { method, resolve, reject });
        const cancelled = (): void => {
          reject(new TahoeError('ERR_CANCELLED', { what }, { cause: signal?.reason }));
        };
        signal?.addEventListener('abort', cancelled, { once: true });
        const cancelTimer = this.#clock.schedule(timeoutMs, () => {
          reject(new TahoeError('ERR_TIMEOUT', { what, timeoutMs }));
        });
        stop = () => {
          cancelTimer();
          signal?.removeEventListener('abort', cancelled);
        };
        send(number);
      });
    } finally {
      stop();
      this.#waiting.delete(number);
    }
  }

  /** One that nobody waits for any more is passed over. */
  answer(requestNumber: number, value: Value): void {
    this.#waiting.get(requestNumber)?.resolve(value);
  }

  /** @param toError - makes the error from the method's name. */
  fail(requestNumber: number, toError: (method: string) => TahoeError): void {
    const request = this.#waiting.get(requestNumber);
    request?.reject(toError(request.method));
  }

  /** The connection has ended: nothing will be answered any more. */
  end(reason: TahoeError): void {
    this.#ended = reason;
    for (const request of [...this.#waiting.values()]) request.reject(reason);
  }

  #nextNumber(): number {
    do {
      this.#lastNumber = (this.#lastNumber + 1) % NUMBER_END;
    } while (this.#lastNumber === 0 || this.#waiting.has(this.#lastNumber));
    return this.#lastNumber;
  }
}
