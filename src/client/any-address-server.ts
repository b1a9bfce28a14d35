/**
 * One storage server that was announced with several addresses.
 *
 * All of them are asked for the version at once; the first that answers, which it can only with the right key, is used
 * from then on, until it can no longer be reached: then all are asked again.
 */
import { isTahoeError, TahoeError } from '#core/errors.js';
import { StorageServerDecorator } from './storage-server-decorator.js';
import type { Call, OperationName } from './storage-server-decorator.js';
import type { CallOptions, ServerIdentity, StorageServer } from './storage-server.js';

/** @see StorageServer */
export class AnyAddressServer extends StorageServerDecorator {
  readonly #candidates: readonly StorageServer[];
  #chosen: StorageServer | undefined;

  /** Takes over `candidates`, the same server at one address each: closing this closes them. */
  constructor(identity: ServerIdentity, candidates: readonly StorageServer[]) {
    super(identity);
    this.#candidates = candidates;
  }

  async close(): Promise<void> {
    await Promise.all(this.#candidates.map((candidate) => candidate.close()));
  }

  protected async around<Reply>(_operation: OperationName, call: Call<Reply>, options: CallOptions): Promise<Reply> {
    const server = this.#chosen ?? (await this.#race(options));
    this.#chosen = server;
    try {
      return await call(server, options);
    } catch (error) {
      if (isTahoeError(error, 'ERR_CONNECT', 'ERR_PIN') && this.#chosen === server) this.#chosen = undefined;
      throw error;
    }
  }

  /** @throws what the first address failed with when all fail; ERR_PIN goes before the rest. */
  async #race(options: CallOptions): Promise<StorageServer> {
    const decided = new AbortController();
    const signal = AbortSignal.any([decided.signal, ...(options.signal === undefined ? [] : [options.signal])]);
    try {
      return await Promise.any(
        this.#candidates.map(async (candidate) => {
          await candidate.version({ ...options, signal });
          return candidate;
        }),
      );
    } catch (error) {
      throw worstOf(error);
    } finally {
      decided.abort();
    }
  }
}

function worstOf(error: unknown): unknown {
  if (!(error instanceof AggregateError)) return error;
  const errors: readonly unknown[] = error.errors;
  return (
    errors.find((one) => isTahoeError(one, 'ERR_PIN')) ??
    errors[0] ??
    new TahoeError('ERR_NO_SERVERS', { reason: 'it has no address' })
  );
}
