/** Watching mutable files on a grid in memory: through feeds, by polling, and while feeds break off. */
import t from 'tap';
import type { Test } from 'tap';
import { literalCapability } from '#core/capability/types.js';
import type { MutableVersion } from '#core/mutable/version.js';
import { watch } from '#client/watch.js';
import { TahoeError } from '#core/errors.js';
import { settle } from '../fixtures/clock.js';
import { seededBytes } from '../fixtures/crypto.js';
import { MutableGrid, restore, sharesOn, substitute } from '../fixtures/mutable-grid.js';
import type { MemoryServer } from '../fixtures/memory-server.js';
import type { MutableFile } from '#client/mutable/mutable-file.js';

const contents = (seed: string): Uint8Array => seededBytes(seed, 2_000);

interface Watched {
  readonly grid: MutableGrid;
  readonly file: MutableFile;
  readonly abort: AbortController;
  readonly next: () => Promise<IteratorResult<MutableVersion, void>>;
}

async function watched(hasFeed: boolean): Promise<Watched> {
  const grid = new MutableGrid();
  for (const server of grid.servers) server.hasFeed = hasFeed;
  const file = await grid.create('sdmf', contents('first'));
  const abort = new AbortController();
  const versions = watch(grid.node('watcher'), file.capability, { signal: abort.signal });
  return { grid, file, abort, next: () => versions.next() };
}

/** The number of the next version, and how long it took. */
async function numberOf({ grid, next }: Watched): Promise<{ number: number | undefined; seconds: number }> {
  const { result, seconds } = await grid.pass(next());
  return { number: result.done === true ? undefined : result.value.sequenceNumber, seconds };
}

async function cancelled(t: Test, { abort, grid, next }: Watched): Promise<void> {
  const waiting = next();
  await settle();
  abort.abort();
  await t.rejects(waiting, { code: 'ERR_CANCELLED' });
  await settle();
  t.equal(grid.clock.pending, 0, 'no timer is left');
  t.ok(
    grid.servers.every(({ feedCount }) => feedCount === 0),
    'no feed is left',
  );
}

const looks = (servers: readonly MemoryServer[]): number =>
  servers.flatMap(({ requests }) => requests).filter((request) => request === 'listMutable').length;

t.test('through feeds: each new version, soon, and no look without a reason', async (t) => {
  const watching = await watched(true);
  const { file, grid } = watching;
  t.same(await numberOf(watching), { number: 1, seconds: 0 });
  for (const number of [2, 3, 4]) {
    const next = numberOf(watching);
    await settle();
    await file.overwrite(contents(String(number)));
    const told = await next;
    t.equal(told.number, number);
    t.ok(told.seconds <= 2.5, `${String(told.seconds)} s`);
  }
  const waiting = watching.next();
  await grid.pass(new Promise<void>((resolve) => grid.clock.schedule(10_000, resolve)));
  const before = looks(grid.servers);
  await grid.pass(new Promise<void>((resolve) => grid.clock.schedule(200_000, resolve)));
  t.equal(looks(grid.servers), before, 'nothing is asked while nothing is told');
  t.same(
    grid.servers.map(({ feedCount }) => feedCount),
    grid.servers.map(() => 1),
  );
  watching.abort.abort();
  await t.rejects(waiting, { code: 'ERR_CANCELLED' });
  await settle();
  t.equal(grid.clock.pending, 0, 'no timer is left');
});

t.test('without feeds: by looks at growing intervals', async (t) => {
  const watching = await watched(false);
  const { file, grid } = watching;
  t.equal((await numberOf(watching)).number, 1);
  const next = numberOf(watching);
  await settle();
  await file.overwrite(contents('second'));
  const told = await next;
  t.equal(told.number, 2);
  t.ok(told.seconds <= 5.5, `${String(told.seconds)} s`);
  const before = looks(grid.servers);
  const waiting = watching.next();
  await grid.pass(new Promise<void>((resolve) => grid.clock.schedule(600_000, resolve)), 700);
  const perServer = (looks(grid.servers) - before) / grid.servers.length;
  t.ok(perServer >= 4 && perServer <= 14, `${String(perServer)} looks in ten minutes`);
  await file.overwrite(contents('third'));
  t.ok((await grid.pass(waiting)).seconds <= 65);
  t.equal(grid.servers[0]?.requests.filter((request) => request.startsWith('subscribe')).length, 2, 'asked again late');
  await cancelled(t, watching);
});

t.test('a feed that breaks off is opened again where it ended, after growing waits', async (t) => {
  const watching = await watched(true);
  const { grid } = watching;
  const [server] = grid.servers;
  if (!server) throw new RangeError('ten servers');
  const attempts: { readonly atMs: number; readonly id: string | undefined }[] = [];
  let broken = true;
  const subscribe = server.subscribe.bind(server);
  server.subscribe = (request, options) => {
    attempts.push({ atMs: grid.clock.monotonicMs(), id: request.lastEventId });
    if (!broken) return subscribe(request, options);
    request.told({ id: '7-9', message: undefined });
    return Promise.reject(new TahoeError('ERR_CONNECT', { server: server.shortName, reason: 'gone' }));
  };
  t.equal((await numberOf(watching)).number, 1);
  const waiting = watching.next();
  await grid.pass(new Promise<void>((resolve) => grid.clock.schedule(300_000, resolve)));
  t.ok(attempts.length >= 8 && attempts.length <= 15, `${String(attempts.length)} attempts in five minutes`);
  t.equal(attempts[0]?.id, undefined);
  t.ok(attempts.slice(1).every(({ id }) => id === '7-9'));
  broken = false;
  await grid.pass(new Promise<void>((resolve) => grid.clock.schedule(70_000, resolve)));
  t.equal(server.feedCount, 1);
  watching.abort.abort();
  await t.rejects(waiting, { code: 'ERR_CANCELLED' });
});

t.test('a version older than one that was told is not told; servers that are gone are waited for', async (t) => {
  const watching = await watched(true);
  const { file, grid } = watching;
  const old = await sharesOn(grid.servers, file.storageIndex);
  await file.overwrite(contents('second'));
  t.equal((await numberOf(watching)).number, 2);
  for (const [server, shares] of old) substitute(server, shares);
  const servers = grid.servers.splice(0);
  let isTold = false;
  const next = numberOf(watching).finally(() => (isTold = true));
  await settle();
  await grid.pass(new Promise<void>((resolve) => grid.clock.schedule(100_000, resolve)));
  grid.servers.push(...servers);
  await grid.pass(new Promise<void>((resolve) => grid.clock.schedule(100_000, resolve)));
  t.notOk(isTold, 'not while only the older one is there');
  for (const server of servers) restore(server);
  await file.overwrite(contents('third'));
  t.equal((await next).number, 3);
  await cancelled(t, watching);
});

t.test('what never changes has no versions', async (t) => {
  const grid = new MutableGrid();
  const { signal } = new AbortController();
  t.match(await watch(grid.context, literalCapability(new Uint8Array(2)), { signal }).next(), { done: true });
});
