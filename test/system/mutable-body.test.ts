/** Requests and replies of any size in bounded memory: scratch files, the budget, and what gives it back. */
import { readdir } from 'node:fs/promises';
import t from 'tap';
import { concat } from '#core/bytes.js';
import { MemoryBudget } from '#storage/memory-budget.js';
import { READ_TEST_WRITE_MEMORY_MAX } from '#storage/mutable-endpoints.js';
import { READ_TEST_WRITE_SIZE_MAX } from '#storage/mutable-body.js';
import { READ_REPLY_SIZE_MAX } from '#storage/share-store.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { makeDiskSubject } from '#test/fixtures/disk-subject.js';
import { vectors } from '#test/fixtures/mutable-store.js';
import { appOf, overSocket, swissnum } from '#test/fixtures/protocol-subjects.js';
import { sameBytes, storageIndex } from '#test/fixtures/share-store.js';
import { cborType, rightSecrets, StorageTalk, writeSecrets } from '#test/fixtures/storage-talk.js';
import { encodeReadTestWriteRequest, mutablePath } from '#wire/storage-mutable.js';

t.test('a budget is shared, and given back as a whole', (t) => {
  const budget = new MemoryBudget(100);
  const [one, other] = [budget.open(), budget.open()];
  t.equal(one.tryGrow(60), true);
  t.equal(other.tryGrow(50), false);
  other.grow(40);
  t.throws(
    () => {
      one.grow(1);
    },
    { code: 'ERR_TOO_MANY' },
  );
  one.release();
  one.release();
  t.equal(budget.held, 40);
  other.grow(60);
  other.release();
  t.equal(budget.held, 0);
  t.end();
});

t.test('many large requests at once go through files that are gone afterwards', async (t) => {
  const subject = await makeDiskSubject(t);
  const store = await subject.open();
  const createScratch = store.createScratch.bind(store);
  const scratches = { made: 0, open: 0 };
  store.createScratch = async (sizeBytes) => {
    const file = await createScratch(sizeBytes);
    scratches.made += 1;
    scratches.open += 1;
    const close = file.close.bind(file);
    file.close = () => {
      scratches.open -= 1;
      return close();
    };
    return file;
  };
  const app = await appOf(t, store);
  const talk = new StorageTalk({ swissnum, isReference: false, request: await overSocket(t, app) });
  const shares = Array.from({ length: 6 }, (_, i) => seededBytes(`share ${String(i)}`, 1_500_000 + i));
  await Promise.all(
    shares.map((data, i) => talk.readTestWrite(storageIndex, vectors({ [i]: { writes: [{ offset: 0, data }] } }))),
  );
  for (const [i, data] of shares.entries()) sameBytes(t, (await talk.readMutable(storageIndex, i)).body, data);
  t.strictSame(scratches, { made: shares.length, open: 0 });
  t.strictSame(await readdir(subject.layout.writing), []);
});

t.test('what replies held in memory is given back, one after the other', async (t) => {
  const subject = await makeDiskSubject(t);
  const app = await appOf(t, await subject.open());
  const talk = new StorageTalk({ swissnum, isReference: false, request: await overSocket(t, app) });
  const data = new Uint8Array(Math.floor(READ_REPLY_SIZE_MAX / 30));
  await talk.readTestWrite(storageIndex, vectors({ 0: { writes: [{ offset: 0, data }] } }));
  const reads = Array.from({ length: 30 }, () => ({ offset: 0, size: data.length }));
  const count = Math.ceil(READ_TEST_WRITE_MEMORY_MAX / (30 * data.length)) + 1;
  for (let i = 0; i < count; i++) {
    const reply = await talk.sendVectors(storageIndex, vectors({}, reads));
    t.strictSame([reply.status, reply.body.length > 30 * data.length], [200, true]);
  }
  const more = vectors({}, [...reads.slice(1), { offset: 0, size: data.length }]);
  t.equal((await talk.sendVectors(storageIndex, more)).status, 200);
  await talk.readTestWrite(storageIndex, vectors({ 1: { writes: [{ offset: 0, data }] } }));
  t.equal((await talk.sendVectors(storageIndex, more)).status, 413, 'two shares are too much for one reply');
});

t.test('a body that is too large is refused by its head, and one that has no room before it is read', async (t) => {
  const subject = await makeDiskSubject(t);
  const store = await subject.open({ freeBytes: () => Promise.resolve(2_000_000) });
  const app = await appOf(t, store);
  const talk = new StorageTalk({ swissnum, isReference: false, request: await overSocket(t, app) });
  const head = { method: 'POST' as const, url: mutablePath.readTestWrite(storageIndex) };
  const secrets = rightSecrets(writeSecrets);
  const reply = await app.inject({
    ...head,
    headers: {
      authorization: talk.authorization[1],
      'content-length': String(READ_TEST_WRITE_SIZE_MAX + 1),
      'x-tahoe-authorization': secrets.map(([, value]) => value),
    },
  });
  t.equal(reply.statusCode, 413);
  const body = concat(
    ...encodeReadTestWriteRequest(vectors({ 0: { writes: [{ offset: 0, data: new Uint8Array(2_500_000) }] } })),
  );
  const refused = await talk.send('POST', head.url, [...secrets, cborType], body);
  t.equal(refused.status, 507);
  t.strictSame(await talk.mutableShares(storageIndex), []);
  t.strictSame(await readdir(subject.layout.writing), []);
});
