/**
 * A whole grid in one process: servers behind a network, the client's own view of them, virtual time, and trouble.
 * Everything that happens follows from one seed.
 */
import { silentLog } from '#core/environment.js';
import type { FileStoreContext } from '#client/file-store.js';
import { Grid } from '#client/grid.js';
import { KnownVersions } from '#client/mutable/known-versions.js';
import { createSeenVersions } from '#client/mutable/seen-versions.js';
import { WriterQueue } from '#client/mutable/writer-queue.js';
import type { OperationName } from '#client/storage-server-decorator.js';
import { localEncoders } from '#client/upload/file-encoder.js';
import { UploadTurns } from '#client/upload/upload-turns.js';
import type { UploadContext, UploadEncoding } from '#client/upload/upload.js';
import { Chance } from '../fixtures/chance.js';
import { ManualClock } from '../fixtures/clock.js';
import { crypto, seededRandom } from '../fixtures/crypto.js';
import { memorySpool } from '../fixtures/memory-grid.js';
import { MemoryServer } from '../fixtures/memory-server.js';
import { testKeys } from '../fixtures/mutable-grid.js';
import { SimServer } from './sim-server.js';
import type { Fault, FaultKind } from './sim-server.js';
import { inVirtualTime, pass } from './virtual-time.js';

const SERVER_COUNT_MAX = 14;
const leaseSecret = new Uint8Array(32).fill(1);
const START_LIMIT_MS = 60_000;
/** Longer than the longest wait of the grid before it looks for a server again. */
const RECOVERY_MS = 90_000;

const faultKinds: readonly FaultKind[] = ['hang', 'drop', 'refuse', 'slow', 'lie', 'wrong version', 'full'];
const operationGroups: readonly (readonly OperationName[])[] = [
  ['listShares', 'listMutableShares', 'readBeginnings'],
  ['read', 'readMutable', 'readMutableBeginnings', 'readBeginnings'],
  ['allocate', 'storeShares'],
  ['write', 'streamWrite'],
  ['allocate', 'storeShares', 'write', 'streamWrite', 'readTestWrite'],
  ['addLease', 'reportCorrupt', 'reportMutableCorrupt'],
];

/** What a workload finds that must not be. */
export class Violation extends Error {}

export class World {
  readonly chance: Chance;
  readonly clock = new ManualClock();
  readonly servers: readonly SimServer[];
  readonly grid: Grid;
  readonly encoding: UploadEncoding;
  readonly context: UploadContext;
  /** The same with what mutable files take. */
  readonly storeContext: FileStoreContext;
  /** Everything that happened, one line each. */
  readonly trace: string[] = [];

  constructor(seed: number) {
    this.chance = new Chance(seed);
    const { chance, clock } = this;
    const random = seededRandom(`grid ${String(seed)}`);
    this.servers = Array.from({ length: 1 + chance.below(SERVER_COUNT_MAX) }, (_, i) => {
      const inner = new MemoryServer(`server${String(i)}`);
      inner.takesStreams = chance.oneIn(2);
      inner.takesWholeShares = chance.oneIn(2);
      inner.hasBeginnings = inner.takesStreams;
      return new SimServer(inner, clock, new Chance(chance.below(2 ** 31)));
    });
    const total = 1 + chance.below(Math.min(10, this.servers.length + 3));
    const needed = 1 + chance.below(Math.min(total, 4));
    const happy = 1 + chance.below(Math.min(total, this.servers.length));
    this.encoding = { needed, happy, total, segmentSizeMax: chance.pick([512, 3000, 20_000]) };
    const known = this.servers.map((server) => ({ identity: server, server }));
    this.grid = new Grid({ servers: known, crypto, clock, random, log: silentLog });
    this.context = {
      crypto,
      clock,
      random,
      log: silentLog,
      encoding: this.encoding,
      convergenceSecret: new Uint8Array(32),
      leaseSecret,
      uploadTurns: new UploadTurns({ crypto, random, leaseSecret }),
      serversFor: (storageIndex) => this.grid.permutedServers(storageIndex),
      openSpool: () => Promise.resolve(memorySpool()),
      openEncoder: localEncoders(crypto),
    };
    let keyCount = 0;
    this.storeContext = {
      ...this.context,
      encoding: this.encoding,
      seen: createSeenVersions(),
      writers: new WriterQueue(),
      ...(chance.oneIn(2) && { known: new KnownVersions() }),
      takeKey: () => Promise.resolve(testKeys[keyCount++ % testKeys.length] ?? new Uint8Array(0)),
      mdmfSegmentSize: chance.pick([60, 512, 3000]),
    };
  }

  /** Waits until the client knows its servers. */
  async start(): Promise<void> {
    const { needed, happy, total } = this.encoding;
    this.note(`${String(this.servers.length)} servers, ${[needed, happy, total].join('/')}`);
    await inVirtualTime(this.clock, this.grid.ready(this.servers.length), START_LIMIT_MS);
  }

  /** Ends it. @throws Violation when something still waits for the clock after a while. */
  async close(): Promise<void> {
    await this.pass(RECOVERY_MS);
    await inVirtualTime(this.clock, this.grid.close(), START_LIMIT_MS);
    await this.pass(RECOVERY_MS);
    if (this.clock.pending > 0) throw new Violation(`${String(this.clock.pending)} timers are left at the end`);
  }

  note(line: string): void {
    this.trace.push(`${String(this.clock.monotonicMs())} ${line}`);
  }

  pass(ms: number): Promise<void> {
    return pass(this.clock, ms);
  }

  /** The servers that are well, and that the client knows to be. */
  wellServers(): SimServer[] {
    const connected = new Set(this.grid.connectedServers().map(({ serverId }) => serverId));
    const nowMs = this.clock.monotonicMs();
    return this.servers.filter((server) => connected.has(server.serverId) && server.wellSince(nowMs));
  }

  /** Something happens to a server, or stops. */
  disturb(): void {
    const server = this.chance.pick(this.servers);
    if (server.isDead || server.fault !== undefined) {
      if (server.isDead) server.revive();
      server.fault = undefined;
      this.note(`${server.shortName} is well`);
    } else if (this.chance.oneIn(4)) {
      server.kill();
      this.note(`${server.shortName} dies`);
    } else {
      const fault = this.#fault();
      server.fault = fault;
      this.note(`${server.shortName}: ${fault.kind} ${fault.phase} ${fault.operations?.join() ?? 'everything'}`);
    }
  }

  /** All servers are well again, and the client has noticed. */
  async heal(): Promise<void> {
    for (const server of this.servers) {
      if (server.isDead) server.revive();
      server.fault = undefined;
      server.inner.uploads.clear(); // as a server does by itself, in the end
    }
    this.note('all servers are well');
    await this.pass(RECOVERY_MS);
    const connected = this.grid.connectedServers().length;
    if (connected < this.servers.length) throw new Violation(`only ${String(connected)} servers are found again`);
  }

  #fault(): Fault {
    const { chance } = this;
    const fault = { kind: chance.pick(faultKinds), phase: chance.pick(['before', 'after'] as const) };
    return chance.oneIn(2) ? fault : { ...fault, operations: chance.pick(operationGroups) };
  }
}
