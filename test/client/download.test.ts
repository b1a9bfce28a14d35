/** Downloads on a grid in memory: ranges, and servers that lie, stall, die or have nothing. */
import t from 'tap';
import fc from 'fast-check';
import { equalBytes } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';
import { decodeShareHeader } from '#core/immutable/layout.js';
import { settle } from '../fixtures/clock.js';
import { seededBytes } from '../fixtures/crypto.js';
import { MemoryGrid } from '../fixtures/memory-grid.js';
import { hang } from '../fixtures/memory-server.js';

const plaintext = seededBytes('download', 300_000);
const small = { segmentSizeMax: 10_000 };

t.test('any range is that range', async () => {
  const grid = new MemoryGrid(10, small);
  const capability = await grid.uploadChk(plaintext);
  await fc.assert(
    fc.asyncProperty(fc.nat(plaintext.length), fc.nat(plaintext.length), async (a, b) => {
      const [begin, end] = [Math.min(a, b), Math.max(a, b)];
      return equalBytes(await grid.download(capability, begin, end), plaintext.subarray(begin, end));
    }),
    { numRuns: 40 },
  );
});

t.test('a small file costs one request for its block and one for its list', async (t) => {
  const grid = new MemoryGrid(1, { needed: 1, happy: 1, total: 1 });
  const capability = await grid.uploadChk(seededBytes('small', 2000));
  const [server] = grid.servers;
  server?.requests.splice(0);
  await grid.download(capability);
  t.same(server?.requests, ['list', 'read']);
});

t.test('a file of several segments opens with two requests a share', async (t) => {
  const grid = new MemoryGrid(1, { needed: 1, happy: 1, total: 1 });
  const capability = await grid.uploadChk(seededBytes('larger', 3_000_000));
  const [server] = grid.servers;
  server?.requests.splice(0);
  await grid.download(capability);
  t.same(server?.requests.filter((request) => request === 'read').length, 2 + 3, 'header, trailer, three blocks');
});

t.test('any k of N servers are enough', async (t) => {
  const grid = new MemoryGrid(10, small);
  const capability = await grid.uploadChk(plaintext);
  const all = grid.servers.splice(0);
  for (let first = 0; first < 10; first++) {
    grid.servers.splice(0, 3, ...[0, 3, 7].map((i) => all[(first + i) % 10]).filter((server) => server !== undefined));
    t.ok(equalBytes(await grid.download(capability), plaintext));
  }
});

t.test('too few shares, none at all, no servers: a named error', async (t) => {
  const grid = new MemoryGrid(10, small);
  const capability = await grid.uploadChk(plaintext);
  grid.servers.splice(2);
  await t.rejects(grid.download(capability), { code: 'ERR_NOT_ENOUGH_SHARES', facts: { found: 2, needed: 3 } });
  for (const server of grid.servers) server.shares.clear();
  await t.rejects(grid.download(capability), { code: 'ERR_NO_SHARES' });
  const [deaf] = grid.servers;
  if (deaf) deaf.listShares = () => Promise.reject(deaf.refusal('list'));
  await t.rejects(grid.download(capability), { code: 'ERR_NO_SHARES', message: /no usable answer to list/ });
  grid.servers.splice(0);
  await t.rejects(grid.download(capability), { code: 'ERR_NO_SERVERS' });
});

t.test('servers that lie about every byte are found out, reported and passed over', async (t) => {
  const grid = new MemoryGrid(10, small);
  const capability = await grid.uploadChk(plaintext);
  const liars = grid.servers.slice(0, 7);
  for (const server of liars) {
    const read = server.read.bind(server);
    server.read = async (...args) => {
      const bytes = await read(...args);
      return bytes?.map((byte, i) => (i % 1000 === 999 ? byte ^ 1 : byte));
    };
  }
  t.ok(equalBytes(await grid.download(capability), plaintext));
  await settle();
  t.ok(
    liars.some((server) => server.reports.length > 0),
    'some were caught',
  );
  t.ok(
    grid.servers.slice(7).every((server) => server.reports.length === 0),
    'nobody honest was accused',
  );
  for (const server of grid.servers.slice(7, 8)) server.shares.clear();
  await t.rejects(grid.download(capability), { code: 'ERR_NOT_ENOUGH_SHARES', facts: { found: 2 } });
});

t.test('a share with a changed crypttext hash tree spoils no other', async (t) => {
  const grid = new MemoryGrid(10, { ...small, needed: 1 });
  const capability = await grid.uploadChk(plaintext);
  for (const liar of grid.servers.slice(0, 9)) {
    for (const share of liar.shares.values()) {
      const { crypttextHashTree, blockHashes } = decodeShareHeader(share.subarray(0, 68)).offsets;
      share.fill(7, crypttextHashTree, blockHashes);
    }
  }
  t.ok(equalBytes(await grid.download(capability), plaintext));
  await settle();
  t.same(grid.servers[9]?.reports, [], 'the honest one was not accused');
});

t.test('servers that hang while reading cost one hedge delay, not the file', async (t) => {
  const grid = new MemoryGrid(10, small);
  const capability = await grid.uploadChk(plaintext);
  for (const server of grid.servers.slice(0, 7)) server.read = (_i, _n, _r, options) => hang(options);
  const download = grid.download(capability);
  let done = false;
  void download.then(() => (done = true));
  let hedges = 0;
  for (; !done && hedges < 12; hedges++) {
    await settle(30);
    if (!done) grid.clock.advance(2_000);
  }
  t.ok(equalBytes(await download, plaintext));
  t.ok(hedges <= 9, `${String(hedges)} hedge delays`);
  t.equal(grid.clock.pending, 0, 'no timer is left');
});

t.test('servers that hang while listing do not hold up the others', async (t) => {
  const grid = new MemoryGrid(20, small);
  const capability = await grid.uploadChk(plaintext);
  for (const server of grid.servers.filter((server) => server.shares.size === 0)) {
    server.listShares = (_index, options) => hang(options);
  }
  const download = grid.download(capability);
  let done = false;
  void download.then(() => (done = true));
  for (let i = 0; !done && i < 5; i++) {
    await settle(30);
    if (!done) grid.clock.advance(3_000);
  }
  t.ok(equalBytes(await download, plaintext));
});

t.test('servers that die in mid-file are replaced', async (t) => {
  const grid = new MemoryGrid(10, small);
  const capability = await grid.uploadChk(plaintext);
  for (const server of grid.servers.slice(0, 7)) {
    const read = server.read.bind(server);
    let reads = 0;
    server.read = (...args) =>
      ++reads > 5
        ? Promise.reject(new TahoeError('ERR_CONNECT', { server: server.shortName, reason: 'gone' }))
        : read(...args);
  }
  t.ok(equalBytes(await grid.download(capability), plaintext));
});

t.test('a reader who stops early stops the fetching', async (t) => {
  const grid = new MemoryGrid(10, { segmentSizeMax: 100_000 });
  const capability = await grid.uploadChk(seededBytes('long', 30_000_000));
  const reader = grid.reader(capability);
  let got = 0;
  for await (const part of reader.read({ begin: 0, end: capability.size }, new AbortController().signal)) {
    got += part.length;
    if (got > 200_000) break;
  }
  reader.close();
  await settle();
  const reads = grid.servers.flatMap((server) => server.requests).filter((request) => request === 'read').length;
  t.ok(reads < 400, `${String(reads)} reads of some 900`);
  t.equal(grid.clock.pending, 0);
});

t.test('cancelling a download ends it with a named error', async (t) => {
  const grid = new MemoryGrid(10, small);
  const capability = await grid.uploadChk(plaintext);
  for (const server of grid.servers) server.read = (_i, _n, _r, options) => hang(options);
  const controller = new AbortController();
  const reader = grid.reader(capability);
  const first = reader.read({ begin: 0, end: 10 }, controller.signal).next();
  await settle();
  controller.abort();
  await t.rejects(first, { code: 'ERR_CANCELLED' });
  reader.close();
  await settle();
  t.equal(grid.clock.pending, 0);
});
