/** How all immutable shares begin and end, in one request: our own server, and servers that know nothing of such a thing. */
import t from 'tap';
import { isTahoeError, TahoeError } from '#core/errors.js';
import { createMemoryStore } from '#storage/memory-store.js';
import type { OpenShare } from '#storage/share-store.js';
import { cborType, ownServer, serverAnswering, versionOf } from '#test/fixtures/answering-server.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { appOf, injector, swissnum } from '#test/fixtures/protocol-subjects.js';
import type { RecordedReply } from '#test/fixtures/recording-server.js';
import { otherIndex, storageIndex, store1, storeOptions } from '#test/fixtures/share-store.js';
import { encodeCbor } from '#wire/cbor.js';
import type { CborValue } from '#wire/cbor.js';
import {
  BEGINNINGS_SIZE_MAX,
  decodeImmutableBeginnings,
  EDGE_SIZE_MAX,
  encodeImmutableBeginnings,
  immutableBeginningsPath,
  immutableBeginningsReplySizeMax,
  parseEdgeSizes,
} from '#wire/immutable-beginnings.js';
import type { ShareEdges } from '#wire/immutable-beginnings.js';
import { dangerouslyFormatAuthorization } from '#wire/storage.js';

const [long, short, nothing] = [seededBytes('long', 50_000), seededBytes('short', 150), new Uint8Array(0)];
const asked = { beginning: 100, end: 50 };
const edgesOfLong: ShareEdges = { size: 50_000, beginning: long.slice(0, 100), end: long.slice(-50) };
const edgesOfShort: ShareEdges = { size: 150, beginning: short, end: nothing };

t.test('messages', (t) => {
  const shares = new Map([
    [0, edgesOfLong],
    [255, edgesOfShort],
    [7, { size: 2 ** 53 - 1, beginning: nothing, end: nothing }],
    [8, { size: 0, beginning: nothing, end: nothing }],
  ]);
  t.strictSame(decodeImmutableBeginnings(encodeImmutableBeginnings(shares), asked), shares);
  t.strictSame(decodeImmutableBeginnings(encodeImmutableBeginnings(new Map()), asked), new Map());
  const [beginning, end] = [new Uint8Array(100), new Uint8Array(50)];
  const bad: readonly (readonly [string, CborValue])[] = [
    ['no map', [1]],
    ['no share number', new Map([[256, [50_000, beginning, end]]])],
    ['a text for a number', new Map([['0', [50_000, beginning, end]]])],
    ['a byte string for a share', new Map([[0, beginning]])],
    ['no size', new Map([[0, [beginning, end]]])],
    ['a negative size', new Map([[0, [-1, beginning, end]]])],
    ['a size beyond 2^53', new Map([[0, [2n ** 53n, beginning, end]]])],
    ['something besides', new Map([[0, [50_000, beginning, end, end]]])],
    ['a text for bytes', new Map([[0, [50_000, 'text', end]]])],
    ['no end', new Map([[0, [50_000, beginning]]])],
    ['a long beginning', new Map([[0, [50_000, new Uint8Array(101), end]]])],
    ['a short beginning', new Map([[0, [50_000, new Uint8Array(99), end]]])],
    ['a long end', new Map([[0, [50_000, beginning, new Uint8Array(51)]]])],
    ['a short end', new Map([[0, [50_000, beginning, new Uint8Array(49)]]])],
    ['a beginning alone', new Map([[0, [50_000, beginning, nothing]]])],
    ['a small share in two parts', new Map([[0, [150, beginning, end]]])],
    ['more than there is', new Map([[0, [99, beginning, nothing]]])],
  ];
  for (const [what, value] of bad)
    t.throws(() => decodeImmutableBeginnings(encodeCbor(value), asked), { code: 'ERR_MESSAGE' }, what);
  const cut = encodeImmutableBeginnings(shares).subarray(0, -1);
  t.throws(() => decodeImmutableBeginnings(cut, asked), { code: 'ERR_CBOR' });
  t.end();
});

t.test('any damage gives a named error or another message, and no share longer than was asked for', (t) => {
  const bytes = encodeImmutableBeginnings(new Map([[0, edgesOfShort]]));
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const damaged = bytes.slice();
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    try {
      for (const { beginning, end } of decodeImmutableBeginnings(damaged, asked).values())
        if (beginning.length + end.length > 150) t.fail(`bit ${String(bit)}`);
    } catch (error) {
      if (!isTahoeError(error, 'ERR_CBOR', 'ERR_MESSAGE')) throw error;
    }
  }
  t.end();
});

t.test('queries', (t) => {
  for (const sizes of [
    { beginning: 1, end: 0 },
    { beginning: EDGE_SIZE_MAX, end: EDGE_SIZE_MAX },
  ]) {
    t.strictSame(parseEdgeSizes(immutableBeginningsPath(storageIndex, sizes).split('?')[1] ?? ''), sizes);
  }
  t.equal(immutableBeginningsReplySizeMax({ beginning: 1, end: 0 }), 256 * 33);
  const most = immutableBeginningsReplySizeMax({ beginning: EDGE_SIZE_MAX, end: EDGE_SIZE_MAX });
  t.equal(most, BEGINNINGS_SIZE_MAX + 256 * 32);
  t.end();
});

t.test('our server over TLS', async (t) => {
  const { client, store } = await ownServer(t);
  await store1(store, 3, long);
  await store1(store, 9, short);
  t.equal(await client.readBeginnings(storageIndex, asked), undefined, 'not before it has said what it is');
  await client.version();
  const expected = new Map([
    [3, edgesOfLong],
    [9, edgesOfShort],
  ]);
  t.strictSame(await client.readBeginnings(storageIndex, asked), expected);
  t.strictSame(await client.readBeginnings(otherIndex, asked), new Map());
});

t.test('an answer that would be too long has sizes alone of the last shares', async (t) => {
  const { client, store } = await ownServer(t);
  await client.version();
  const large = seededBytes('large', 2 * EDGE_SIZE_MAX);
  for (let shareNumber = 0; shareNumber < 20; shareNumber++) await store1(store, shareNumber, large);
  const sizes = { beginning: EDGE_SIZE_MAX, end: EDGE_SIZE_MAX };
  const shares = [...((await client.readBeginnings(storageIndex, sizes)) ?? [])];
  t.strictSame(
    shares.map(([shareNumber, { size }]) => [shareNumber, size]),
    Array.from({ length: 20 }, (_, shareNumber) => [shareNumber, large.length]),
  );
  const given = shares.map(([, { beginning }]) => beginning);
  t.ok(given.slice(0, 8).every((bytes) => Buffer.compare(bytes, large) === 0));
  t.ok(given.slice(8).every((bytes) => bytes.length === 0));
});

t.test('a share that cannot be read hides no other', async (t) => {
  const store = createMemoryStore(storeOptions(new ManualClock()));
  const shareOf = (read: OpenShare['read']): OpenShare => ({ size: 50, read, close: () => Promise.resolve() });
  const failing = shareOf(() => Promise.reject(new TahoeError('ERR_DISK', { what: 'reading', reason: 'EIO' })));
  const bytes = seededBytes('share', 50);
  store.visitShares = async (_, __, visit) => {
    await visit(failing, 1);
    await visit(
      shareOf(() => Promise.resolve(bytes)),
      2,
    );
  };
  const send = injector(await appOf(t, store));
  const headers: [string, string][] = [['authorization', dangerouslyFormatAuthorization(swissnum)]];
  const path = immutableBeginningsPath(storageIndex, asked);
  const { body } = await send({ method: 'GET', path, headers });
  const expected = new Map([
    [1, { size: 50, beginning: nothing, end: nothing }],
    [2, { size: 50, beginning: bytes, end: nothing }],
  ]);
  t.strictSame(decodeImmutableBeginnings(body, asked), expected);
  store.visitShares = (_, __, visit) =>
    visit(
      shareOf(() => Promise.reject(new TypeError('a mistake of ours'))),
      1,
    );
  t.equal((await send({ method: 'GET', path, headers })).status, 500);
});

t.test('another program is not asked, and one that has no answer is asked once', async (t) => {
  const other = await serverAnswering(t, () => versionOf('tahoe-lafs/1.20.0'));
  t.equal(await other.client.readBeginnings(storageIndex, asked), undefined);
  t.equal(other.server.requests.length, 1);
  const older = await serverAnswering(t, (path) =>
    path.endsWith('/version') ? versionOf('tallac/0.0.1') : { status: 404, headers: { 'content-type': 'text/plain' } },
  );
  for (let i = 0; i < 3; i++) t.equal(await older.client.readBeginnings(storageIndex, asked), undefined);
  t.equal(older.server.requests.length, 2);
  t.equal(await older.client.readMutableBeginnings(storageIndex, 100), undefined);
  t.equal(older.server.requests.length, 3, 'of mutable shares it may know all the same');
});

t.test('answers that are none', async (t) => {
  const tooLong = new Map([[0, { ...edgesOfLong, end: long.subarray(0, 51) }]]);
  const bad: readonly RecordedReply[] = [
    { status: 200, headers: cborType, body: encodeImmutableBeginnings(tooLong) },
    { status: 200, headers: cborType, body: new Uint8Array(1_000_000) },
    { status: 200, headers: { 'content-type': 'text/plain' }, body: encodeImmutableBeginnings(new Map()) },
    { status: 500, headers: cborType },
  ];
  for (const answer of bad) {
    const { client } = await serverAnswering(t, (path) =>
      path.endsWith('/version') ? versionOf('tallac/0.1.0') : answer,
    );
    await t.rejects(client.readBeginnings(storageIndex, asked), { code: 'ERR_SERVER_REPLY' });
  }
});
