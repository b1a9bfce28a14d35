/** Uploads go on after a restart with what the disk has of them, and stand in nobody's way. */
import { readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { decodeContainerShape, decodeLease } from '#storage/container.js';
import { UPLOAD_IDLE_TIMEOUT_MS, UPLOAD_KEEP_DELAY_MS } from '#storage/share-store.js';
import type { ShareStore } from '#storage/share-store.js';
import { settle } from '#test/fixtures/clock.js';
import { crypto, seededBytes } from '#test/fixtures/crypto.js';
import { makeDiskSubject } from '#test/fixtures/disk-subject.js';
import {
  allocate,
  leaseSecrets,
  otherIndex,
  otherSecret,
  readShare,
  sameBytes,
  storageIndex,
  store1,
  uploadOf,
  uploadSecret,
  write,
} from '#test/fixtures/share-store.js';

const share = seededBytes('share', 10_000);
type Subject = Awaited<ReturnType<typeof makeDiskSubject>>;

/** A store in the middle of an upload of share 0, of which `parts` were acknowledged, and are kept. */
async function inTheMiddle(t: Test, ...parts: readonly (readonly [number, number])[]): Promise<Subject> {
  const subject = await makeDiskSubject(t);
  const store = await subject.open();
  await allocate(store, [0], share.length);
  for (const [begin, end] of parts) await write(uploadOf(store, 0), begin, share.subarray(begin, end));
  subject.clock.advance(UPLOAD_KEEP_DELAY_MS);
  while ((await readdir(subject.layout.uploads)).length === 0) await settle(1);
  // What a killed process leaves: nothing was closed.
  await settle(50);
  return subject;
}

async function isKnown(store: ShareStore): Promise<boolean> {
  return typeof store.upload({ storageIndex, shareNumber: 0, uploadSecret }) === 'object';
}

t.test('an upload is there again with what was kept of it, and becomes the share that it was to be', async (t) => {
  const subject = await inTheMiddle(t, [0, 3000], [5000, 6000]);
  const store = await subject.open();
  t.equal(store.upload({ storageIndex, shareNumber: 0, uploadSecret: otherSecret }), 'other-secret');
  const upload = uploadOf(store, 0);
  t.strictSame(upload.required, [
    { begin: 3000, end: 5000 },
    { begin: 6000, end: 10_000 },
  ]);
  t.strictSame(await allocate(store, [0], share.length), { alreadyHave: [], allocated: [0] }, 'it is the same upload');
  await t.rejects(write(upload, 0, new Uint8Array(10).fill(1)), { code: 'ERR_CONFLICTING_WRITE' });
  t.strictSame(await write(upload, 3000, share.subarray(3000, 5000)), {
    complete: false,
    required: [{ begin: 6000, end: 10_000 }],
  });
  t.strictSame(await write(upload, 6000, share.subarray(6000)), { complete: true, required: [] });
  sameBytes(t, await readShare(store, 0), share);
  const file = (await subject.raw(storageIndex, 0)) ?? new Uint8Array(0);
  const { leaseOffset, leaseCount } = decodeContainerShape(file, file.length);
  t.equal(leaseCount, 1);
  t.strictSame(
    decodeLease(file.subarray(leaseOffset)).renewSecret,
    crypto.blake2b256(leaseSecrets('first').renewSecret),
    'with the lease that it was begun with',
  );
  t.strictSame(await readdir(subject.layout.uploads), []);
  t.strictSame(await readdir(subject.layout.incoming), []);
});

t.test('a store that is closed in good order keeps all that it acknowledged', async (t) => {
  const subject = await makeDiskSubject(t);
  let store = await subject.open();
  await allocate(store, [0, 1], share.length);
  await write(uploadOf(store, 0), 100, share.subarray(100, 9000));
  await store.close();
  t.equal(subject.clock.pending, 0, 'no timer is left');
  t.strictSame(
    await readdir(subject.layout.incoming),
    await readdir(subject.layout.uploads),
    'and nothing of the other',
  );
  store = await subject.open();
  await write(uploadOf(store, 0), 0, share.subarray(0, 100));
  await store.close();
  store = await subject.open();
  t.strictSame(uploadOf(store, 0).required, [{ begin: 9000, end: 10_000 }]);
  await write(uploadOf(store, 0), 9000, share.subarray(9000));
  sameBytes(t, await readShare(store, 0), share);
});

t.test('what comes in one piece is not recorded, nor what is over soon', async (t) => {
  const subject = await makeDiskSubject(t);
  const store = await subject.open();
  await store1(store, 0, share);
  await allocate(store, [1, 2], share.length);
  for (const shareNumber of [1, 2]) await write(uploadOf(store, shareNumber), 0, share.subarray(0, 5000));
  await write(uploadOf(store, 1), 5000, share.subarray(5000));
  await uploadOf(store, 2).abort();
  subject.clock.advance(UPLOAD_KEEP_DELAY_MS);
  await settle();
  t.strictSame(await readdir(subject.layout.uploads), []);
  t.equal(subject.clock.pending, 0);
});

t.test('what a restart has left gives way to whoever begins anew, until somebody goes on with it', async (t) => {
  const subject = await inTheMiddle(t, [0, 3000]);
  const store = await subject.open();
  t.ok(await isKnown(store));
  const request = { secret: otherSecret };
  t.strictSame(await allocate(store, [1], 100, request), { alreadyHave: [], allocated: [1] });
  t.ok(await isKnown(store), 'who asks for another share takes nothing away');
  t.strictSame(await allocate(store, [0], 5000, request), { alreadyHave: [], allocated: [0] });
  t.notOk(await isKnown(store));
  await write(uploadOf(store, 0, otherSecret), 0, share.subarray(0, 5000));
  sameBytes(t, await readShare(store, 0), share.subarray(0, 5000));

  const next = await inTheMiddle(t, [0, 3000]);
  const resumed = await next.open();
  await write(uploadOf(resumed, 0), 3000, share.subarray(3000, 4000));
  t.strictSame(await allocate(resumed, [0], 5000, request), { alreadyHave: [], allocated: [] });
});

t.test('an upload that nobody goes on with returns like any other', async (t) => {
  const subject = await inTheMiddle(t, [0, 3000]);
  const store = await subject.open();
  subject.clock.advance(UPLOAD_IDLE_TIMEOUT_MS);
  while ((await store.figures()).uploadCount > 0) await settle(1);
  while ((await readdir(subject.layout.incoming)).length > 0) await settle(1);
  t.strictSame(await readdir(subject.layout.uploads), []);
});

t.test('a record that fits no file is nothing', async (t) => {
  const harm: Record<string, (subject: Subject) => Promise<unknown>> = {
    'the reference has removed all uploads': ({ layout }) => rm(layout.incoming, { recursive: true }),
    'the file is cut short': ({ layout }) => truncate(layout.incomingShare(storageIndex, 0), 100),
    'the record is cut short': async ({ layout }) => {
      for (const name of await readdir(layout.uploads)) await truncate(join(layout.uploads, name), 100);
    },
    'the share is here': (subject) => subject.place(storageIndex, 0, new Uint8Array(0)),
  };
  for (const [name, harmIt] of Object.entries(harm)) {
    const subject = await inTheMiddle(t, [0, 3000]);
    await harmIt(subject);
    const store = await subject.open();
    t.notOk(await isKnown(store), name);
    t.strictSame(await readdir(subject.layout.uploads), [], name);
    t.strictSame(await readdir(subject.layout.incoming), [], name);
  }
});

t.test('bytes that the file does not have are asked for', async (t) => {
  const subject = await inTheMiddle(t, [0, 3000], [9000, 10_000]);
  await truncate(subject.layout.incomingShare(storageIndex, 0), 5000);
  const store = await subject.open();
  t.strictSame(uploadOf(store, 0).required, [{ begin: 3000, end: 10_000 }]);
});

t.test('what is no record does not stand in the way', async (t) => {
  const subject = await inTheMiddle(t, [0, 3000]);
  await writeFile(join(subject.layout.uploads, 'anything'), 'garbage');
  await writeFile(subject.layout.incomingShare(otherIndex, 0), 'half a share');
  const store = await subject.open();
  t.ok(await isKnown(store));
  t.equal((await readdir(subject.layout.uploads)).length, 1);
  t.strictSame(await allocate(store, [0], 100, { index: otherIndex }), { alreadyHave: [], allocated: [0] });
});
