/**
 * A server that is known by its furl alone and may speak HTTPS all the same, on the same port, with the same certificate and
 * swissnum. It is used over Foolscap until an address for HTTPS has been found and has answered; then over HTTPS.
 *
 * Uploads that were begun over Foolscap are ended over it: the change waits for a moment without any. When the server can no longer be
 * reached over HTTPS it is Foolscap's turn again.
 */
import type { Clock } from '#core/environment.js';
import { isTahoeError } from '#core/errors.js';
import { StorageServerDecorator } from '../storage-server-decorator.js';
import type { Call, OperationName } from '../storage-server-decorator.js';
import type { CallOptions, ServerIdentity, StorageServer } from '../storage-server.js';
import type { FoolscapStorageServer } from './foolscap-storage-server.js';

/** How long after a search for an address, found or not, the next may begin, in milliseconds. */
const SEARCH_INTERVAL_MS = 60 * 60_000;
const VERSION_TIMEOUT_MS = 10_000;
/** Releases whose storage servers speak HTTPS. */
const SPEAKS_HTTPS = /^(tallac\/|tahoe-lafs\/1\.(1[89]|[2-9][0-9]))/;

/** What the server is made of. */
export interface UpgradingServerOptions {
  readonly identity: ServerIdentity;
  /** Taken over: closed with this. */
  readonly foolscap: FoolscapStorageServer;
  /** Looks for the server's HTTPS. @returns it, unused yet; undefined where there is none. */
  readonly search: () => Promise<StorageServer | undefined>;
  readonly clock: Clock;
}

/** @see StorageServer */
export class UpgradingServer extends StorageServerDecorator {
  readonly #options: UpgradingServerOptions;
  #https: StorageServer | undefined;
  /** One that has answered, until there is a moment for the change. */
  #found: StorageServer | undefined;
  #searching: Promise<void> | undefined;
  #lastSearchMs = -Infinity;
  #allocationCount = 0;
  #closed = false;

  constructor(options: UpgradingServerOptions) {
    super(options.identity);
    this.#options = options;
  }

  /** Whether it is used over HTTPS now. */
  get isUpgraded(): boolean {
    return this.#https !== undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#searching;
    for (const server of [this.#options.foolscap, this.#https, this.#found]) await server?.close();
  }

  protected async around<Reply>(operation: OperationName, call: Call<Reply>, options: CallOptions): Promise<Reply> {
    this.#changeOver();
    const https = this.#https;
    if (https !== undefined) return this.#overHttps(https, call, options);
    const isAllocation = operation === 'allocate';
    if (isAllocation) this.#allocationCount += 1;
    try {
      const reply = await call(this.#options.foolscap, options);
      if (operation === 'version') this.#consider(reply);
      return reply;
    } finally {
      if (isAllocation) this.#allocationCount -= 1;
    }
  }

  async #overHttps<Reply>(https: StorageServer, call: Call<Reply>, options: CallOptions): Promise<Reply> {
    try {
      return await call(https, options);
    } catch (error) {
      if (isTahoeError(error, 'ERR_CONNECT', 'ERR_PIN') && this.#https === https) {
        this.#https = undefined;
        void https.close();
      }
      throw error;
    }
  }

  /** Between uploads. */
  #changeOver(): void {
    if (this.#found === undefined || this.#allocationCount > 0 || this.#options.foolscap.uploadCount > 0) return;
    this.#https = this.#found;
    this.#found = undefined;
  }

  #consider(reply: unknown): void {
    const { clock } = this.#options;
    const isDue = clock.monotonicMs() - this.#lastSearchMs >= SEARCH_INTERVAL_MS;
    if (!isDue || this.#closed || this.#found !== undefined || !speaksHttps(reply)) return;
    this.#lastSearchMs = clock.monotonicMs();
    this.#searching ??= this.#search().finally(() => {
      this.#searching = undefined;
    });
  }

  async #search(): Promise<void> {
    const server = await this.#options.search().catch(() => undefined);
    if (server === undefined) return;
    const answered = await server.version({ timeoutMs: VERSION_TIMEOUT_MS }).then(
      () => true,
      () => false,
    );
    if (answered && !this.#closed) this.#found = server;
    else await server.close();
  }
}

function speaksHttps(reply: unknown): boolean {
  const version =
    typeof reply === 'object' && reply !== null && 'applicationVersion' in reply && reply.applicationVersion;
  return typeof version === 'string' && SPEAKS_HTTPS.test(version);
}
