/** The first bytes of all shares in one request: our own server, and servers that know nothing of such a thing. */
import t from 'tap';
import { formatBase32 } from '#core/base32.js';
import { createMemoryStore } from '#storage/memory-store.js';
import { cborType, ownServer, serverAnswering, versionOf } from '#test/fixtures/answering-server.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { writeMutable } from '#test/fixtures/mutable-store.js';
import { appOf, injector, swissnum } from '#test/fixtures/protocol-subjects.js';
import type { RecordedReply } from '#test/fixtures/recording-server.js';
import { otherIndex, storageIndex, storeOptions } from '#test/fixtures/share-store.js';
import { BEGINNING_SIZE_MAX, beginningsPath, decodeBeginnings, encodeBeginnings } from '#wire/beginnings.js';
import { encodeCbor } from '#wire/cbor.js';

const [long, short] = [seededBytes('long', 50_000), seededBytes('short', 7)];

t.test('messages', async (t) => {
  const beginnings = new Map([
    [0, long.subarray(0, 4000)],
    [255, short],
    [7, new Uint8Array(0)],
  ]);
  t.strictSame(decodeBeginnings(encodeBeginnings(beginnings), 4000), beginnings);
  t.strictSame(decodeBeginnings(encodeBeginnings(new Map()), 1), new Map());
  const bad: readonly (readonly [string, Uint8Array])[] = [
    ['no map', encodeCbor([1])],
    ['a text', encodeCbor(new Map([[0, 'text']]))],
    ['too long', encodeCbor(new Map([[0, new Uint8Array(101)]]))],
    ['no share number', encodeCbor(new Map([[256, short]]))],
    ['a text for a number', encodeCbor(new Map([['0', short]]))],
  ];
  for (const [what, bytes] of bad) t.throws(() => decodeBeginnings(bytes, 100), { code: 'ERR_MESSAGE' }, what);
  t.throws(() => decodeBeginnings(encodeBeginnings(beginnings).subarray(0, -1), 4000), { code: 'ERR_CBOR' });
});

t.test('our server over TLS', async (t) => {
  const { client, store } = await ownServer(t);
  await writeMutable(store, [3], long);
  await writeMutable(store, [9, 200], short);
  t.equal(await client.readMutableBeginnings(storageIndex, 100), undefined, 'not before it has said what it is');
  await client.version();
  const expected = new Map([
    [3, long.slice(0, 100)],
    [9, short],
    [200, short],
  ]);
  t.strictSame(await client.readMutableBeginnings(storageIndex, 100), expected);
  t.strictSame(await client.readMutableBeginnings(otherIndex, 100), new Map());
});

t.test('what the endpoint refuses', async (t) => {
  const store = createMemoryStore(storeOptions(new ManualClock()));
  const send = injector(await appOf(t, store));
  const authorization = ['authorization', `Tahoe-LAFS ${Buffer.from(swissnum).toString('base64')}`] as const;
  const status = async (path: string, headers: readonly (readonly [string, string])[], method = 'GET') =>
    (await send({ method, path, headers: headers.map(([name, value]): [string, string] => [name, value]) })).status;
  const path = beginningsPath(storageIndex, BEGINNING_SIZE_MAX);
  t.equal(await status(path, [authorization]), 200);
  t.equal(await status(path, []), 401);
  t.equal(await status(path, [authorization], 'POST'), 405);
  t.equal(await status(path, [authorization, ['accept', 'text/html']]), 406);
  const base = path.split('?')[0] ?? '';
  for (const query of ['', '?size=0', '?size=-1', '?size=1e3', `?size=${String(BEGINNING_SIZE_MAX + 1)}`, '?other=1']) {
    t.equal(await status(base + query, [authorization]), 400, query);
  }
  t.equal(await status(base.replace(formatBase32(storageIndex), 'short'), [authorization]), 404);
});

t.test('another program is not asked, and one that has no answer is asked once', async (t) => {
  const other = await serverAnswering(t, () => versionOf('tahoe-lafs/1.20.0'));
  t.equal(await other.client.readMutableBeginnings(storageIndex, 100), undefined);
  t.equal(other.server.requests.length, 1);
  const older = await serverAnswering(t, (path) =>
    path.endsWith('/version') ? versionOf('tallac/0.0.1') : { status: 404, headers: { 'content-type': 'text/plain' } },
  );
  for (let i = 0; i < 3; i++) t.equal(await older.client.readMutableBeginnings(storageIndex, 100), undefined);
  t.equal(older.server.requests.length, 2);
});

t.test('answers that are none', async (t) => {
  const bad: readonly RecordedReply[] = [
    { status: 200, headers: cborType, body: encodeBeginnings(new Map([[0, long.subarray(0, 101)]])) },
    { status: 200, headers: cborType, body: new Uint8Array(1_000_000) },
    { status: 200, headers: { 'content-type': 'text/plain' }, body: encodeBeginnings(new Map()) },
    { status: 500, headers: cborType },
  ];
  for (const answer of bad) {
    const { client } = await serverAnswering(t, (path) =>
      path.endsWith('/version') ? versionOf('tallac/0.1.0') : answer,
    );
    await t.rejects(client.readMutableBeginnings(storageIndex, 100), { code: 'ERR_SERVER_REPLY' });
  }
});
