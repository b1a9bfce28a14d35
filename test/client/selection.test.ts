/** Small files: their shares go along with the question who holds any, and nowhere where some are. */
import t from 'tap';
import type { Test } from 'tap';
import { equalBytes } from '#core/bytes.js';
import type { ChkReadCapability } from '#core/capability/types.js';
import { deriveImmutableStorageIndex } from '#core/derive.js';
import { TahoeError } from '#core/errors.js';
import { serversOfHappiness } from '#core/happiness.js';
import { UNASKED_SIZE_MAX } from '#client/upload/selection.js';
import { UploadTurns } from '#client/upload/upload-turns.js';
import type { UploadResult } from '#client/upload/upload.js';
import { settle } from '#test/fixtures/clock.js';
import { crypto, seededBytes, seededRandom } from '#test/fixtures/crypto.js';
import { MemoryGrid } from '#test/fixtures/memory-grid.js';
import { hang, keyOf } from '#test/fixtures/memory-server.js';
import type { MemoryServer } from '#test/fixtures/memory-server.js';

const plaintext = seededBytes('selection', 2000);
const [STORED, ASKED, LEASED] = ['store,allocate', 'list', 'lease'];

function gridOf(serverCount: number): MemoryGrid {
  const grid = new MemoryGrid(serverCount);
  for (const server of grid.servers) server.takesWholeShares = true;
  return grid;
}

function chk({ capability }: UploadResult): ChkReadCapability {
  if (capability.kind !== 'chk') throw new RangeError('the file is too short for shares');
  return capability;
}

/** Where the file lies, or would: its servers in their order, and how their shares are called. */
async function placesOf(
  serverCount: number,
): Promise<{ index: Uint8Array; order: string[]; shares: ReadonlyMap<number, Uint8Array> }> {
  const grid = gridOf(serverCount);
  const index = deriveImmutableStorageIndex(crypto, chk(await grid.upload(plaintext)).readKey);
  const order = grid.permuted(index);
  const shares = order.slice(0, 10).flatMap((server, number): [number, Uint8Array][] => {
    const share = server.shares.get(keyOf(index, number));
    return share === undefined ? [] : [[number, share]];
  });
  return { index, order: order.map(({ shortName }) => shortName), shares: new Map(shares) };
}

/** A new grid of so many servers, in the order of the file, with those shares on the server at each place. */
async function gridWith(
  serverCount: number,
  held: Readonly<Record<number, readonly number[]>>,
): Promise<{ grid: MemoryGrid; order: MemoryServer[]; index: Uint8Array }> {
  const { index, shares } = await placesOf(serverCount);
  const grid = gridOf(serverCount);
  const order = grid.permuted(index);
  for (const [place, numbers] of Object.entries(held)) {
    for (const number of numbers) {
      order[Number(place)]?.shares.set(keyOf(index, number), shares.get(number) ?? new Uint8Array(0));
    }
  }
  return { grid, order, index };
}

const requestsOf = (servers: readonly MemoryServer[]): string[] => servers.map(({ requests }) => requests.join());
const countsOf = (servers: readonly MemoryServer[]): number[] => servers.map(({ shares }) => shares.size);
const times = <Item>(count: number, item: Item): Item[] => Array<Item>(count).fill(item);

async function readable(t: Test, grid: MemoryGrid, result: UploadResult): Promise<void> {
  t.ok(equalBytes(await grid.download(chk(result)), plaintext), 'it can be read');
}

t.test('a new file takes one round', async (t) => {
  const { grid, order } = await gridWith(10, {});
  const result = await grid.upload(plaintext);
  t.match(result, { pushedShares: 10, preexistingShares: 0 });
  t.strictSame(requestsOf(order), times(10, STORED));
  t.strictSame(countsOf(order), times(10, 1));
  await readable(t, grid, result);
});

t.test(
  'with more servers than shares all are asked first, and what lies further down is not stored again',
  async (t) => {
    const { grid, order } = await gridWith(13, Object.fromEntries(times(10, 0).map((_, i) => [i + 3, [i]])));
    t.match(await grid.upload(plaintext), { pushedShares: 0, preexistingShares: 10 });
    t.strictSame(requestsOf(order), [...times(3, ASKED), ...times(10, `${ASKED},${LEASED}`)]);
    const empty = await gridWith(11, {});
    await empty.grid.upload(plaintext);
    t.strictSame(requestsOf(empty.order), [...times(10, `${ASKED},${STORED}`), ASKED]);
  },
);

t.test('few servers take several shares each in their one request', async (t) => {
  const { grid, order } = await gridWith(4, {});
  const result = await grid.upload(plaintext);
  t.match(result, { pushedShares: 10, preexistingShares: 0 });
  t.strictSame(requestsOf(order), times(4, STORED));
  t.strictSame(countsOf(order), [3, 3, 2, 2]);
});

t.test('a file that is there gets its leases renewed by the question, and nothing is stored', async (t) => {
  const { grid, order } = await gridWith(10, Object.fromEntries(times(10, 0).map((_, i) => [i, [i]])));
  t.match(await grid.upload(plaintext), { pushedShares: 0, preexistingShares: 10 });
  t.strictSame(requestsOf(order), times(10, STORED));
  t.strictSame(countsOf(order), times(10, 1));
  t.ok(order.every(({ leases }) => leases.size === 1));
});

t.test('who holds other shares than he would get keeps those, and what is missing goes to others', async (t) => {
  const { grid, order } = await gridWith(10, { 0: [5], 1: [5, 6, 7], 9: [0, 1] });
  const result = await grid.upload(plaintext);
  t.match(requestsOf(order).slice(0, 2), times(2, STORED), 'nothing more is wanted of the first two');
  t.equal(order[9]?.requests[0], 'store');
  t.equal(order[0]?.shares.size, 1);
  t.equal(order[1]?.shares.size, 3);
  const { holdings } = result;
  t.equal(serversOfHappiness(holdings), 10);
  t.equal(new Set([...holdings.values()].flatMap((shares) => [...shares])).size, 10, 'all ten shares are out');
  const count = countsOf(order).reduce((sum, each) => sum + each, 0);
  t.match(result, { pushedShares: count - 6, preexistingShares: 6 });
  t.ok([0, 1, 9].every((place) => order[place]?.leases.size === 1));
  await readable(t, grid, result);
});

t.test('what the first round leaves out is placed in the next', async (t) => {
  // The first server gets share 0, which is all that the second one has.
  const { grid, order } = await gridWith(10, { 1: [0] });
  const result = await grid.upload(plaintext);
  t.match(result, { pushedShares: 10, preexistingShares: 1 });
  t.equal(serversOfHappiness(result.holdings), 10);
  t.strictSame(countsOf(order), [1, 2, ...times(8, 1)]);
  await readable(t, grid, result);
});

t.test('full, failing, deaf and old servers are passed over, and what they hold counts', async (t) => {
  const { grid, order } = await gridWith(10, { 3: [3] });
  const [full, broken, deaf, failed, old] = order;
  if (!full || !broken || !deaf || !failed || !old) throw new RangeError('ten servers');
  full.space = 0;
  broken.storeShares = () => Promise.reject(broken.refusal('store'));
  deaf.storeShares = () => Promise.reject(new TahoeError('ERR_TIMEOUT', { what: 'store', timeoutMs: 15_000 }));
  // Its disk takes no more writes, and no leases; its share is good.
  failed.storeShares = () => Promise.reject(failed.refusal('store'));
  failed.addLease = () => Promise.reject(failed.refusal('lease'));
  old.takesWholeShares = false;
  const result = await grid.upload(plaintext);
  t.match(result, { pushedShares: 9, preexistingShares: 1 });
  t.strictSame(countsOf(order.slice(0, 5)), [0, 0, 0, 1, 2]);
  t.strictSame(requestsOf(order.slice(0, 4)), [STORED, ASKED, '', ASKED]);
  t.match(requestsOf([old])[0], /^allocate,abort,allocate,write,write$/u);
  t.equal(serversOfHappiness(result.holdings), 7);
  t.same(result.holdings.get(failed.serverId), new Set([3]));
  await readable(t, grid, result);
});

t.test('servers that may get nothing do not count', async (t) => {
  const { grid, order } = await gridWith(11, {});
  const [first] = order;
  Object.assign(grid.context, { mayTakeShares: (server: MemoryServer) => server !== first });
  t.match(await grid.upload(plaintext), { pushedShares: 10 });
  t.strictSame(countsOf(order), [0, ...times(10, 1)]);
  t.strictSame(requestsOf(order), ['', ...times(10, STORED)]);
});

t.test('nothing is sent unasked where the file could not be happy, or where it is large', async (t) => {
  const poor = await gridWith(6, {});
  Object.assign(poor.grid.context.encoding, { happy: 7 });
  await t.rejects(poor.grid.upload(plaintext), { code: 'ERR_UNHAPPY', message: /6 servers were asked/ });
  t.strictSame(requestsOf(poor.order), times(6, ASKED));
  const grid = gridOf(10);
  await grid.upload(seededBytes('large', Math.ceil((UNASKED_SIZE_MAX * 3) / 10)));
  t.strictSame(requestsOf(grid.servers), times(10, `${ASKED},${STORED}`));
});

t.test('too many refuse: the reasons are told, and what was reserved is given back', async (t) => {
  const { grid, order } = await gridWith(10, {});
  for (const server of order.slice(0, 4)) server.space = 0;
  const [, , , , old] = order;
  if (old !== undefined) old.takesWholeShares = false;
  await t.rejects(grid.upload(plaintext), {
    code: 'ERR_UNHAPPY',
    facts: { happy: 7, reached: 6 },
    message: /it took no share: full/,
  });
  t.ok(order.every(({ uploads }) => uploads.size === 0));
  t.strictSame(countsOf(order), [...times(5, 0), ...times(5, 1)], 'wholes stay where they are');
});

t.test('a large file takes one round to find its places', async (t) => {
  const large = seededBytes('large', 300_000);
  const grid = new MemoryGrid(10);
  const { capability } = await grid.upload(large);
  t.ok(grid.servers.every(({ requests }) => /^allocate(,write)+$/u.test(requests.join())));
  t.match(await grid.upload(large), { pushedShares: 0, preexistingShares: 10 });
  t.ok(
    grid.servers.every(({ requests }) => /write,allocate,lease$/u.test(requests.join())),
    'no list, nothing written',
  );
  if (capability.kind !== 'chk') throw new RangeError('the file is too short for shares');
  const order = grid.permuted(deriveImmutableStorageIndex(crypto, capability.readKey));
  const shares = order.map((server) => [...server.shares][0] ?? ['', new Uint8Array(0)]);
  // Each holds what the next would get: nine of ten reservations are for shares that are there.
  for (const [i, server] of order.entries()) {
    server.requests.length = 0;
    server.shares.clear();
    if (i < 9) server.shares.set(...(shares[i + 1] as [string, Uint8Array]));
  }
  const again = await grid.upload(large);
  t.match(again, { pushedShares: 1, preexistingShares: 9 });
  t.equal(serversOfHappiness(again.holdings), 10);
  t.strictSame(countsOf(order), times(10, 1));
  t.ok(order.every(({ uploads }) => uploads.size === 0));
  t.strictSame(order[1]?.requests.join(), 'allocate,abort,lease');
  t.ok(equalBytes(await grid.download(capability), large));
});

t.test('two nodes store one file at once: each share is stored once', async (t) => {
  const { grid, order } = await gridWith(10, {});
  const leaseSecret = new Uint8Array(32).fill(2);
  const uploadTurns = new UploadTurns({ crypto, random: seededRandom('other'), leaseSecret });
  const other = new MemoryGrid(10);
  Object.assign(other.context, { leaseSecret, uploadTurns, serversFor: () => order });
  const results = await Promise.all([grid.upload(plaintext), other.upload(plaintext)]);
  t.equal(
    results.reduce((count, { pushedShares }) => count + pushedShares, 0),
    10,
  );
  t.ok(results.every(({ holdings }) => serversOfHappiness(holdings) === 10));
  t.strictSame(countsOf(order), times(10, 1));
  t.ok(order.every(({ leases }) => leases.size === 2));
});

t.test('the file that is given up while its shares are sent says so', async (t) => {
  const { grid, order } = await gridWith(10, {});
  for (const server of order) server.storeShares = (_index, _request, options) => hang(options);
  const controller = new AbortController();
  const upload = grid.upload(plaintext, controller.signal);
  await settle(100);
  controller.abort();
  await t.rejects(upload, { code: 'ERR_CANCELLED' });
});
