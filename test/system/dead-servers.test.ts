/**
 * A grid of 5 000 servers that are dead and ten that live, in virtual time: what is dialled is bounded, uploads do not
 * notice, and who comes back is found.
 */
import t from 'tap';
import type { Test } from 'tap';
import { silentLog } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { FAILED_DIALS_PER_MINUTE_MAX, defaultDialLimits } from '#client/dial-turns.js';
import { Grid, LAST_RESORT_MS, LAST_RESORT_SPACING_MS, PATIENCE_MS } from '#client/grid.js';
import { defaultPollLimits } from '#client/grid-member.js';
import type { CallOptions, ServerIdentity, ServerVersion, StorageServer } from '#client/storage-server.js';
import { StorageServerDecorator } from '#client/storage-server-decorator.js';
import { UploadPermission } from '#client/upload-permission.js';
import { uploadFile } from '#client/upload/upload.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { crypto, seededBytes, seededRandom } from '#test/fixtures/crypto.js';
import { MemoryGrid, pieces } from '#test/fixtures/memory-grid.js';
import { MemoryServer } from '#test/fixtures/memory-server.js';

const DEAD_COUNT = 5_000;
const MINUTE_MS = 60_000;
/** Longer than it takes to try all of them once: those that are new have three turns of four. */
const ROUND_MS = Math.ceil((DEAD_COUNT / defaultDialLimits.perSecond) * (4 / 3)) * 1000;

/** What was dialled of the dead. */
class Dials {
  readonly startsMs: number[] = [];
  running = 0;
  most = 0;

  mostInAMinute(): number {
    let first = 0;
    return this.startsMs.reduce((most, startMs, last) => {
      while ((this.startsMs[first] ?? 0) <= startMs - MINUTE_MS) first += 1;
      return Math.max(most, last + 1 - first);
    }, 0);
  }
}

/** One that refuses connections, or swallows them; or has come to life. */
class DeadServer extends StorageServerDecorator {
  isAlive = false;
  swallows: boolean;
  dialCount = 0;
  readonly #clock: ManualClock;
  readonly #dials: Dials;

  constructor(identity: ServerIdentity, clock: ManualClock, dials: Dials, swallows: boolean) {
    super(identity);
    this.#clock = clock;
    this.#dials = dials;
    this.swallows = swallows;
  }

  override async version(options: CallOptions = {}): Promise<ServerVersion> {
    this.dialCount += 1;
    if (this.isAlive) return version;
    this.#dials.startsMs.push(this.#clock.monotonicMs());
    this.#dials.most = Math.max(this.#dials.most, (this.#dials.running += 1));
    try {
      const { signal, timeoutMs = 0 } = options;
      if (this.swallows) {
        await new Promise<void>((resolve) => {
          const end = (): void => {
            cancel();
            signal?.removeEventListener('abort', end);
            resolve();
          };
          const cancel = this.#clock.schedule(timeoutMs, end);
          signal?.addEventListener('abort', end);
        });
      }
      throw new TahoeError('ERR_CONNECT', { server: this.shortName, reason: 'nothing is there' });
    } finally {
      this.#dials.running -= 1;
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  protected around(): Promise<never> {
    throw new RangeError('a dead server is asked for shares');
  }
}

const version = await new MemoryServer('alive').version();

function identityOf(name: string): ServerIdentity {
  const permutationSeed = seededBytes(name, 32);
  return { serverId: `v0-${name}`, nickname: name, permutationSeed, tubId: permutationSeed.subarray(0, 20) };
}

interface Scene {
  readonly clock: ManualClock;
  readonly grid: Grid;
  readonly dials: Dials;
  readonly dead: readonly DeadServer[];
  advance(ms: number): Promise<void>;
  /** @returns how long it took in virtual time, undefined when it was not within `ms`. */
  until(isSo: () => boolean, ms: number): Promise<number | undefined>;
}

/** The dead stand before the living. @param met - the ids of those that have answered before. */
function createScene(
  t: Test,
  deadCount: number,
  living: readonly StorageServer[],
  met: Set<string> = new Set(),
  permission = new UploadPermission(undefined, crypto, new ManualClock()),
): Scene {
  const clock = new ManualClock();
  const dials = new Dials();
  const dead = Array.from({ length: deadCount }, (_, i) => {
    return new DeadServer(identityOf(`dead${String(i)}`), clock, dials, i % 2 === 0);
  });
  const servers = [...dead, ...living].map((server) => ({ identity: server, server }));
  const grid = new Grid({ servers, crypto, clock, random: seededRandom('dead'), log: silentLog, met, permission });
  t.teardown(() => grid.close());
  const until = async (isSo: () => boolean, ms: number): Promise<number | undefined> => {
    const startMs = clock.monotonicMs();
    while (!isSo()) {
      if (clock.monotonicMs() - startMs >= ms) return undefined;
      clock.advance(Math.min(100, startMs + ms - clock.monotonicMs()));
      await settle(2);
    }
    return clock.monotonicMs() - startMs;
  };
  const advance = async (ms: number): Promise<void> => {
    await until(() => false, ms);
  };
  return { clock, grid, dials, dead, advance, until };
}

async function upload(memory: MemoryGrid, grid: Grid, name: string): Promise<number> {
  const asked = (): number => memory.servers.reduce((count, { requests }) => count + requests.length, 0);
  const before = asked();
  await grid.ready(10, undefined, { count: 7 });
  const context = { ...memory.context, serversFor: (index: Uint8Array) => grid.permutedServers(index) };
  await uploadFile(context, pieces(seededBytes(name, 5_000)), { signal: new AbortController().signal });
  return asked() - before;
}

t.test('5 000 dead servers before ten that live', { timeout: 240_000 }, async (t) => {
  const memory = new MemoryGrid(10);
  const { advance, clock, dead, dials, grid, until } = createScene(t, DEAD_COUNT, memory.servers);
  const alone = new MemoryGrid(10);
  const small = createScene(t, 0, alone.servers);
  await small.advance(1000);
  const usual = await upload(alone, small.grid, 'a file');

  const found = await until(() => grid.connectedServers().length === 10, ROUND_MS + MINUTE_MS);
  t.ok(found !== undefined, `the last of those that live is found after ${String((found ?? 0) / 1000)} s`);
  const atMs = clock.monotonicMs();
  t.equal(await upload(memory, grid, 'a file'), usual, `an upload takes its usual ${String(usual)} requests`);
  t.equal(clock.monotonicMs(), atMs, 'and waits for nobody');

  await advance(15 * MINUTE_MS);
  t.equal(grid.connectedServers().length, 10, 'those that live stay connected');
  t.ok(
    dead.every(({ dialCount }) => dialCount > 1),
    'each of the dead was tried, more than once',
  );
  const most = dials.mostInAMinute();
  t.ok(most <= FAILED_DIALS_PER_MINUTE_MAX, `at most ${String(most)} dials in a minute`);
  t.ok(most > FAILED_DIALS_PER_MINUTE_MAX / 2, 'and the ration is made use of');
  t.ok(dials.most <= defaultDialLimits.atOnce, `at most ${String(dials.most)} at once`);
  t.ok(clock.pending <= 2 * (DEAD_COUNT + 10), `${String(clock.pending)} timers wait`);
  t.equal(await upload(memory, grid, 'another'), usual, 'as usual');

  const [revived, announced] = [dead[2], dead[3]];
  if (revived === undefined || announced === undefined) throw new Error('two of the dead');
  revived.isAlive = true;
  announced.isAlive = true;
  const isConnected =
    ({ serverId }: ServerIdentity) =>
    (): boolean =>
      grid.connectedServers().some((server) => server.serverId === serverId);
  const servers = grid.status().length;
  grid.replace(
    [...dead, ...memory.servers].map((server) => {
      return { identity: server === announced ? { ...identityOf('dead3'), shortName: 'x' } : server, server };
    }),
  );
  t.equal(grid.status().length, servers);
  const soonMs = await until(isConnected(announced), MINUTE_MS);
  t.ok((soonMs ?? Infinity) <= 3_000, `one that is announced anew is found after ${String(soonMs)} ms`);
  const laterMs = await until(isConnected(revived), defaultPollLimits.backOffUnmetMaxMs + ROUND_MS);
  t.ok(laterMs !== undefined, `one that is not, after ${String(laterMs)} ms`);

  revived.isAlive = false;
  await until(() => !isConnected(revived)(), MINUTE_MS);
  await advance(10 * MINUTE_MS);
  revived.isAlive = true;
  const againMs = await until(isConnected(revived), 2 * MINUTE_MS);
  const capMs = defaultPollLimits.backOffMaxMs + 1_000;
  t.ok((againMs ?? Infinity) <= capMs, `one that had answered once is found again after ${String(againMs)} ms`);
  t.ok(dials.mostInAMinute() <= FAILED_DIALS_PER_MINUTE_MAX);
  await grid.close();
  t.equal(clock.pending, 0, 'nothing is left');
});

t.test('after a restart those that had answered are dialled first', async (t) => {
  const memory = new MemoryGrid(10);
  const met = new Set(memory.servers.map(({ serverId }) => serverId));
  const { dials, grid, until } = createScene(t, DEAD_COUNT, memory.servers, met);
  let isReady = false;
  void grid.ready(10).then(() => (isReady = true));
  const ms = await until(() => isReady, MINUTE_MS);
  t.ok((ms ?? Infinity) <= 1_000, `an upload can begin after ${String(ms)} ms`);
  t.ok(dials.startsMs.length <= FAILED_DIALS_PER_MINUTE_MAX, `${String(dials.startsMs.length)} others were dialled`);
  t.equal(grid.connectedServers().length, 10);
});

t.test('with too few servers those that are dead are tried at once, and not all the time', async (t) => {
  const memory = new MemoryGrid(5, { happy: 7 });
  const { advance, clock, dead, dials, grid, until } = createScene(t, 4, memory.servers);
  await advance(20 * MINUTE_MS);
  t.equal(grid.connectedServers().length, 5);
  await grid.ready(10, undefined, { count: 5 });
  const before = dials.startsMs.length;
  for (const server of dead) server.isAlive = true;
  const startMs = clock.monotonicMs();
  let isReady = false;
  const ready = grid.ready(10, undefined, { count: 7 }).then(() => (isReady = true));
  t.ok(((await until(() => isReady, MINUTE_MS)) ?? Infinity) <= 200, 'they have come back');
  await ready;
  t.ok(grid.connectedServers().length >= 7);
  t.equal(dials.startsMs.length, before, 'none was asked before');
  t.ok(clock.monotonicMs() - startMs < 1000);

  for (const server of dead) server.isAlive = false;
  await advance(2 * MINUTE_MS);
  t.equal(grid.connectedServers().length, 5);
  const again = async (): Promise<number> => {
    const before = dead.map(({ dialCount }) => dialCount);
    const fromMs = clock.monotonicMs();
    let isOver = false;
    void grid.tryAgain().then(() => (isOver = true));
    await until(() => isOver, MINUTE_MS);
    t.ok(clock.monotonicMs() - fromMs <= LAST_RESORT_MS, 'nobody waits long for them');
    return dead.filter(({ dialCount }, i) => dialCount > (before[i] ?? 0)).length;
  };
  t.equal(await again(), 4, 'all are asked, though some swallow connections');
  for (const server of dead) server.swallows = false;
  await advance(LAST_RESORT_SPACING_MS);
  await again();
  t.equal(await again(), 0, 'but not twice in a few seconds');
  await t.rejects(grid.tryAgain(AbortSignal.abort()), { code: 'ERR_CANCELLED' });
});

t.test('servers without a certificate are none that an upload could use', async (t) => {
  const memory = new MemoryGrid(5);
  const { advance, dead, grid, until } = createScene(
    t,
    1,
    memory.servers,
    new Set(),
    new UploadPermission([], crypto, new ManualClock()),
  );
  await advance(20 * MINUTE_MS);
  const dialled = (): number | undefined => dead[0]?.dialCount;
  const before = dialled();
  const use = async (toTakeShares: boolean): Promise<void> => {
    let isReady = false;
    void grid.ready(5, undefined, { count: 5, toTakeShares }).then(() => (isReady = true));
    await until(() => isReady, MINUTE_MS);
  };
  await use(false);
  t.equal(dialled(), before, 'they are enough to read');
  await use(true);
  t.equal(dialled(), (before ?? 0) + 1, 'and too few to upload');
});

t.test('who waits for servers does not wait for thousands that are new', async (t) => {
  const { clock, grid, until } = createScene(t, DEAD_COUNT, [new MemoryServer('alive')]);
  let isReady = false;
  void grid.ready(10).then(() => (isReady = true));
  const ms = await until(() => isReady, 10 * MINUTE_MS);
  t.equal(ms, PATIENCE_MS);
  const startMs = clock.monotonicMs();
  await grid.ready(10);
  t.equal(clock.monotonicMs(), startMs, 'nor does the next');
});

t.test('who was told of nobody waits until somebody tells', async (t) => {
  const clock = new ManualClock();
  let isTold = false;
  const grid = new Grid({
    servers: [],
    crypto,
    clock,
    random: seededRandom('x'),
    log: silentLog,
    isTold: () => isTold,
  });
  t.teardown(() => grid.close());
  let isReady = false;
  const ready = grid.ready(1).then(() => (isReady = true));
  clock.advance(10 * PATIENCE_MS);
  await settle();
  t.equal(isReady, false, 'nobody has told anything');
  isTold = true;
  const server = new MemoryServer('late');
  grid.replace([{ identity: server, server }]);
  await settle();
  t.equal(isReady, false, 'it is not connected yet');
  clock.advance(1);
  await ready;
  t.equal(grid.connectedServers().length, 1);
});
