/** A disk that fails at any operation: nothing is acknowledged that is not there, nothing stays open or blocked. */
import t from 'tap';
import type { Test } from 'tap';
import { isTahoeError } from '#core/errors.js';
import { createMemoryStore } from '#storage/memory-store.js';
import type { ShareStore } from '#storage/share-store.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { FaultyFiles } from '#test/fixtures/faulty-files.js';
import type { Fault, Operation } from '#test/fixtures/faulty-files.js';
import {
  allocate,
  HandFedBody,
  leaseSecrets,
  otherSecret,
  readShare,
  sameBytes,
  sorted,
  storageIndex,
  storeOptions,
  uploadOf,
  uploadSecret,
  whole,
  write,
} from '#test/fixtures/share-store.js';

const share = seededBytes('share', 3000);
const shareNumbers = [0, 1, 2];

/** Uploads three shares in overlapping writes and adds a lease. @returns the shares that were acknowledged. */
async function work(store: ShareStore, secret: Uint8Array, acknowledged: Set<number>): Promise<void> {
  const { allocated } = await allocate(store, shareNumbers, share.length, { secret });
  for (const begin of [2000, 1000, 0]) {
    for (const shareNumber of allocated) {
      const part = share.subarray(begin, begin + (begin === 2000 ? 1000 : 1500));
      const { complete } = await write(uploadOf(store, shareNumber, secret), begin, part);
      if (complete) acknowledged.add(shareNumber);
    }
  }
  await store.addLease(storageIndex, leaseSecrets('second'));
}

async function countOperations(operation: Operation): Promise<number> {
  const files = new FaultyFiles();
  await work(createMemoryStore({ ...storeOptions(new ManualClock()), files }), uploadSecret, new Set());
  return files.countOf(operation);
}

t.test('every operation fails once: the retry succeeds at once, nothing stays open', async (t) => {
  let faultCount = 0;
  for (const operation of ['createIncoming', 'write', 'read', 'sync', 'publish', 'open', 'list'] as const) {
    const count = await countOperations(operation);
    t.ok(count > 0, `${operation} is used`);
    for (let when = 1; when <= count; when++) {
      for (const code of ['ERR_NO_SPACE', 'ERR_DISK'] as const) {
        faultCount += 1;
        await checkFault(t, { operation, when, code });
      }
    }
  }
  t.ok(faultCount > 100, `${String(faultCount)} faults`);
});

async function checkFault(t: Test, fault: Fault): Promise<void> {
  const what = `${fault.operation} ${String(fault.when)} ${fault.code}`;
  const files = new FaultyFiles();
  const store = createMemoryStore({ ...storeOptions(new ManualClock()), files });
  const acknowledged = new Set<number>();
  files.fault = fault;
  let failure: unknown;
  await work(store, uploadSecret, acknowledged).catch((error: unknown) => (failure = error));
  files.fault = undefined;
  if (failure !== undefined) t.ok(isTahoeError(failure, fault.code), `${what}: it is told as what it is`);
  const listed = await store.listShares(storageIndex);
  for (const shareNumber of acknowledged)
    t.ok(listed.has(shareNumber), `${what}: share ${String(shareNumber)} is there`);
  await work(store, uploadSecret, acknowledged);
  t.strictSame(sorted(acknowledged), shareNumbers, `${what}: the numbers are free again`);
  for (const shareNumber of shareNumbers) sameBytes(t, await readShare(store, shareNumber), share, what);
  await store.close();
  t.equal(files.openCount, 0, `${what}: no file is left open`);
}

t.test('an allocation that fails in its middle begins none of its uploads', async (t) => {
  const files = new FaultyFiles();
  const store = createMemoryStore({ ...storeOptions(new ManualClock()), files });
  files.fault = { operation: 'createIncoming', when: 3, code: 'ERR_NO_SPACE' };
  await t.rejects(allocate(store, shareNumbers, 100), { code: 'ERR_NO_SPACE' });
  t.match(await store.figures(), { uploadCount: 0 });
  t.strictSame(await allocate(store, shareNumbers, 100, { secret: otherSecret }), {
    alreadyHave: [],
    allocated: shareNumbers,
  });
  await store.close();
});

t.test('a background sync that fails ends the upload, whatever is written afterwards', async (t) => {
  const files = new FaultyFiles();
  const store = createMemoryStore({ ...storeOptions(new ManualClock()), files });
  const large = new Uint8Array(9 << 20);
  await allocate(store, [0], large.length + 10);
  files.fault = { operation: 'sync', when: 1, code: 'ERR_DISK' };
  const body = new HandFedBody();
  const refused = t.rejects(uploadOf(store, 0).write(whole(large.length + 10), body), { code: 'ERR_DISK' });
  for (let offset = 0; offset < large.length; offset += 1 << 19) body.feed(large.subarray(offset, offset + (1 << 19)));
  while (files.countOf('sync') === 0) await settle(1);
  await settle();
  body.feed(new Uint8Array(10));
  body.end();
  await refused;
  t.equal(store.upload({ storageIndex, shareNumber: 0, uploadSecret }), 'no-such-upload');
  t.equal(files.openCount, 0);
  t.strictSame(sorted(await store.listShares(storageIndex)), []);
  await store.close();
});

t.test('a share that is just becoming one is not aborted', async (t) => {
  const files = new FaultyFiles();
  const store = createMemoryStore({ ...storeOptions(new ManualClock()), files });
  await allocate(store, [0], share.length);
  const upload = uploadOf(store, 0);
  const publish = files.publish.bind(files);
  const entered = new Promise<void>((resolve) => {
    files.publish = async (...place) => {
      await publish(...place);
      resolve();
      await settle();
      t.equal(await readShare(store, 0), undefined, 'its place may still be lost: it is not readable yet');
      t.strictSame(sorted(await store.listShares(storageIndex)), []);
    };
  });
  const writing = write(upload, 0, share);
  await entered;
  await t.rejects(upload.abort(), { code: 'ERR_SHARE_COMPLETE' });
  t.ok((await writing).complete);
  sameBytes(t, await readShare(store, 0), share);
  await store.close();
});

t.test('shares that come as wholes: when they cannot be placed, none is there', async (t) => {
  for (const code of ['ERR_NO_SPACE', 'ERR_DISK'] as const) {
    const files = new FaultyFiles();
    const store = createMemoryStore({ ...storeOptions(new ManualClock()), files });
    files.fault = { operation: 'replace', when: 1, code };
    const shares = new Map(shareNumbers.map((shareNumber) => [shareNumber, share]));
    const request = { storageIndex, shares, ...leaseSecrets('first') };
    await t.rejects(store.storeShares(request), { code });
    t.strictSame(sorted(await store.listShares(storageIndex)), [], code);
    const { stored } = await store.storeShares(request);
    t.strictSame(sorted(stored), shareNumbers, 'and then all');
    t.equal(files.openCount, 0);
  }
});
