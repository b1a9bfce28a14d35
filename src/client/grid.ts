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
import { DialTurns } from './dial-turns.js';
import { defaultPollLimits, GridMember } from './grid-member.js';
import type { MetServers, PollLimits } from './grid-member.js';
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
  /** How many places are dialled to reach it; 1 unless it says otherwise. */
  readonly dialCount?: number;
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
  /** Remembers who has answered; they are dialled first. */
  readonly met?: MetServers;
  /** Whether all who tell of servers have been asked once; without it they have. */
  readonly isTold?: () => boolean;
}

/** How many servers an operation cannot do without. */
export interface RequiredServers {
  readonly count: number;
  /** Whether they must be such as may get new shares. */
  readonly toTakeShares?: boolean;
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
/** How long after new servers were announced it is waited for them: of thousands that are dead not all can be tried in time. */
export const PATIENCE_MS = 15_000;
/** Those that do not answer are asked again for who needs them and waits, unless they were just before. */
export const LAST_RESORT_SPACING_MS = 5_000;
/** How long that wait is. */
export const LAST_RESORT_MS = 6_000;
const UNSUPPORTED = 'unsupported: it has no address (NURL) for HTTPS that can be used';

function unsupported(plugins: readonly string[]): string {
  if (plugins.length === 0) return UNSUPPORTED;
  return `unsupported: it is offered only by storage plugins (${plugins.join(', ')}), of which none is known`;
}

/** Polls its servers from its construction until `close`. */
export class Grid {
  #known: readonly (KnownServer & { readonly member: GridMember | undefined })[] = [];
  /** Those of them that can be talked to, in the same order. */
  #members: readonly GridMember[] = [];
  readonly #turns: DialTurns;
  #patientUntilMs = -Infinity;
  readonly #options: GridOptions;
  readonly #waiting = new Set<() => void>();
  /** Members that were given up and are still closing. */
  readonly #leaving = new Set<Promise<void>>();
  #closed = false;

  constructor(options: GridOptions) {
    this.#options = options;
    this.#turns = new DialTurns(options.clock);
    this.replace(options.servers);
  }

  /**
   * These are the servers from now on. One whose `server` was there before stays as it is, and is asked soon if its
   * announcement is another; those that are not among them any more are closed.
   */
  replace(servers: readonly KnownServer[]): void {
    const before = new Map(this.#known.map((known) => [known.server, known]));
    const { met } = this.#options;
    const newCounts = { met: 0, others: 0 };
    this.#known = servers.map((known) => {
      const { identity, server } = known;
      if (server === undefined) return { ...known, member: undefined };
      const old = before.get(server);
      if (old?.member === undefined) {
        const position = met?.has(server.serverId) === true ? newCounts.met++ : newCounts.others++;
        return { ...known, member: this.#admit(known, server, position) };
      }
      if (old.identity !== identity) old.member.announcedAnew();
      return { ...known, member: old.member };
    });
    if (newCounts.met + newCounts.others > 0) this.#patientUntilMs = this.#options.clock.monotonicMs() + PATIENCE_MS;
    this.#members = this.#known.flatMap(({ member }) => member ?? []);
    const stays = new Set(this.#members);
    for (const { member } of before.values()) if (member !== undefined && !stays.has(member)) this.#leave(member);
    this.changed();
  }

  #admit({ dialCount = 1 }: KnownServer, server: StorageServer, position: number): GridMember {
    const { clock, random, log, met } = this.#options;
    const limits = { ...defaultPollLimits, ...this.#options.limits };
    const environment = { clock, random, log, limits, met, turns: this.#turns, changed: () => this.changed() };
    const delayMs = Math.floor(position / FIRST_POLLS_AT_ONCE) * FIRST_POLLS_PAUSE_MS;
    return new GridMember(server, environment, { delayMs, dialCount });
  }

  /** Has those who wait look again. */
  changed(): void {
    for (const look of [...this.#waiting]) look();
  }

  /** The servers that answer, in the order they were announced. */
  connectedServers(): StorageServer[] {
    return this.#members.filter((member) => member.connected).map((member) => member.server);
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
   * Waits until at least `minimum` servers are connected, or all are known and every one has been tried once, or they
   * have had PATIENCE_MS for it. Where fewer than are required are connected then, the others are tried again.
   * @throws ERR_CANCELLED when the signal or `close` ends the wait.
   */
  async ready(minimum: number, signal?: AbortSignal, required: RequiredServers = { count: 0 }): Promise<void> {
    const isEnough = (): boolean => this.connectedServers().length >= minimum;
    await this.#wait(() => isEnough() || this.#isTold(), Infinity, signal);
    await this.#wait(() => isEnough() || this.#isTried(), this.#patientUntilMs, signal);
    const { count, toTakeShares = false } = required;
    const takes = ({ serverId }: StorageServer): boolean =>
      !toTakeShares || (this.#options.permission?.allows(serverId) ?? true);
    const hasRequired = (): boolean => this.connectedServers().filter(takes).length >= count;
    if (!hasRequired()) await this.tryAgain(signal, hasRequired);
  }

  /**
   * Has all that do not answer asked at once, as far as there are turns for them and it was not done just before; waits
   * until it is enough, until all of them have been asked, or LAST_RESORT_MS.
   * @throws ERR_CANCELLED when the signal or `close` ends the wait.
   */
  async tryAgain(signal?: AbortSignal, isEnough = (): boolean => false): Promise<void> {
    const latestMs = this.#nowMs() - LAST_RESORT_SPACING_MS;
    const absent = this.#members
      .filter((member) => !member.connected && member.attemptStartMs <= latestMs)
      .map((member) => ({ member, attemptCount: member.attemptCount }));
    for (const { member } of absent) member.tryAgain();
    const isAsked = (): boolean => absent.every(({ member, attemptCount }) => member.attemptCount > attemptCount);
    await this.#wait(() => isEnough() || isAsked(), this.#nowMs() + LAST_RESORT_MS, signal);
  }

  /** Waits until it is so, but no longer than until `latestMs`. */
  async #wait(isSo: () => boolean, latestMs: number, signal: AbortSignal | undefined): Promise<void> {
    // Nearly always it is so, and listening costs more than looking.
    if (!this.#closed && signal?.aborted !== true && isSo()) return;
    let cancelTimer = (): void => undefined;
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        const isEnded = this.#closed || signal?.aborted === true;
        const isOver = isSo() || this.#nowMs() >= latestMs;
        if (!isEnded && !isOver) return;
        this.#waiting.delete(look);
        signal?.removeEventListener('abort', look);
        cancelTimer();
        if (!isEnded) resolve();
        else reject(new TahoeError('ERR_CANCELLED', { what: 'waiting for servers' }, { cause: signal?.reason }));
      };
      this.#waiting.add(look);
      signal?.addEventListener('abort', look, { once: true });
      look();
      if (this.#waiting.has(look) && latestMs < Infinity) {
        cancelTimer = this.#options.clock.schedule(Math.max(0, latestMs - this.#nowMs()), look);
      }
    });
  }

  /** Ends polling, waits and connections. */
  async close(): Promise<void> {
    this.#closed = true;
    this.changed();
    await Promise.all([...this.#members.map((member) => member.close()), ...this.#leaving]);
  }

  #isTold(): boolean {
    return this.#options.isTold?.() ?? true;
  }

  #isTried(): boolean {
    return this.#members.every((member) => member.attemptCount > 0);
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }

  #leave(member: GridMember): void {
    const left = member.close().finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
  }
}
