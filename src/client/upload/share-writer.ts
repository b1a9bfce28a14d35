/**
 * Sends one share to one server: what is pushed is gathered into batches and written in order, one request at a
 * time, while the next batch fills. `hasRoom` is the back-pressure: whoever feeds all shares of a file waits
 * until each has room, so that memory is bounded by the slowest server, not by the file.
 */
import { reasonOf, TahoeError } from '#core/errors.js';
import type { ShareReservation } from './selection.js';

const ABORT_TIMEOUT_MS = 15_000;

/** A share on its way to a server. */
export class ShareWriter {
  readonly reservation: ShareReservation;
  readonly #storageIndex: Uint8Array;
  readonly #batchSize: number;
  readonly #cancel = new AbortController();
  readonly #changed: () => void;
  readonly #sent: (bytes: Uint8Array) => void;
  #offset = 0;
  #pending: Uint8Array[] = [];
  #pendingSize = 0;
  #sending = false;
  #ended = false;
  #complete = false;
  #failure: unknown;

  /**
   * @param batchSize - bytes that make a request, and about twice what is held at most.
   * @param notify - `changed` is called whenever `hasRoom`, `complete` or `failure` may have changed, `sent` with
   *   each array that was pushed and is no longer needed.
   */
  constructor(
    storageIndex: Uint8Array,
    reservation: ShareReservation,
    batchSize: number,
    notify: { readonly changed: () => void; readonly sent: (bytes: Uint8Array) => void },
  ) {
    this.#storageIndex = storageIndex;
    this.reservation = reservation;
    this.#batchSize = batchSize;
    this.#changed = notify.changed;
    this.#sent = notify.sent;
  }

  /** Whether another block may be pushed. */
  get hasRoom(): boolean {
    return this.#pendingSize < this.#batchSize;
  }

  /** Whether the server said that the whole share is safe. */
  get complete(): boolean {
    return this.#complete;
  }

  /** Why this share is lost, once it is. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Appends bytes to the share; they must not change any more. */
  push(bytes: Uint8Array): void {
    if (this.#failure !== undefined) return;
    this.#pending.push(bytes);
    this.#pendingSize += bytes.length;
    this.#send();
  }

  /** Says that nothing more comes: the rest goes out, and the server must call the share complete. */
  end(): void {
    this.#ended = true;
    this.#send();
  }

  /** Gives the share up: stops what is under way and tells the server. */
  async abandon(reason: string): Promise<void> {
    if (this.#complete) return;
    this.#fail(
      new TahoeError('ERR_CANCELLED', { what: `the share on ${this.reservation.server.shortName} (${reason})` }),
    );
    this.#cancel.abort();
    const { server, shareNumber, uploadSecret } = this.reservation;
    await server
      .abort(this.#storageIndex, shareNumber, uploadSecret, { timeoutMs: ABORT_TIMEOUT_MS })
      .catch(() => undefined);
  }

  #send(): void {
    const due = this.#pendingSize >= this.#batchSize || (this.#ended && this.#pendingSize > 0);
    if (this.#sending || !due || this.#failure !== undefined) return;
    this.#sending = true;
    const parts = this.#pending;
    const size = this.#pendingSize;
    this.#pending = [];
    this.#pendingSize = 0;
    this.#write(parts, size).then(
      () => {
        this.#sending = false;
        this.#send();
        this.#changed();
      },
      (error: unknown) => {
        this.#sending = false;
        this.#fail(error);
      },
    );
  }

  async #write(parts: readonly Uint8Array[], size: number): Promise<void> {
    const { server, shareNumber, uploadSecret } = this.reservation;
    const options = { signal: this.#cancel.signal };
    const reply = await server.write(this.#storageIndex, shareNumber, uploadSecret, this.#offset, parts, options);
    this.#offset += size;
    for (const part of parts) this.#sent(part);
    if (!this.#ended || this.#pendingSize > 0) return;
    if (!reply.complete) throw this.#replyError('it does not call the share complete after its last byte');
    this.#complete = true;
  }

  #replyError(reason: string): TahoeError {
    return new TahoeError('ERR_SERVER_REPLY', { server: this.reservation.server.shortName, what: 'a write', reason });
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(reasonOf(error));
    this.#pending = [];
    this.#pendingSize = 0;
    this.#changed();
  }
}
