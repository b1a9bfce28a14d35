/**
 * Looks at the servers of a mutable file until enough is known for what is wanted:
 *
 *     read       2k servers have answered, a version can be recovered, and no sign of a newer one
 *     write      the same, and behind the last server with shares k in a row have none, with all before them heard of
 *     check      every server has answered
 *     repair     the same, for who is about to write
 *     anything   a version can be recovered
 *
 * Otherwise until all servers have answered. A server is waited for only as long as it is worth: who has not answered
 * after a few seconds is passed over where the rest is enough, and given up altogether some time later.
 * @see Tahoe-LAFS docs/specifications/mutable.rst, src/allmydata/mutable/servermap.py (the rules)
 */
import { setMaxListeners } from 'node:events';
import type { Clock, Log } from '#core/environment.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import { withDeadline } from '../deadline.js';
import type { StorageServer } from '../storage-server.js';
import { reportBadShare } from './corruption.js';
import { QUERY_TIMEOUT_MS, queryServer, VerifiedSignatures } from './server-query.js';
import type { QueriedFile } from './server-query.js';
import { Servermap } from './servermap.js';

/** What the look is for. */
export type ServermapMode = 'read' | 'write' | 'check' | 'repair' | 'anything';

/** How many servers are asked at a time after the first; when all are asked, so many at once. */
const IN_FLIGHT_MAX = 5;
const CHECK_IN_FLIGHT_MAX = 50;
/** After so long a server is passed over where the others are enough. */
const patienceMs: Readonly<Record<ServermapMode, number>> = {
  read: 3_000,
  anything: 3_000,
  write: 5_000,
  check: QUERY_TIMEOUT_MS,
  repair: QUERY_TIMEOUT_MS,
};
/** How many bad shares are reported to one server in one look. */
const REPORTS_MAX = 10;

/** Which file, where, and how well it is to be known. */
export interface ServermapRequest extends QueriedFile {
  readonly mode: ServermapMode;
  /** In permuted order. */
  readonly servers: readonly StorageServer[];
  /** A guess at the file's encoding, until a share says what it is. */
  readonly encoding: { readonly needed: number; readonly total: number };
  /** The highest sequence number seen before: what is older is no reason to stop. */
  readonly newestKnown: number;
  /** What is known already: its servers are not asked again, and what is found is added to it. */
  readonly map?: Servermap;
  /** Instead of the mode's. */
  readonly patienceMs?: number | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Where the question to a server stands. `overdue` may still answer. */
type QueryState = 'waiting' | 'asked' | 'overdue' | 'answered' | 'failed';

/** Looks. @throws ERR_NO_SERVERS when none is connected, ERR_CANCELLED. */
export async function updateServermap(request: ServermapRequest): Promise<Servermap> {
  if (request.servers.length === 0) throw new TahoeError('ERR_NO_SERVERS', { reason: 'none is connected' });
  const update = new ServermapUpdate(request);
  try {
    return await update.run();
  } finally {
    update.close();
  }
}

class ServermapUpdate {
  readonly #request: ServermapRequest;
  readonly #map: Servermap;
  readonly #verified: VerifiedSignatures;
  readonly #states: Map<StorageServer, QueryState>;
  readonly #ended = new AbortController();
  readonly #cancelTimers = new Set<() => void>();
  #initial = 0;
  #wake: () => void = () => undefined;

  constructor(request: ServermapRequest) {
    const map = request.map ?? new Servermap();
    const servers = request.servers.filter((server) => !map.answered.has(server) && !map.failures.has(server));
    this.#request = request;
    this.#map = map;
    this.#verified = new VerifiedSignatures(request);
    this.#states = new Map(servers.map((server) => [server, 'waiting']));
    setMaxListeners(0, this.#ended.signal);
  }

  async run(): Promise<Servermap> {
    const { signal } = this.#request;
    const cancel = (): void => {
      this.#wake();
    };
    signal.addEventListener('abort', cancel);
    try {
      for (;;) {
        if (signal.aborted) throw new TahoeError('ERR_CANCELLED', { what: 'the look at the servers' });
        if (this.#isEnough()) return this.#finish();
        this.#askFurther();
        if (this.#count('asked', 'overdue', 'waiting') === 0) return this.#finish();
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }

  close(): void {
    this.#ended.abort();
    for (const cancelTimer of this.#cancelTimers) cancelTimer();
  }

  /** Who was asked and not waited for counts as failed. */
  #finish(): Servermap {
    for (const [server, state] of this.#states) {
      if (state === 'overdue') this.#map.failures.set(server, 'it gave no answer in time');
    }
    return this.#map;
  }

  #isEnough(): boolean {
    const { mode, newestKnown } = this.#request;
    if (mode === 'check' || mode === 'repair')
      return this.#count('answered', 'failed', 'overdue') === this.#states.size;
    const best = this.#map.best();
    if (best === undefined) return false;
    if (mode === 'anything') return true;
    // A newer version was seen before: it is looked for as long as anybody may still answer.
    if (best.version.sequenceNumber < newestKnown) return false;
    // Signs of a newer version: everybody is asked before the older one is taken.
    if (this.#map.newerUnrecoverable().length > 0) return this.#count('waiting', 'asked') === 0;
    return mode === 'read' ? this.#hasHeardEnough() : this.#hasSeenTheEnd();
  }

  #hasHeardEnough(): boolean {
    return this.#count('answered', 'failed', 'overdue') >= Math.min(2 * this.#needed, this.#states.size);
  }

  /** Whether k servers in a row have nothing behind the last that has, and nobody before them is waited for. */
  #hasSeenTheEnd(): boolean {
    const holders = new Set(this.#map.shares.map(({ server }) => server));
    let hasFound = false;
    let empty = 0;
    for (const [server, state] of this.#states) {
      if (state === 'waiting' || state === 'asked') return false;
      if (state !== 'answered') continue;
      hasFound ||= holders.has(server);
      empty = holders.has(server) || !hasFound ? 0 : empty + 1;
      if (empty >= this.#needed) return true;
    }
    return true;
  }

  get #needed(): number {
    return this.#map.best()?.version.needed ?? this.#request.encoding.needed;
  }

  #askFurther(): void {
    const { encoding, mode } = this.#request;
    const isCheck = mode === 'check' || mode === 'repair';
    const first = isCheck ? this.#states.size : encoding.needed + (mode === 'write' ? encoding.total : encoding.needed);
    let asked = this.#count('asked');
    for (const [server, state] of this.#states) {
      const limit = this.#initial < first ? Math.max(first, IN_FLIGHT_MAX) : IN_FLIGHT_MAX;
      if (asked >= (isCheck ? CHECK_IN_FLIGHT_MAX : limit)) return;
      if (state !== 'waiting') continue;
      this.#initial += 1;
      asked += 1;
      void this.#ask(server);
    }
  }

  async #ask(server: StorageServer): Promise<void> {
    const { clock, log, mode, storageIndex } = this.#request;
    this.#states.set(server, 'asked');
    this.#schedule(this.#request.patienceMs ?? patienceMs[mode], () => {
      if (this.#states.get(server) === 'asked') this.#settle(server, 'overdue');
    });
    let reports = 0;
    const listener = {
      found: this.#whileOpen((share: Parameters<Servermap['add']>[0]) => {
        this.#map.add(share);
      }),
      bad: this.#whileOpen((bad: Parameters<Servermap['addBad']>[0]) => {
        this.#map.addBad(bad);
        if (reports++ < REPORTS_MAX) reportBadShare({ clock, log }, storageIndex, bad);
      }),
    };
    try {
      const what = `server ${server.shortName}`;
      const limit = { clock, timeoutMs: QUERY_TIMEOUT_MS, what, signal: this.#ended.signal };
      await withDeadline(limit, (signal) => queryServer(this.#request, server, this.#verified, listener, signal));
      if (this.#ended.signal.aborted) return;
      this.#map.answered.add(server);
      this.#settle(server, 'answered');
    } catch (error) {
      if (this.#ended.signal.aborted) return;
      log.info('server did not say what it holds', { server: server.shortName, reason: reasonOf(error) });
      this.#map.failures.set(server, reasonOf(error));
      this.#settle(server, 'failed');
    }
  }

  /** The map is the caller's once the look has ended. */
  #whileOpen<Item>(action: (item: Item) => void): (item: Item) => void {
    return (item) => {
      if (!this.#ended.signal.aborted) action(item);
    };
  }

  #settle(server: StorageServer, state: QueryState): void {
    this.#states.set(server, state);
    this.#wake();
  }

  #schedule(delayMs: number, action: () => void): void {
    const cancelTimer = this.#request.clock.schedule(delayMs, () => {
      this.#cancelTimers.delete(cancelTimer);
      action();
    });
    this.#cancelTimers.add(cancelTimer);
  }

  #count(...states: readonly QueryState[]): number {
    return [...this.#states.values()].filter((state) => states.includes(state)).length;
  }
}
