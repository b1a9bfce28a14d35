/**
 * A client's ciphertext over HTTPS: it is told once from where the file is wanted, and sends it from there to its end as one body,
 * which is read no faster than the job takes it.
 */
import type { Clock } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import type { ByteRange } from '#wire/storage.js';
import type { OfferedFile } from '#wire/upload-helper.js';
import { withDeadline } from '../deadline.js';
import type { AskOptions, CiphertextSource } from './ciphertext-source.js';

/** What arrives: some pieces at a time. */
export type PushedBody = AsyncGenerator<readonly Uint8Array[], void>;

/** Whose it is. */
export interface PushedCiphertextOptions {
  readonly file: OfferedFile;
  readonly clock: Clock;
  /** Tells the client from which byte the file is wanted. */
  readonly wanted: (offset: number) => void;
}

/** @see CiphertextSource */
export class PushedCiphertext implements CiphertextSource {
  readonly #options: PushedCiphertextOptions;
  readonly #closing = new AbortController();
  readonly #body: Promise<PushedBody>;
  readonly #taken: Promise<void>;
  #bodyCame: (body: PushedBody) => void = () => undefined;
  #allTaken: () => void = () => undefined;
  #notTaken: (error: TahoeError) => void = () => undefined;
  /** Ends what is waited for: undefined until the first read. */
  #signal: AbortSignal | undefined;
  /** The next byte; undefined until one is wanted. */
  #offset: number | undefined;
  #isPushed = false;
  /** What has arrived and was not read. */
  #pieces: Uint8Array[] = [];

  constructor(options: PushedCiphertextOptions) {
    this.#options = options;
    this.#body = new Promise((resolve) => (this.#bodyCame = resolve));
    this.#taken = new Promise((resolve, reject) => {
      this.#allTaken = resolve;
      this.#notTaken = reject;
    });
    this.#taken.catch(() => undefined); // Nobody may have pushed.
  }

  /** Rejects where the client has gone meanwhile. */
  describe(): Promise<OfferedFile> {
    return this.#closing.signal.aborted ? Promise.reject(gone()) : Promise.resolve(this.#options.file);
  }

  async read(offset: number, size: number, { signal, timeoutMs }: AskOptions): Promise<Uint8Array> {
    const { clock, file, wanted } = this.#options;
    this.#signal ??= AbortSignal.any([signal, this.#closing.signal]);
    if (offset + size > file.size) throw new Error('another client has a longer file of this name');
    if (this.#offset === undefined && !this.#signal.aborted) {
      this.#offset = offset;
      wanted(offset);
    }
    const waiting = { clock, timeoutMs, what: 'the ciphertext of a client', signal: this.#signal };
    const piece = await withDeadline(waiting, () => this.#next());
    if (piece.length > size) this.#pieces.unshift(piece.subarray(size));
    const bytes = piece.subarray(0, size);
    this.#offset = offset + bytes.length;
    if (this.#offset === file.size) this.#allTaken();
    return bytes;
  }

  release(): void {
    this.#closing.abort();
    this.#notTaken(gone());
  }

  close(): void {
    this.release();
  }

  /**
   * Hands over what the client sends. Resolves when all of it was taken.
   * @throws ERR_CONTENT_RANGE when it is not what is wanted, ERR_BODY_LENGTH when more comes, ERR_CANCELLED when it is no longer wanted.
   */
  async push(range: ByteRange, body: PushedBody): Promise<void> {
    const { size } = this.#options.file;
    if (this.#isPushed || range.begin !== this.#offset || range.end !== size) {
      const from =
        this.#offset === undefined || this.#isPushed ? 'not' : `from byte ${String(this.#offset)} to its end`;
      throw new TahoeError('ERR_CONTENT_RANGE', { reason: `the ciphertext is ${from} wanted` });
    }
    this.#isPushed = true;
    this.#bodyCame(body);
    try {
      await this.#taken;
      const { done } = await body.next();
      if (done === true && this.#pieces.length === 0) return;
      throw new TahoeError('ERR_BODY_LENGTH', { expected: size - range.begin, received: size - range.begin + 1 });
    } finally {
      // It may be waiting for bytes: then it ends with its connection.
      body.return(undefined).catch(() => undefined);
    }
  }

  /** The next piece, of one byte or more. */
  async #next(): Promise<Uint8Array> {
    const body = await this.#body;
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined && piece.length > 0) return piece;
      if (piece !== undefined) continue;
      const { done, value } = await body.next();
      if (done === true) throw new Error('the ciphertext ends too early');
      this.#pieces = [...value];
    }
  }
}

function gone(): TahoeError {
  return new TahoeError('ERR_CANCELLED', { what: 'the upload of this client' });
}
