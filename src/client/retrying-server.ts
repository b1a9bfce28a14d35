/**
 * Tries once more what a closed connection cost, where that is safe.
 *
 * A server may close a kept-alive connection at the very moment a request is sent on it; then no reply comes, and the
 * request is sent again over another connection, unless its body was made while it was sent or it tests what it writes. Calls that change nothing are also sent again when their connection
 * closed at another time. Nothing else is retried: not a refusal, not a timeout, not a failed connection attempt.
 */
import type { Clock } from '#core/environment.js';
import { isTahoeError } from '#core/errors.js';
import { StorageServerDecorator } from './storage-server-decorator.js';
import type { Call, OperationName } from './storage-server-decorator.js';
import type { CallOptions, StorageServer } from './storage-server.js';

const readOnlyOperations: ReadonlySet<OperationName> = new Set([
  'version',
  'listShares',
  'readBeginnings',
  'read',
  'listMutableShares',
  'readMutable',
  'readMutableBeginnings',
]);
/** Their body cannot be had again, what was done would make a second try fail, or their caller comes again itself. */
const onceOnlyOperations: ReadonlySet<OperationName> = new Set(['streamWrite', 'readTestWrite', 'subscribe']);

/** @see StorageServer */
export class RetryingServer extends StorageServerDecorator {
  readonly #inner: StorageServer;
  readonly #clock: Clock;

  /** Takes over `inner`: closing this closes it. The clock measures what is left of a call's time. */
  constructor(inner: StorageServer, clock: Clock) {
    super(inner);
    this.#inner = inner;
    this.#clock = clock;
  }

  async close(): Promise<void> {
    await this.#inner.close();
  }

  protected async around<Reply>(operation: OperationName, call: Call<Reply>, options: CallOptions): Promise<Reply> {
    const startMs = this.#clock.monotonicMs();
    try {
      return await call(this.#inner, options);
    } catch (error) {
      if (!mayRetry(operation, error) || options.signal?.aborted === true) throw error;
      if (options.timeoutMs === undefined) return call(this.#inner, options);
      const timeoutMs = Math.ceil(startMs + options.timeoutMs - this.#clock.monotonicMs());
      if (timeoutMs <= 0) throw error;
      return call(this.#inner, { ...options, timeoutMs });
    }
  }
}

function mayRetry(operation: OperationName, error: unknown): boolean {
  if (!isTahoeError(error, 'ERR_CONNECTION_CLOSED')) return false;
  if (onceOnlyOperations.has(operation)) return false;
  return readOnlyOperations.has(operation) || (error.facts.keptAlive && !error.facts.replyBegun);
}
