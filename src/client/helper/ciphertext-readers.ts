/**
 * The clients that offer the ciphertext of one file: the first is asked, and when it fails, is too slow or answers nonsense, the
 * next one. Who has failed is not asked again.
 */
import type { Log } from '#core/environment.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import type { AskOptions, CiphertextSource } from './ciphertext-source.js';

/** How long a client may take for one answer: 50 KiB over a slow line. In milliseconds. */
export const READER_TIMEOUT_MS = 300_000;

/** A question to a client. */
export type SourceQuestion<Answer> = (source: CiphertextSource, options: AskOptions) => Promise<Answer>;

/** Of one file. */
export class CiphertextReaders {
  readonly #log: Log;
  readonly #sources: CiphertextSource[] = [];
  #lastReason = 'none has come';

  constructor(log: Log) {
    this.#log = log;
  }

  add(source: CiphertextSource): void {
    this.#sources.push(source);
  }

  /** @throws ERR_NO_CIPHERTEXT when no client is left, ERR_CANCELLED. */
  async ask<Answer>(question: SourceQuestion<Answer>, signal: AbortSignal): Promise<Answer> {
    for (let [source] = this.#sources; source !== undefined; [source] = this.#sources) {
      try {
        return await question(source, { signal, timeoutMs: READER_TIMEOUT_MS });
      } catch (error) {
        if (signal.aborted) throw new TahoeError('ERR_CANCELLED', { what: 'the upload' }, { cause: error });
        this.#lastReason = reasonOf(error);
        this.#log.info('client of the helper failed', { reason: this.#lastReason });
        this.#remove(source);
        source.release();
      }
    }
    throw new TahoeError('ERR_NO_CIPHERTEXT', { reason: this.#lastReason });
  }

  /** Tells those that are left that nothing more is wanted of them. Waits for nobody. */
  close(): void {
    for (const source of [...this.#sources]) {
      this.#remove(source);
      source.close();
    }
  }

  #remove(source: CiphertextSource): void {
    this.#sources.splice(this.#sources.indexOf(source), 1);
  }
}
