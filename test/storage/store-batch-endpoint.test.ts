/** Small shares of several files in one request, as the storage server takes them. */
import { PassThrough } from 'node:stream';
import t from 'tap';
import type { Test } from 'tap';
import type { Log } from '#core/environment.js';
import { createMemoryStore } from '#storage/memory-store.js';
import type { ShareStore } from '#storage/share-store.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { FaultyFiles } from '#test/fixtures/faulty-files.js';
import { appOf, injector, swissnum } from '#test/fixtures/protocol-subjects.js';
import { leaseSecrets, sameBytes, readShare, sorted, storeOptions } from '#test/fixtures/share-store.js';
import { cborType, rightSecrets } from '#test/fixtures/storage-talk.js';
import type { Header, TalkReply } from '#test/fixtures/storage-talk.js';
import { encodeCbor } from '#wire/cbor.js';
import { dangerouslyFormatAuthorization } from '#wire/storage.js';
import { decodeStoreBatchReply, encodeStoreBatch, STORE_BATCH_COUNT_MAX, STORE_BATCH_PATH } from '#wire/store-batch.js';
import type { BatchedStore } from '#wire/store-batch.js';
import { WHOLE_SHARES_REQUEST_SIZE_MAX, wholeSharesPath } from '#wire/whole-shares.js';

const authorization: Header = ['authorization', dangerouslyFormatAuthorization(swissnum)];
const headers = [authorization, cborType];

/** The shares of one of many files. */
function storeOf(number: number, changes: Partial<BatchedStore> = {}): BatchedStore {
  const name = `file ${String(number)}`;
  const shares = new Map(
    [0, 7].map((shareNumber) => [shareNumber, seededBytes(`${name}/${String(shareNumber)}`, 300)]),
  );
  return { storageIndex: seededBytes(name, 16), ...leaseSecrets(name), whereNone: false, shares, ...changes };
}

interface Subject {
  readonly store: ShareStore;
  readonly send: (body: Uint8Array, changed?: readonly Header[], method?: string) => Promise<TalkReply>;
  readonly logged: string[];
}

async function subjectOf(t: Test, files = new FaultyFiles()): Promise<Subject> {
  const store = createMemoryStore({ ...storeOptions(new ManualClock()), files });
  const logged: string[] = [];
  const note = (...said: unknown[]): void => void logged.push(JSON.stringify(said));
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const request = injector(await appOf(t, store, {}, undefined, { log }));
  const send: Subject['send'] = (body, changed = headers, method = 'POST') =>
    request({ method, path: STORE_BATCH_PATH, headers: changed, body });
  return { store, send, logged };
}

t.test('several files, each with its own answer', async (t) => {
  const { send, store } = await subjectOf(t);
  const stores = Array.from({ length: STORE_BATCH_COUNT_MAX }, (_, i) => storeOf(i));
  const reply = await send(encodeStoreBatch(stores));
  t.match(reply, { status: 200, headers: { 'content-type': 'application/cbor' } });
  const expected = { alreadyHave: new Set(), stored: new Set([0, 7]) };
  t.strictSame(decodeStoreBatchReply(reply.body, stores.length), Array(stores.length).fill(expected));
  for (const { shares, storageIndex } of stores) {
    for (const [number, share] of shares) sameBytes(t, await readShare(store, number, storageIndex), share);
  }
  const [, again] = stores;
  if (again === undefined) throw new RangeError('many stores');
  const other = new Map([[9, seededBytes('other', 10)]]);
  const next = [
    { ...again, shares: other, whereNone: true },
    storeOf(100),
    { ...again, shares: other },
    { ...again, shares: other },
  ];
  const outcomes = decodeStoreBatchReply((await send(encodeStoreBatch(next))).body, next.length);
  const have = new Set([0, 7]);
  const expectedNext = [
    { alreadyHave: have, stored: new Set() },
    expected,
    { alreadyHave: have, stored: new Set([9]) },
    { alreadyHave: new Set([0, 7, 9]), stored: new Set() },
  ];
  t.strictSame(outcomes, expectedNext, 'an index may be there several times, in this order');
});

t.test('one that fails keeps no other from being stored', async (t) => {
  for (const [code, status] of [
    ['ERR_NO_SPACE', 507],
    ['ERR_DISK', 500],
  ] as const) {
    const files = new FaultyFiles();
    const { logged, send, store } = await subjectOf(t, files);
    files.fault = { operation: 'replace', when: 2, code };
    const stores = [0, 1, 2].map((number) => storeOf(number));
    const reply = await send(encodeStoreBatch(stores));
    t.equal(reply.status, 200);
    const outcomes = decodeStoreBatchReply(reply.body, 3);
    const good = { alreadyHave: new Set(), stored: new Set([0, 7]) };
    t.match(outcomes, [good, { status, reason: /./ }, good], code);
    const held = await Promise.all(
      stores.map(async ({ storageIndex }) => sorted(await store.listShares(storageIndex))),
    );
    t.strictSame(held, [[0, 7], [], [0, 7]], code);
    t.equal(logged.filter((line) => line.includes('storage.request-failed')).length, 1, 'the operator hears of it');
    for (const { cancelSecret, renewSecret } of stores) {
      for (const secret of [cancelSecret, renewSecret])
        t.notOk(logged.some((line) => line.includes(Buffer.from(secret).toString('base64').slice(0, 16))));
    }
  }
});

t.test('what is refused as a whole, with nothing stored', async (t) => {
  const { send, store } = await subjectOf(t);
  const stores = [storeOf(0), storeOf(1)];
  const good = encodeStoreBatch(stores);
  const status = async (...sent: Parameters<typeof send>): Promise<number> => (await send(...sent)).status;
  t.equal(await status(good, [cborType]), 401, 'no swissnum');
  const wrong: Header = ['authorization', dangerouslyFormatAuthorization('another')];
  t.equal(await status(good, [wrong, cborType]), 401, 'a wrong one');
  t.equal(await status(new Uint8Array(9), [wrong, cborType]), 401, 'before it looks at the body');
  t.equal(await status(good, [...headers, ...rightSecrets(['lease-renew-secret'])]), 400, 'a secret in a header');
  t.equal(await status(good, [authorization, ['content-type', 'text/plain']]), 415);
  t.equal(await status(good, [...headers, ['accept', 'text/html']]), 406);
  t.equal(await status(good, undefined, 'PUT'), 405);
  t.equal(await status(good.subarray(0, -1)), 400);
  t.equal(await status(encodeCbor([])), 400);
  const bad = { ...storeOf(2), renewSecret: new Uint8Array(31) };
  t.equal(await status(encodeStoreBatch([...stores, bad])), 400, 'one of them is none');
  t.equal(await status(new Uint8Array(WHOLE_SHARES_REQUEST_SIZE_MAX + 1)), 413);
  for (const { storageIndex } of stores) t.strictSame(await store.listShares(storageIndex), new Set());
  t.equal(await status(good), 200);
  for (const { storageIndex } of stores) t.strictSame(await store.listShares(storageIndex), new Set([0, 7]));
});

t.test('its memory is that of single requests too', async (t) => {
  const store = createMemoryStore(storeOptions(new ManualClock()));
  const app = await appOf(t, store);
  const size = WHOLE_SHARES_REQUEST_SIZE_MAX;
  const common = { [authorization[0]]: authorization[1], 'content-type': 'application/cbor' };
  const secrets = rightSecrets(['lease-renew-secret', 'lease-cancel-secret']).map(([, value]) => value);
  const heads = [
    { url: STORE_BATCH_PATH, headers: common },
    { url: wholeSharesPath(storeOf(0).storageIndex), headers: { ...common, 'x-tahoe-authorization': secrets } },
  ];
  const bodies: PassThrough[] = [];
  const begin = async (number: number): Promise<number> => {
    const { headers: head, url } = heads[number % 2] ?? { headers: common, url: '' };
    const payload = new PassThrough();
    bodies.push(payload);
    const request = { method: 'POST' as const, url, payload, headers: { ...head, 'content-length': String(size) } };
    return (await app.inject(request)).statusCode;
  };
  const count = (64 << 20) / size;
  const held = Array.from({ length: count }, (_, number) => begin(number));
  await settle();
  t.strictSame([await begin(0), await begin(1)], [507, 507]);
  for (const body of bodies) body.end();
  t.strictSame(new Set(await Promise.all(held)), new Set([400]), 'an empty body is no message');
  const [stored] = decodeStoreBatchReply(
    (await injector(app)({ method: 'POST', path: STORE_BATCH_PATH, headers, body: encodeStoreBatch([storeOf(1)]) }))
      .body,
    1,
  );
  t.match(stored, { stored: new Set([0, 7]) }, 'it is given back');
});
