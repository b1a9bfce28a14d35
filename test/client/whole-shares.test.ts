/** Small shares stored in one request: our own server, and servers that know nothing of such a thing. */
import t from 'tap';
import { equalBytes } from '#core/bytes.js';
import { createMemoryStore } from '#storage/memory-store.js';
import { cborType, ownServer, serverAnswering, versionOf } from '#test/fixtures/answering-server.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { MemoryGrid } from '#test/fixtures/memory-grid.js';
import { appOf, injector, swissnum } from '#test/fixtures/protocol-subjects.js';
import type { RecordedReply } from '#test/fixtures/recording-server.js';
import { leaseSecrets, readShare, storageIndex, store1, storeOptions } from '#test/fixtures/share-store.js';
import { rightSecrets } from '#test/fixtures/storage-talk.js';
import { encodeCbor } from '#wire/cbor.js';
import { dangerouslyFormatAuthorization } from '#wire/storage.js';
import {
  decodeWholeShares,
  decodeWholeSharesReply,
  encodeWholeShares,
  encodeWholeSharesReply,
  fitWholeShares,
  parseWhereNone,
  WHERE_NONE_PARAMETER,
  WHOLE_SHARE_SIZE_MAX,
  WHOLE_SHARES_REQUEST_SIZE_MAX,
  wholeSharesPath,
} from '#wire/whole-shares.js';

const [one, another] = [seededBytes('one', 700), seededBytes('another', 700)];
const shares = new Map([
  [0, one],
  [255, another],
]);

t.test('messages', (t) => {
  t.strictSame(decodeWholeShares(encodeWholeShares(shares)), shares);
  const reply = { alreadyHave: new Set([1, 2]), stored: new Set([0]) };
  t.strictSame(decodeWholeSharesReply(encodeWholeSharesReply(reply)), reply);
  const bad: readonly (readonly [string, Uint8Array])[] = [
    ['no map', encodeCbor([1])],
    ['nothing', encodeCbor(new Map())],
    ['a text', encodeCbor(new Map([[0, 'text']]))],
    ['empty', encodeCbor(new Map([[0, new Uint8Array(0)]]))],
    ['too long', encodeCbor(new Map([[0, new Uint8Array(WHOLE_SHARE_SIZE_MAX + 1)]]))],
    ['no share number', encodeCbor(new Map([[256, one]]))],
    ['a text for a number', encodeCbor(new Map([['0', one]]))],
  ];
  for (const [what, bytes] of bad) t.throws(() => decodeWholeShares(bytes), { code: 'ERR_MESSAGE' }, what);
  t.throws(() => decodeWholeShares(encodeWholeShares(shares).subarray(0, -1)), { code: 'ERR_CBOR' });
  t.throws(() => decodeWholeSharesReply(encodeCbor(new Map([['stored', new Set([0])]]))), { code: 'ERR_MESSAGE' });
  t.throws(() => decodeWholeSharesReply(encodeCbor(new Map([['stored', [256]]]))), { code: 'ERR_MESSAGE' });
  t.end();
});

t.test('what fits into a request', (t) => {
  t.equal(fitWholeShares([WHOLE_SHARE_SIZE_MAX]), true);
  t.equal(fitWholeShares([WHOLE_SHARE_SIZE_MAX + 1]), false);
  t.equal(fitWholeShares([0]), false);
  for (const size of [1, 4000, 4078, 4079, 4080, 5000]) {
    const many = new Map(Array.from({ length: 256 }, (_, shareNumber) => [shareNumber, new Uint8Array(size)]));
    const isWithin = encodeWholeShares(many).length <= WHOLE_SHARES_REQUEST_SIZE_MAX;
    t.ok(isWithin || !fitWholeShares(Array<number>(256).fill(size)), `256 × ${String(size)}`);
  }
  t.end();
});

t.test('the condition', (t) => {
  t.equal(wholeSharesPath(storageIndex, true), `${wholeSharesPath(storageIndex)}?${WHERE_NONE_PARAMETER}=true`);
  t.strictSame(['true', 'false', '', null].map(parseWhereNone), [true, undefined, undefined, false]);
  t.end();
});

t.test('our server over TLS', async (t) => {
  const { client, store } = await ownServer(t);
  const request = { shares, ...leaseSecrets('first') };
  t.equal(await client.storeShares(storageIndex, request), undefined, 'not before it has said what it is');
  await client.version();
  await store1(store, 9, one);
  const expected = { alreadyHave: new Set([9]), stored: new Set([0, 255]) };
  t.strictSame(await client.storeShares(storageIndex, request), expected);
  for (const [shareNumber, share] of shares) {
    const found = await readShare(store, shareNumber);
    t.ok(found !== undefined && equalBytes(found, share));
  }
  const again = await client.storeShares(storageIndex, { ...request, shares: new Map([[3, one]]), whereNone: true });
  t.strictSame(again, { alreadyHave: new Set([0, 9, 255]), stored: new Set() });
  const large = { ...request, shares: new Map([[0, new Uint8Array(WHOLE_SHARE_SIZE_MAX + 1)]]) };
  t.equal(await client.storeShares(storageIndex, large), undefined, 'large ones need room reserved');
});

t.test('what the endpoint refuses, with nothing stored', async (t) => {
  const store = createMemoryStore(storeOptions(new ManualClock()));
  const send = injector(await appOf(t, store));
  const path = wholeSharesPath(storageIndex);
  const authorization: [string, string] = ['authorization', dangerouslyFormatAuthorization(swissnum)];
  const headers = [authorization, ...rightSecrets(['lease-renew-secret', 'lease-cancel-secret'])];
  const status = async (
    body: Uint8Array,
    change: (all: typeof headers) => typeof headers = (same) => same,
    method = 'POST',
  ) => (await send({ method, path, headers: change(headers), body })).status;
  const good = encodeWholeShares(shares);
  t.equal(await status(good, (all) => all.slice(1)), 401);
  t.equal(await status(good, (all) => all.slice(0, -1)), 400, 'a secret is missing');
  t.equal(await status(good, undefined, 'PUT'), 405);
  t.equal(await status(encodeCbor(new Map())), 400);
  for (const query of ['where-none=false', 'where-none', 'where-none=']) {
    t.equal((await send({ method: 'POST', path: `${path}?${query}`, headers, body: good })).status, 400, query);
  }
  t.equal(await status(good.subarray(0, -1)), 400);
  t.equal(await status(new Uint8Array(WHOLE_SHARES_REQUEST_SIZE_MAX + 1)), 413);
  t.strictSame(await store.listShares(storageIndex), new Set());
  t.equal(await status(good), 200);
  t.strictSame(await store.listShares(storageIndex), new Set([0, 255]));
});

t.test('another program is not asked, and one that has no answer is asked once', async (t) => {
  const request = { shares, ...leaseSecrets('first') };
  const other = await serverAnswering(t, () => versionOf('tahoe-lafs/1.20.0'));
  t.equal(await other.client.storeShares(storageIndex, request), undefined);
  t.equal(other.server.requests.length, 1);
  const older = await serverAnswering(t, (path) =>
    path.endsWith('/version') ? versionOf('tallac/0.0.1') : { status: 404, headers: { 'content-type': 'text/plain' } },
  );
  for (let i = 0; i < 3; i++) t.equal(await older.client.storeShares(storageIndex, request), undefined);
  t.equal(older.server.requests.length, 2);
});

t.test('answers that are none', async (t) => {
  const notSent = encodeWholeSharesReply({ alreadyHave: new Set(), stored: new Set([7]) });
  const bad: readonly RecordedReply[] = [
    { status: 200, headers: cborType, body: notSent },
    { status: 200, headers: cborType, body: encodeCbor(new Map()) },
    { status: 200, headers: { 'content-type': 'text/plain' }, body: notSent },
    { status: 500, headers: cborType },
  ];
  for (const answer of bad) {
    const { client } = await serverAnswering(t, (path) =>
      path.endsWith('/version') ? versionOf('tallac/0.1.0') : answer,
    );
    const storing = client.storeShares(storageIndex, { shares, ...leaseSecrets('first') });
    await t.rejects(storing, { code: 'ERR_SERVER_REPLY' });
  }
});

t.test('a small file takes one request a server', async (t) => {
  const plaintext = seededBytes('small', 20_000);
  const grid = new MemoryGrid(10);
  for (const server of grid.servers) server.takesWholeShares = true;
  const { capability, ...outcome } = await grid.upload(plaintext);
  t.match(outcome, { pushedShares: 10, preexistingShares: 0 });
  t.equal(outcome.holdings.size, 10);
  t.ok(grid.servers.every(({ requests }) => requests.join() === 'store,allocate'));
  if (capability.kind === 'chk') t.ok(equalBytes(await grid.download(capability), plaintext));
  const reserving = new MemoryGrid(10);
  t.strictSame((await reserving.upload(plaintext)).capability, capability);
  const bytesOf = ({ servers }: MemoryGrid): Map<string, Uint8Array> =>
    new Map(servers.flatMap(({ shares: held }) => [...held]));
  t.strictSame(bytesOf(grid), bytesOf(reserving), 'the same shares, byte for byte');
  t.match(await grid.upload(plaintext), { pushedShares: 0, preexistingShares: 10 });
});

t.test('servers of both kinds, full ones and failing ones share a small file', async (t) => {
  const plaintext = seededBytes('mixed', 9_000);
  const grid = new MemoryGrid(14, { happy: 7 });
  for (const [i, server] of grid.servers.entries()) server.takesWholeShares = i % 2 === 0;
  const [first, second, third] = grid.servers;
  if (first === undefined || second === undefined || third === undefined) throw new RangeError('fourteen servers');
  first.space = 0;
  second.space = 0;
  third.storeShares = () => Promise.reject(third.refusal('store'));
  const { capability, holdings, pushedShares } = await grid.upload(plaintext);
  t.equal(pushedShares, 10);
  t.equal(
    [...holdings.values()].reduce((count, { size }) => count + size, 0),
    10,
  );
  t.notOk([first, second, third].some(({ shares: held }) => held.size > 0));
  t.notOk(grid.servers.some(({ uploads }) => uploads.size > 0));
  if (capability.kind === 'chk') t.ok(equalBytes(await grid.download(capability), plaintext));
});

t.test('nothing is stored where it would be in vain', async (t) => {
  const grid = new MemoryGrid(6, { happy: 7 });
  for (const server of grid.servers) server.takesWholeShares = true;
  const failure = { code: 'ERR_UNHAPPY', message: /spread over only 6 servers/ };
  await t.rejects(grid.upload(seededBytes('vain', 9_000)), failure);
  t.ok(grid.servers.every(({ requests, shares: held }) => requests.join() === 'list' && held.size === 0));
});
