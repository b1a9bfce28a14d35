/** A store whose volume goes away under it says so, instead of saying that it holds nothing. */
import { mkdir, readdir, rename, rmdir } from 'node:fs/promises';
import t from 'tap';
import { dangerouslyFormatAuthorization, storagePath } from '#wire/storage.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { makeDiskSubject } from '#test/fixtures/disk-subject.js';
import { appOf, swissnum } from '#test/fixtures/protocol-subjects.js';
import {
  allocate,
  leaseSecrets,
  otherIndex,
  readShare,
  sameBytes,
  storageIndex,
  store1,
  uploadOf,
  write,
} from '#test/fixtures/share-store.js';

const share = seededBytes('share', 100);

t.test('nothing is not the answer of a volume that is gone, and nothing is made in its place', async (t) => {
  const subject = await makeDiskSubject(t);
  const store = await subject.open();
  const { directory } = subject.layout;
  await store1(store, 0, share);
  t.strictSame(await store.listShares(otherIndex), new Set(), 'here it is');

  await rename(directory, `${directory}.gone`);
  await mkdir(directory);
  const gone = { code: 'ERR_STORE_GONE' };
  await t.rejects(store.listShares(storageIndex), gone);
  await t.rejects(store.listMutable(storageIndex), gone);
  await t.rejects(store.openShare(otherIndex, 0), gone);
  await t.rejects(store.openMutable(otherIndex, 0), gone);
  await t.rejects(store.addLease(storageIndex, leaseSecrets('first')), gone);
  await t.rejects(store.reportCorruption({ storageIndex, shareNumber: 0, reason: 'it is bad' }), gone);
  await t.rejects(allocate(store, [1], 100), gone);
  t.strictSame(await readdir(directory), []);

  const app = await appOf(t, store);
  const headers = { authorization: dangerouslyFormatAuthorization(swissnum) };
  for (const url of [storagePath.shares(storageIndex), storagePath.share(otherIndex, 0)]) {
    t.equal((await app.inject({ url, headers })).statusCode, 503);
  }

  await rmdir(directory);
  await rename(`${directory}.gone`, directory);
  sameBytes(t, await readShare(store, 0), share);
  t.strictSame((await allocate(store, [1], 100)).allocated, [1]);
});

t.test('an upload that ends when the volume is gone is no share', async (t) => {
  const subject = await makeDiskSubject(t);
  const store = await subject.open();
  const { directory } = subject.layout;
  await allocate(store, [0], share.length);
  await rename(directory, `${directory}.gone`);
  await mkdir(directory);
  await t.rejects(write(uploadOf(store, 0), 0, share), { code: 'ERR_STORE_GONE' });
  t.strictSame(await readdir(directory), []);
});
