/**
 * The grid as one client sees it: the servers it was told of, which of them answer, and in which order a file asks them.
 *
 * The order is Tahoe's: for each storage index the connected servers are sorted by SHA-1 of the index and the server's
 * permutation seed, so that every client finds the same servers for a file and no server is everybody's first.
 * Servers come from outside, already made; nothing here opens a connection.
 * @see Tahoe-LAFS docs/architecture.rst, "Server Selection"
 */
import { concat, toHex } from '#core/bytes.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log, Random } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { defaultPollLimits, GridMember } from './grid-member.js';
import type { PollLimits } from './grid-member.js';
import { shortNameOf } from './storage-server.js';
import type { ServerIdentity, StorageServer } from './storage-server.js';

/** A server that was announced; without `server` it is known but there is no way to talk to it. */
export interface KnownServer {
  readonly identity: ServerIdentity;
  readonly server: StorageServer | undefined;
}

/** What a grid is made of. */
export interface GridOptions {
  /** The grid takes the servers over: `close` closes them. */
  readonly servers: readonly KnownServer[];
  readonly crypto: Pick<CryptoProvider, 'sha1'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits?: Partial<PollLimits>;
}

/** What people are shown of one server. Sizes in bytes, times in Unix milliseconds. */
export interface ServerStatus {
  readonly serverId: string;
  readonly shortName: string;
  readonly nickname: string;
  /** Whether there is a way to talk to it. */
  readonly supported: boolean;
  readonly connected: boolean;
  /** `connected`, `connecting`, `unsupported: …` or why it is not connected. */
  readonly connectionStatus: string;
  /** As last told; a bigint where a number cannot hold it. */
  readonly availableSpace: number | bigint | undefined;
  readonly version: string | undefined;
  readonly lastReceivedDataMs: number | undefined;
}

const UNSUPPORTED = 'unsupported: it has no address (NURL) for HTTPS that can be used';

/** Polls its servers from its construction until `close`. */
export class Grid {
  readonly #known: readonly (KnownServer & { readonly member: GridMember | undefined })[];
  readonly #crypto: Pick<CryptoProvider, 'sha1'>;
  readonly #waiting = new Set<() => void>();
  #closed = false;

  constructor(options: GridOptions) {
    const { clock, random, log, crypto } = options;
    const changed = (): void => {
      for (const look of [...this.#waiting]) look();
    };
    const limits = { ...defaultPollLimits, ...options.limits };
    this.#crypto = crypto;
    this.#known = options.servers.map((known) => ({
      ...known,
      member: known.server && new GridMember(known.server, { clock, random, log, limits, changed }),
    }));
  }

  /** The servers that answer, in the order they were announced. */
  connectedServers(): StorageServer[] {
    return this.#members()
      .filter((member) => member.connected)
      .map((member) => member.server);
  }

  /** The servers that answer, in the order in which `storageIndex` (16 bytes) asks them. */
  permutedServers(storageIndex: Uint8Array): StorageServer[] {
    const place = (server: StorageServer): string =>
      toHex(this.#crypto.sha1(concat(storageIndex, server.permutationSeed)));
    return this.connectedServers()
      .map((server) => ({ server, place: place(server) }))
      .sort((a, b) => (a.place < b.place ? -1 : 1))
      .map(({ server }) => server);
  }

  /** All known servers, in the order they were announced. */
  status(): ServerStatus[] {
    return this.#known.map(({ identity, member }) => ({
      serverId: identity.serverId,
      shortName: shortNameOf(identity.serverId),
      nickname: identity.nickname,
      supported: member !== undefined,
      connected: member?.connected ?? false,
      connectionStatus: member?.connectionStatus ?? UNSUPPORTED,
      availableSpace: member?.version?.availableSpace,
      version: member?.version?.applicationVersion,
      lastReceivedDataMs: member?.lastReceivedDataMs,
    }));
  }

  /**
   * Waits until at least `minimum` servers are connected, or every server has been tried once.
   * @throws ERR_CANCELLED when the signal or `close` ends the wait.
   */
  async ready(minimum: number, signal?: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (this.#closed || signal?.aborted === true) {
          stop();
          reject(new TahoeError('ERR_CANCELLED', { what: 'waiting for servers' }, { cause: signal?.reason }));
        } else if (this.connectedServers().length >= minimum || this.#members().every((member) => member.tried)) {
          stop();
          resolve();
        }
      };
      const stop = (): void => {
        this.#waiting.delete(look);
        signal?.removeEventListener('abort', look);
      };
      this.#waiting.add(look);
      signal?.addEventListener('abort', look, { once: true });
      look();
    });
  }

  /** Ends polling, waits and connections. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const look of [...this.#waiting]) look();
    await Promise.all(this.#members().map((member) => member.close()));
  }

  #members(): GridMember[] {
    return this.#known.flatMap(({ member }) => member ?? []);
  }
}
