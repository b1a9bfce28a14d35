/** The grid: who is connected, when servers are asked again, in which order a file asks them. */
import t from 'tap';
import type { Test } from 'tap';
import fc from 'fast-check';
import { concat, toHex } from '#core/bytes.js';
import { silentLog } from '#core/environment.js';
import type { LogFacts } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { Grid } from '#client/grid.js';
import type { CallOptions, ServerVersion } from '#client/storage-server.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { crypto, seededBytes, seededRandom } from '#test/fixtures/crypto.js';
import { MemoryServer } from '#test/fixtures/memory-server.js';
import { fromHex, readVectors } from '#test/fixtures/vectors.js';

const storageIndex = seededBytes('storage index', 16);
const unreachable = (): Error =>
  new TahoeError('ERR_CONNECT', { server: 'x', reason: 'nothing listens at its address' });
const timedOut = (): Error => new TahoeError('ERR_TIMEOUT', { what: 'it', timeoutMs: 5000 });

/** A server that counts polls and answers them as told. */
class PolledServer extends MemoryServer {
  pollCount = 0;
  options: CallOptions | undefined;
  closed = false;
  answer: () => Promise<ServerVersion>;

  constructor(name: string) {
    super(name);
    const version = super.version();
    this.answer = () => version;
  }

  override version(options?: CallOptions): Promise<ServerVersion> {
    this.pollCount += 1;
    this.options = options;
    return new Promise<ServerVersion>((resolve, reject) => {
      const cancel = (): void => reject(new TahoeError('ERR_CANCELLED', { what: 'it' }));
      options?.signal?.addEventListener('abort', cancel);
      const done = (): void => options?.signal?.removeEventListener('abort', cancel);
      this.answer().finally(done).then(resolve, reject);
    });
  }

  override close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  fail(error: () => Error = unreachable): void {
    this.answer = () => Promise.reject(error());
  }
}

interface Scene {
  readonly grid: Grid;
  readonly clock: ManualClock;
  readonly lines: { event: string; facts: LogFacts | undefined }[];
  advance(ms: number): Promise<void>;
}

function createScene(t: Test, servers: readonly PolledServer[]): Scene {
  const clock = new ManualClock();
  const lines: Scene['lines'] = [];
  const note = (event: string, facts?: LogFacts): void => void lines.push({ event, facts });
  const grid = new Grid({
    servers: servers.map((server) => ({ identity: server, server })),
    crypto,
    clock,
    random: seededRandom('grid'),
    log: { ...silentLog, info: note, warn: note },
  });
  t.teardown(() => grid.close());
  const advance = async (ms: number): Promise<void> => {
    // In steps, so that what a timer starts can end before the next.
    for (let left = ms; left > 0; left -= 100) {
      clock.advance(Math.min(100, left));
      await settle(2);
    }
  };
  return { grid, clock, lines, advance };
}

t.test('a server that answers is connected and asked again every five seconds', async (t) => {
  const server = new PolledServer('one');
  const { grid, clock, lines, advance } = createScene(t, [server]);
  t.same(grid.connectedServers(), []);
  t.equal(grid.status()[0]?.connectionStatus, 'connecting');
  clock.advance(1);
  await settle();
  t.equal(grid.connectedServers().length, 1);
  t.equal(server.options?.timeoutMs, 5000);
  t.same(grid.status(), [
    {
      serverId: 'v0-one',
      shortName: 'one',
      nickname: 'one',
      supported: true,
      connected: true,
      connectionStatus: 'connected',
      plugins: [],
      availableSpace: Number.MAX_SAFE_INTEGER,
      version: 'memory',
      lastReceivedDataMs: clock.nowMs(),
      dialect: 'https',
      upgraded: false,
      clockOffsetMs: undefined,
      origin: '',
      certificate: 'not-needed',
      certificateExpiryMs: undefined,
      latencyMs: 1,
    },
  ]);
  await advance(60_000);
  t.equal(server.pollCount, 13);
  t.same(lines, [{ event: 'server-connected', facts: { server: 'one' } }], 'said once');
});

/** Whether each delay is twice as long as the one before, up to the longest, and shortened by chance to half of it at most. */
function checkDelays(t: Test, startsMs: readonly number[], longestMs: number): void {
  const delays = startsMs.slice(1).map((startMs, position) => startMs - (startsMs[position] ?? 0));
  for (const [position, delayMs] of delays.entries()) {
    const fullMs = Math.min(longestMs, 1000 * 2 ** position);
    t.ok(
      delayMs >= Math.max(1000, fullMs / 2) && delayMs <= fullMs + 100,
      `${String(position)}: ${String(delayMs)} ms`,
    );
  }
  t.ok(delays.length > 10 && new Set(delays.slice(-3)).size > 1, 'there is chance in it');
}

t.test('a server that fails is asked after 1 s, 2 s, 4 s … 300 s, each shortened by chance', async (t) => {
  const server = new PolledServer('one');
  const { grid, clock, lines, advance } = createScene(t, [server]);
  const startsMs: number[] = [];
  server.answer = () => {
    startsMs.push(clock.monotonicMs());
    return Promise.reject(unreachable());
  };
  await advance(2_400_000);
  checkDelays(t, startsMs, 300_000);
  t.equal(grid.status()[0]?.connectionStatus, 'nothing listens at its address');
  t.equal(lines.length, 1, 'one line, not one a poll');
});

t.test('one that has answered before, after 60 s at most', async (t) => {
  const server = new PolledServer('one');
  const { answer } = server;
  const { grid, clock, lines, advance } = createScene(t, [server]);
  await advance(1000);
  const startsMs: number[] = [];
  server.answer = () => {
    startsMs.push(clock.monotonicMs());
    return Promise.reject(unreachable());
  };
  await advance(600_000);
  checkDelays(t, startsMs, 60_000);
  t.equal(lines.length, 2);
  t.equal(grid.status()[0]?.version, 'memory', 'what it last said stays');

  server.answer = answer;
  await advance(60_100);
  t.equal(grid.status()[0]?.connected, true, 'it is found again');
  server.fail();
  await advance(5100);
  t.equal(grid.status()[0]?.connected, false, 'one failed poll is enough');
});

t.test('a new announcement begins the delays anew, the same one does not', async (t) => {
  const server = new PolledServer('one');
  server.fail();
  const { grid, advance } = createScene(t, [server]);
  await advance(600_000);
  const polls = server.pollCount;
  grid.replace([{ identity: server, server }]);
  await advance(1000);
  t.equal(server.pollCount, polls);
  const { nickname, permutationSeed, serverId, tubId } = server;
  grid.replace([{ identity: { nickname, permutationSeed, serverId, tubId }, server }]);
  await advance(3200);
  t.equal(server.pollCount, polls + 3, 'at once, after 1 s, after 2 s');
});

t.test('of many new servers some are asked at a time', async (t) => {
  const servers = Array.from({ length: 100 }, (_, i) => new PolledServer(String(i)));
  const { clock } = createScene(t, servers);
  const asked = (): number => servers.filter(({ pollCount }) => pollCount > 0).length;
  const counts: number[] = [];
  for (const ms of [1, 50, 50, 50]) {
    clock.advance(ms);
    await settle();
    counts.push(asked());
  }
  t.same(counts, [32, 64, 96, 100]);
});

t.test('what was seen as it answered decides on its dialect, and says how far its clock is', async (t) => {
  const server = new PolledServer('one');
  const version = await new MemoryServer('x').version();
  const { grid, clock, advance } = createScene(t, [server]);
  grid.replace([{ identity: server, server, dialect: 'foolscap' }]);
  server.answer = () => Promise.resolve({ ...version, dialect: 'foolscap' });
  await advance(100);
  t.match(grid.status()[0], { dialect: 'foolscap', upgraded: false, clockOffsetMs: undefined });
  server.answer = () => Promise.resolve({ ...version, dialect: 'https', serverTimeMs: clock.nowMs() - 7_200_000 });
  await advance(5_100);
  t.match(grid.status()[0], { dialect: 'https', upgraded: true, clockOffsetMs: -7_200_000 });
  server.answer = () => Promise.resolve({ ...version, dialect: 'foolscap' });
  await advance(5_100);
  t.match(grid.status()[0], { dialect: 'foolscap', upgraded: false, clockOffsetMs: undefined }, 'it went back');
});

t.test('use of a server feeds its status', async (t) => {
  const server = new PolledServer('one');
  const { grid, clock, advance } = createScene(t, [server]);
  await advance(1000);
  const [watched] = grid.connectedServers();
  if (watched === undefined) throw new Error('not connected');
  await watched.listShares(storageIndex);
  t.equal(grid.status()[0]?.lastReceivedDataMs, clock.nowMs());

  const polls = server.pollCount;
  server.listShares = () => Promise.reject(timedOut());
  await t.rejects(watched.listShares(storageIndex), { code: 'ERR_TIMEOUT' });
  await advance(1000);
  t.equal(server.pollCount, polls + 1, 'after a timeout it is asked at once');
  t.equal(grid.status()[0]?.connected, true);

  server.listShares = () => Promise.reject(unreachable());
  server.fail();
  for (let call = 0; call < 20; call++) await watched.listShares(storageIndex).catch(() => undefined);
  t.equal(grid.status()[0]?.connected, false, 'no connection: no longer connected');
  t.same(grid.permutedServers(storageIndex), []);
  await advance(1100);
  t.equal(server.pollCount, polls + 2, 'twenty failures at once are one failure');

  server.listShares = () => Promise.resolve(new Set());
  const version = await new MemoryServer('x').version();
  server.answer = () => Promise.resolve(version);
  await watched.listShares(storageIndex);
  await advance(1100);
  t.equal(grid.status()[0]?.connected, true, 'an answer to anyone has it asked again soon');

  server.listShares = () =>
    Promise.reject(new TahoeError('ERR_SERVER_REPLY', { server: 'x', what: 'it', reason: 'no' }));
  await watched.listShares(storageIndex).catch(() => undefined);
  t.equal(grid.status()[0]?.connected, true, 'a refusal is an answer');
});

t.test('a slow poll of a server that answers others does not disconnect it', async (t) => {
  const server = new PolledServer('one');
  const { grid, clock, advance } = createScene(t, [server]);
  await advance(100);
  const [watched] = grid.connectedServers();
  let fail: (error: Error) => void = () => undefined;
  server.answer = () => new Promise((_resolve, reject) => (fail = reject));
  await advance(5000);
  t.equal(server.pollCount, 2);
  clock.advance(1);
  await watched?.listShares(storageIndex);
  fail(timedOut());
  await settle();
  t.equal(grid.status()[0]?.connected, true, 'it answered while it was asked');
  await advance(5000);
  t.equal(server.pollCount, 3);
  fail(timedOut());
  await settle();
  t.equal(grid.status()[0]?.connected, false, 'nobody heard of it');
});

t.test('one poll at a time, whatever happens', async (t) => {
  const server = new PolledServer('one');
  const { grid, advance } = createScene(t, [server]);
  await advance(100);
  const [watched] = grid.connectedServers();
  const version = await new MemoryServer('x').version();
  let answer: (version: ServerVersion) => void = () => undefined;
  server.answer = () => new Promise((resolve) => (answer = resolve));
  await advance(5000);
  t.equal(server.pollCount, 2);
  server.listShares = () => Promise.reject(timedOut());
  for (let second = 0; second < 30; second++) {
    await watched?.listShares(storageIndex).catch(() => undefined);
    await advance(1000);
  }
  t.equal(server.pollCount, 2, 'the second has not ended');
  answer(version);
  await advance(6000);
  t.equal(server.pollCount, 3, 'and polling goes on');
});

t.test('servers stand in the order of SHA-1 of storage index and seed', async (t) => {
  const servers = Array.from({ length: 12 }, (_, position) => new PolledServer(`server-${String(position)}`));
  servers[3]?.fail();
  const { grid, advance } = createScene(t, servers);
  await advance(100);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (index) => {
      const places = grid
        .permutedServers(index)
        .map(({ permutationSeed }) => toHex(crypto.sha1(concat(index, permutationSeed))));
      return (
        places.length === 11 &&
        places.every((place, position) => position === 0 || (places[position - 1] ?? '') < place)
      );
    }),
  );
  const vectors = readVectors<{ permutations: { storageIndex: string; order: string[] }[] }>('servers.json');
  // Eight servers whose seeds are 32 times the byte 0 to 7, as the reference sorts them.
  const seeded = Array.from({ length: 8 }, (_, byte) =>
    Object.assign(new PolledServer(String(byte)), { permutationSeed: new Uint8Array(32).fill(byte) }),
  );
  const small = createScene(t, seeded);
  await small.advance(100);
  for (const { storageIndex: index, order } of vectors.permutations) {
    const seeds = small.grid.permutedServers(fromHex(index)).map(({ permutationSeed }) => permutationSeed[0]);
    t.same(seeds, order.map(Number), index);
  }
  const orders = Array.from({ length: 50 }, (_, n) => grid.permutedServers(seededBytes(String(n), 16))[0]?.serverId);
  t.ok(new Set(orders).size > 5, 'no server is always first');
});

t.test('ready waits for enough servers, or for all to have been tried', async (t) => {
  const servers = ['a', 'b', 'c'].map((name) => new PolledServer(name));
  const [a, b, c] = servers;
  if (a === undefined || b === undefined || c === undefined) throw new Error('three servers');
  const pending = new Map<PolledServer, (error?: Error) => void>();
  const version = await new MemoryServer('x').version();
  for (const server of servers) {
    server.answer = () =>
      new Promise((resolve, reject) =>
        pending.set(server, (error) => {
          if (error === undefined) resolve(version);
          else reject(error);
        }),
      );
  }
  const { grid, clock } = createScene(t, servers);
  let enough = false;
  let all = false;
  const waits = [grid.ready(1).then(() => (enough = true)), grid.ready(3).then(() => (all = true))];
  clock.advance(1);
  await settle();
  t.same([enough, all], [false, false]);
  pending.get(b)?.();
  await settle();
  t.same([enough, all], [true, false]);
  pending.get(a)?.(unreachable());
  await settle();
  t.same([enough, all], [true, false]);
  pending.get(c)?.(unreachable());
  await Promise.all(waits);
  t.equal(grid.connectedServers().length, 1);

  await grid.ready(1);
  await t.rejects(grid.ready(2, AbortSignal.abort()), { code: 'ERR_CANCELLED' });
});

t.test('a wait for servers ends with its signal or with the grid', async (t) => {
  const silent = new PolledServer('silent');
  silent.answer = () => new Promise(() => undefined);
  const { grid, clock } = createScene(t, [silent]);
  clock.advance(1);
  const cancelling = new AbortController();
  const cancelled = grid.ready(1, cancelling.signal);
  const closed = grid.ready(1);
  cancelling.abort();
  await t.rejects(cancelled, { code: 'ERR_CANCELLED' });
  await grid.close();
  await t.rejects(closed, { code: 'ERR_CANCELLED' });
  await t.rejects(grid.ready(1), { code: 'ERR_CANCELLED' });
  t.equal(silent.closed, true);
  t.equal(clock.pending, 0, 'no timer is left');
  clock.advance(100_000);
  await settle();
  t.equal(silent.pollCount, 1, 'and nobody is asked any more');
});

t.test('a server without an address is known, shown and not used', async (t) => {
  const clock = new ManualClock();
  const identity = new MemoryServer('old');
  const known = [{ identity, server: undefined }];
  const grid = new Grid({ servers: known, crypto, clock, random: seededRandom('x'), log: silentLog });
  t.teardown(() => grid.close());
  await grid.ready(1);
  t.same(grid.connectedServers(), []);
  t.match(grid.status()[0], {
    serverId: 'v0-old',
    supported: false,
    connected: false,
    connectionStatus: /^unsupported: /,
  });
});
