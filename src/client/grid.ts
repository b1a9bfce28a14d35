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
import type { CertificateState, UploadPermission } from './upload-permission.js';
import type { ServerIdentity, StorageServer } from './storage-server.js';

/** A server that was announced; without `server` it is known but there is no way to talk to it. */
export interface KnownServer {
  readonly identity: ServerIdentity;
  readonly server: StorageServer | undefined;
  /** Where it was announced, for people. */
  readonly origin?: string;
  /** How it is reached; HTTPS unless it says otherwise. */
  readonly dialect?: 'https' | 'foolscap';
  /** Storage plugins it is offered by. */
  readonly plugins?: readonly string[];
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
  /** Which servers may get new shares; without it, all. */
  readonly permission?: UploadPermission;
  /** Whether all who tell of servers have been asked once; without it they have. */
  readonly isTold?: () => boolean;
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
  /** Storage plugins it is offered by, which are not supported. */
  readonly plugins: readonly string[];
  /** How it is reached. */
  readonly dialect: 'https' | 'foolscap' | 'none';
  /** Whether it was announced for Foolscap alone and is reached over HTTPS all the same. */
  readonly upgraded: boolean;
  /** By how much its clock was ahead of ours when it last answered a poll, in milliseconds, to the second. */
  readonly clockOffsetMs: number | undefined;
  /** Where it was announced; empty where nobody says. */
  readonly origin: string;
  readonly certificate: CertificateState;
  /** When its certificate ends or ended, Unix milliseconds. */
  readonly certificateExpiryMs: number | undefined;
  /** How long its last answer to a poll took. */
  readonly latencyMs: number | undefined;
}

/** So many new servers are asked at once, and as many more after each of these pauses: thousands may be announced. */
const FIRST_POLLS_AT_ONCE = 32;
const FIRST_POLLS_PAUSE_MS = 50;
const UNSUPPORTED = 'unsupported: it has no address (NURL) for HTTPS that can be used';

function unsupported(plugins: readonly string[]): string {
  if (plugins.length === 0) return UNSUPPORTED;
  return `unsupported: it is offered only by storage plugins (${plugins.join(', ')}), of which none is known`;
}

/** Polls its servers from its construction until `close`. */
export class Grid {
  #known: readonly (KnownServer & { readonly member: GridMember | undefined })[] = [];
  readonly #options: GridOptions;
  readonly #waiting = new Set<() => void>();
  /** Members that were given up and are still closing. */
  readonly #leaving = new Set<Promise<void>>();
  #closed = false;

  constructor(options: GridOptions) {
    this.#options = options;
    this.replace(options.servers);
  }

  /**
   * These are the servers from now on. One whose `server` was there before stays as it is; those that are not among
   * them any more are closed.
   */
  replace(servers: readonly KnownServer[]): void {
    const { clock, random, log } = this.#options;
    const limits = { ...defaultPollLimits, ...this.#options.limits };
    const before = new Map(this.#known.map(({ member, server }) => [server, member]));
    const environment = { clock, random, log, limits, changed: () => this.changed() };
    let newCount = 0;
    const admit = (server: StorageServer): GridMember => {
      const delayMs = Math.floor(newCount++ / FIRST_POLLS_AT_ONCE) * FIRST_POLLS_PAUSE_MS;
      return new GridMember(server, environment, delayMs);
    };
    this.#known = servers.map((known) => ({
      ...known,
      member: before.get(known.server) ?? (known.server && admit(known.server)),
    }));
    const stays = new Set(this.#members());
    for (const member of before.values()) if (member !== undefined && !stays.has(member)) this.#leave(member);
    this.changed();
  }

  /** Has those who wait look again. */
  changed(): void {
    for (const look of [...this.#waiting]) look();
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
      toHex(this.#options.crypto.sha1(concat(storageIndex, server.permutationSeed)));
    return this.connectedServers()
      .map((server) => ({ server, place: place(server) }))
      .sort((a, b) => (a.place < b.place ? -1 : 1))
      .map(({ server }) => server);
  }

  /** All known servers, in the order they were announced. */
  status(): ServerStatus[] {
    const { permission } = this.#options;
    return this.#known.map(({ dialect: announced = 'https', identity, member, origin = '', plugins = [] }) => ({
      serverId: identity.serverId,
      shortName: shortNameOf(identity.serverId),
      nickname: identity.nickname,
      supported: member !== undefined,
      connected: member?.connected ?? false,
      connectionStatus: member?.connectionStatus ?? unsupported(plugins),
      plugins,
      availableSpace: member?.version?.availableSpace,
      version: member?.version?.applicationVersion,
      lastReceivedDataMs: member?.lastReceivedDataMs,
      dialect: member === undefined ? 'none' : (member.version?.dialect ?? announced),
      upgraded: announced === 'foolscap' && member?.version?.dialect === 'https',
      clockOffsetMs: member?.clockOffsetMs,
      origin,
      certificate: permission?.stateOf(identity.serverId) ?? 'not-needed',
      certificateExpiryMs: permission?.expiryOf(identity.serverId),
      latencyMs: member?.latencyMs,
    }));
  }

  /**
   * Waits until at least `minimum` servers are connected, or all are known and every one has been tried once.
   * @throws ERR_CANCELLED when the signal or `close` ends the wait.
   */
  async ready(minimum: number, signal?: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (this.#closed || signal?.aborted === true) {
          stop();
          reject(new TahoeError('ERR_CANCELLED', { what: 'waiting for servers' }, { cause: signal?.reason }));
        } else if (this.connectedServers().length >= minimum || this.#isTried()) {
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
    this.changed();
    await Promise.all([...this.#members().map((member) => member.close()), ...this.#leaving]);
  }

  #isTried(): boolean {
    return (this.#options.isTold?.() ?? true) && this.#members().every((member) => member.tried);
  }

  #leave(member: GridMember): void {
    const left = member.close().finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
  }

  #members(): GridMember[] {
    return this.#known.flatMap(({ member }) => member ?? []);
  }
}
