/**
 * The clients that offer the ciphertext of one file: the first is asked, and when it fails, is too slow or answers nonsense, the
 * next one. Who has failed is not asked again.
 */
import type { Log } from '#core/environment.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import type { Shape } from '#wire/foolscap/shapes.js';
import type { RemoteReference } from '#wire/foolscap/tub.js';
import type { Value } from '#wire/foolscap/values.js';

/** How long a client may take for one answer: 50 KiB over a slow line. In milliseconds. */
export const READER_TIMEOUT_MS = 300_000;

/** A question to a client. */
export interface ReaderQuestion<Answer> {
  readonly method: string;
  readonly given: readonly Value[];
  readonly shape: Shape<Answer>;
}

/** Of one file. */
export class CiphertextReaders {
  readonly #log: Log;
  readonly #readers: RemoteReference[] = [];
  #lastReason = 'none has come';

  constructor(log: Log) {
    this.#log = log;
  }

  add(reader: RemoteReference): void {
    this.#readers.push(reader);
  }

  /** @throws ERR_NO_CIPHERTEXT when no client is left, ERR_CANCELLED. */
  async ask<Answer>({ given, method, shape }: ReaderQuestion<Answer>, signal: AbortSignal): Promise<Answer> {
    for (let [reader] = this.#readers; reader !== undefined; [reader] = this.#readers) {
      try {
        const answer = await reader.call(method, given, undefined, { signal, timeoutMs: READER_TIMEOUT_MS });
        return shape(answer, `the answer to ${method}`);
      } catch (error) {
        if (signal.aborted) throw new TahoeError('ERR_CANCELLED', { what: 'the upload' }, { cause: error });
        this.#lastReason = reasonOf(error);
        this.#log.info('client of the helper failed', { method, reason: this.#lastReason });
        this.#drop(reader);
      }
    }
    throw new TahoeError('ERR_NO_CIPHERTEXT', { reason: this.#lastReason });
  }

  /** Tells those that are left that nothing more is wanted of them. Waits for nobody. */
  close(): void {
    for (const reader of [...this.#readers]) {
      reader.call('close', []).catch(() => undefined);
      this.#drop(reader);
    }
  }

  #drop(reader: RemoteReference): void {
    this.#readers.splice(this.#readers.indexOf(reader), 1);
    reader.release();
  }
}
