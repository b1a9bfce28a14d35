/**
 * Small shares stored as wholes over HTTPS: one request for the shares of one file, or for those of all files that wait.
 *
 * Several are sent as store-batches.ts says when, one as it ever was. A server of an earlier release knows one of these
 * requests or none; what it answers 404 to it is not asked again.
 * @see docs/storage-api.md
 */
import type { Clock } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { decodeStoreBatchReply } from '#wire/store-batch.js';
import { decodeWholeSharesReply, fitWholeShares, wholeSharesSizeMax } from '#wire/whole-shares.js';
import type { WholeSharesReply } from '#wire/whole-shares.js';
import { TIMER_MS_MAX } from './deadline.js';
import { callTimeoutMs } from './https-limits.js';
import type { HttpsLimits } from './https-limits.js';
import { describeStore, storeBatchOperation, storeSharesOperation } from './https-operations.js';
import type { Operation } from './https-operations.js';
import { checkStored, describeStatus } from './https-replies.js';
import type { CallOptions, SecretStoreRequest } from './storage-server.js';
import { StoreBatches } from './store-batches.js';
import type { StoreBatchesOptions, StoreCall, StoreOutcome } from './store-batches.js';

/** Asks the server and decodes its answer. @throws as StorageServer says. */
export type AskServer = <Message>(
  operation: Operation,
  decode: (body: Uint8Array, status: number) => Message,
  options: CallOptions,
) => Promise<Message>;

/** Which server, and its bounds. */
export interface HttpsStoresOptions {
  readonly shortName: string;
  readonly clock: Clock;
  readonly limits: HttpsLimits;
  readonly ask: AskServer;
}

/** The stores of one server, of our own kind. */
export class HttpsStores {
  readonly #options: HttpsStoresOptions;
  readonly #batches: StoreBatches;
  /** Whether it does not know of shares as wholes, being of an earlier release. */
  #isLacking = false;

  constructor(options: HttpsStoresOptions) {
    const { clock, limits, shortName } = options;
    this.#options = options;
    const { callCountMax, connectionCountMax } = limits;
    const send: StoreBatchesOptions['send'] = (...sent) => this.#send(...sent);
    this.#batches = new StoreBatches({ clock, shortName, callCountMax, connectionCountMax, send });
  }

  /** @see StorageServer.storeShares */
  async store(
    storageIndex: Uint8Array,
    request: SecretStoreRequest,
    { signal = new AbortController().signal, timeoutMs }: CallOptions = {},
  ): Promise<WholeSharesReply | undefined> {
    const sizes = [...request.shares.values()].map(({ length }) => length);
    if (this.#isLacking || !fitWholeShares(sizes)) return undefined;
    const inTimeMs = timeoutMs ?? callTimeoutMs(this.#options.limits, wholeSharesSizeMax(sizes));
    return this.#batches.store({ storageIndex, request }, inTimeMs, signal);
  }

  /** Fails the calls that wait. */
  close(): void {
    this.#batches.close();
  }

  /** Each call has its own deadline: the request has none but that for silence. */
  async #send(calls: readonly StoreCall[], signal: AbortSignal): Promise<readonly StoreOutcome[] | undefined> {
    const options = { signal, timeoutMs: TIMER_MS_MAX };
    const [first, ...others] = calls;
    if (first === undefined || others.length > 0) {
      return this.#options.ask(
        storeBatchOperation(calls),
        (body, status) => (status === 404 ? undefined : this.#outcomesOf(calls, body)),
        options,
      );
    }
    const { request, storageIndex } = first;
    const decode = (body: Uint8Array, status: number): WholeSharesReply | undefined => {
      this.#isLacking = status === 404;
      return status === 404 ? undefined : checkStored(decodeWholeSharesReply(body), request.shares);
    };
    return [await this.#options.ask(storeSharesOperation(storageIndex, request), decode, options)];
  }

  #outcomesOf(calls: readonly StoreCall[], body: Uint8Array): readonly StoreOutcome[] {
    const replies = decodeStoreBatchReply(body, calls.length);
    return calls.map(({ request, storageIndex }, i) => {
      const reply = replies[i];
      if (reply === undefined || 'stored' in reply) return reply && checkStored(reply, request.shares);
      const facts = {
        server: this.#options.shortName,
        what: describeStore(storageIndex),
        reason: describeStatus(reply.status),
      };
      return new TahoeError('ERR_SERVER_REPLY', facts);
    });
  }
}
