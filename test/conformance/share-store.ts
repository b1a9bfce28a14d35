/**
 * What every share store does, as a suite over a factory: allocation, uploads, reading, space, reports. Leases
 * and damage are in `share-store-leases.ts` and `share-store-damage.ts`.
 */
import t from 'tap';
import type { Test } from 'tap';
import {
  allocate,
  HandFedBody,
  inPieces,
  otherIndex,
  otherSecret,
  readShare,
  sorted,
  storageIndex,
  store1,
  uploadOf,
  uploadSecret,
  whole,
  write,
  sameBytes,
} from '#test/fixtures/share-store.js';
import type { StoreSubject } from '#test/fixtures/share-store.js';
import { settle } from '#test/fixtures/clock.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import {
  ADVISORY_COUNT_MAX,
  RESERVATION_IDLE_TIMEOUT_MS,
  UPLOAD_FRAGMENT_COUNT_MAX,
  UPLOAD_IDLE_TIMEOUT_MS,
} from '#storage/share-store.js';
import { damageSuite } from './share-store-damage.js';
import { historySuite } from './share-store-history.js';
import { leaseSuite } from './share-store-leases.js';
import { modelSuite } from './share-store-model.js';
import { mutableLeaseSuite } from './share-store-mutable-leases.js';
import { mutableLimitSuite } from './share-store-mutable-limits.js';
import { mutableSuite } from './share-store-mutable.js';
import { upkeepSuite } from './share-store-upkeep.js';
import { wholeShareSuite } from './share-store-whole.js';

/** Makes an empty subject for one test; what it opens and makes is released when the test ends. */
export type MakeSubject = (test: Test) => Promise<StoreSubject>;

/** Runs every test of share stores. */
export function shareStoreSuite(makeSubject: MakeSubject): void {
  allocationSuite(makeSubject);
  uploadSuite(makeSubject);
  concurrencySuite(makeSubject);
  endingSuite(makeSubject);
  reportSuite(makeSubject);
  leaseSuite(makeSubject);
  damageSuite(makeSubject);
  modelSuite(makeSubject);
  mutableSuite(makeSubject);
  mutableLeaseSuite(makeSubject);
  mutableLimitSuite(makeSubject);
  historySuite(makeSubject);
  upkeepSuite(makeSubject);
  wholeShareSuite(makeSubject);
}

function allocationSuite(makeSubject: MakeSubject): void {
  t.test('what is not here may be uploaded; what is here is told whether asked for or not', async (t) => {
    const store = await (await makeSubject(t)).open();
    t.strictSame(await allocate(store, [1, 7], 10), { alreadyHave: [], allocated: [1, 7] });
    await write(uploadOf(store, 1), 0, seededBytes('share', 10));
    t.strictSame(await allocate(store, [2, 3], 10), { alreadyHave: [1], allocated: [2, 3] });
    t.strictSame(await allocate(store, [1], 10, { index: otherIndex }), { alreadyHave: [], allocated: [1] });
    t.strictSame(await allocate(store, [], 10), { alreadyHave: [1], allocated: [] });
  });

  t.test('an upload in progress is offered again only for its own secret and size', async (t) => {
    const store = await (await makeSubject(t)).open();
    await allocate(store, [1], 10);
    t.strictSame(await allocate(store, [1, 2], 10, { secret: otherSecret }), { alreadyHave: [], allocated: [2] });
    t.strictSame(await allocate(store, [1], 11), { alreadyHave: [], allocated: [] });
    await write(uploadOf(store, 1), 0, seededBytes('share', 4));
    t.strictSame(await allocate(store, [1], 10), { alreadyHave: [], allocated: [1] });
    const { required } = await write(uploadOf(store, 1), 4, seededBytes('rest', 5));
    t.strictSame(required, [{ begin: 9, end: 10 }], 'what was written before counts');
    t.equal(store.upload({ storageIndex, shareNumber: 1, uploadSecret: otherSecret }), 'other-secret');
    t.equal(store.upload({ storageIndex, shareNumber: 3, uploadSecret }), 'no-such-upload');
  });

  t.test('a share is taken only if it fits beside the reserve and what is still to come', async (t) => {
    const subject = await makeSubject(t);
    const store = await subject.open({ reservedSpace: 50, freeBytes: () => Promise.resolve(300) });
    t.equal((await store.figures()).availableSpace, 250);
    t.strictSame(await allocate(store, [1, 2, 3], 100), { alreadyHave: [], allocated: [1, 2] });
    t.strictSame(await allocate(store, [4], 50, { index: otherIndex }), { alreadyHave: [], allocated: [4] });
    t.strictSame(await allocate(store, [5], 1, { index: otherIndex }), { alreadyHave: [], allocated: [] });
    t.match(await store.figures(), { availableSpace: 0, uploadCount: 3 });
    await write(uploadOf(store, 1), 0, seededBytes('part', 60));
    t.equal((await store.figures()).availableSpace, 60, 'written bytes are not held twice');
    await uploadOf(store, 2).abort();
    t.match(await store.figures(), { availableSpace: 160, uploadCount: 2 });
  });

  t.test('a store that is readonly takes nothing and gives what it has', async (t) => {
    const subject = await makeSubject(t);
    const before = await subject.open();
    await store1(before, 1, seededBytes('share', 10));
    await before.close();
    const store = await subject.open({ readonly: true });
    t.strictSame(await allocate(store, [1, 2], 10), { alreadyHave: [1], allocated: [] });
    t.match(await store.figures(), { availableSpace: 0, readonly: true, uploadCount: 0 });
    sameBytes(t, await readShare(store, 1), seededBytes('share', 10));
  });
}

function uploadSuite(makeSubject: MakeSubject): void {
  t.test('writes in any order make a share; it is there only when it is whole', async (t) => {
    const store = await (await makeSubject(t)).open();
    const share = seededBytes('share', 100_000);
    await allocate(store, [0], share.length);
    const upload = uploadOf(store, 0);
    t.strictSame(await write(upload, 60_000, share.subarray(60_000)), {
      complete: false,
      required: [{ begin: 0, end: 60_000 }],
    });
    t.strictSame((await write(upload, 10, share.subarray(10, 30))).required, [
      { begin: 0, end: 10 },
      { begin: 30, end: 60_000 },
    ]);
    t.strictSame(sorted(await store.listShares(storageIndex)), []);
    t.equal(await readShare(store, 0), undefined);
    await write(upload, 0, share.subarray(0, 10));
    t.strictSame(await write(upload, 30, share.subarray(30, 60_000)), { complete: true, required: [] });
    t.strictSame(sorted(await store.listShares(storageIndex)), [0]);
    sameBytes(t, await readShare(store, 0), share);
    t.equal(store.upload({ storageIndex, shareNumber: 0, uploadSecret }), 'no-such-upload');
    t.match(await store.figures(), { uploadCount: 0 });
  });

  t.test('a body in pieces of any size is the same share', async (t) => {
    const store = await (await makeSubject(t)).open();
    const share = seededBytes('share', 1_300_000);
    for (const [shareNumber, pieceSize] of [131, 16_384, 700_000, 2_000_000].entries()) {
      await allocate(store, [shareNumber], share.length);
      const { complete } = await uploadOf(store, shareNumber).write(whole(share.length), inPieces(share, pieceSize));
      t.ok(complete);
      sameBytes(t, await readShare(store, shareNumber), share, `pieces of ${String(pieceSize)}`);
    }
  });

  t.test('the same bytes may be written again; others are refused and change nothing', async (t) => {
    const store = await (await makeSubject(t)).open();
    const share = seededBytes('share', 1000);
    await allocate(store, [0], share.length);
    const upload = uploadOf(store, 0);
    await write(upload, 100, share.subarray(100, 200));
    t.strictSame((await write(upload, 150, share.subarray(150, 250))).required, [
      { begin: 0, end: 100 },
      { begin: 250, end: 1000 },
    ]);
    const wrong = share.slice(50, 120);
    wrong[60] = (wrong[60] ?? 0) ^ 1;
    await t.rejects(write(upload, 50, wrong), { code: 'ERR_CONFLICTING_WRITE', facts: { offset: 100 } });
    t.strictSame((await write(upload, 120, share.subarray(120, 130))).required[0], { begin: 0, end: 100 });
    await write(upload, 0, share.subarray(0, 100));
    t.ok((await write(upload, 0, share)).complete);
    sameBytes(t, await readShare(store, 0), share);
  });

  t.test('a body that is not its range, or fails on its way, counts for nothing', async (t) => {
    const store = await (await makeSubject(t)).open();
    const share = seededBytes('share', 1000);
    await allocate(store, [0], share.length);
    const upload = uploadOf(store, 0);
    const left = { complete: false, required: [{ begin: 0, end: 999 }] };
    const short = upload.write({ begin: 0, end: 500 }, inPieces(share.subarray(0, 499)));
    await t.rejects(short, { code: 'ERR_BODY_LENGTH', facts: { expected: 500, received: 499 } });
    const long = upload.write({ begin: 0, end: 500 }, inPieces(share.subarray(0, 501)));
    await t.rejects(long, { code: 'ERR_BODY_LENGTH', facts: { expected: 500 } });
    const body = new HandFedBody();
    const failing = upload.write({ begin: 0, end: 500 }, body);
    body.feed(share.subarray(0, 300));
    body.fail(new Error('the line is gone'));
    await t.rejects(failing, { message: 'the line is gone' });
    await t.rejects(write(upload, 999, share.subarray(0, 2)), {
      code: 'ERR_BEYOND_ALLOCATION',
      facts: { allocatedSize: 1000 },
    });
    t.strictSame(await write(upload, 999, share.subarray(999)), left);
    t.ok((await write(upload, 0, share)).complete);
    sameBytes(t, await readShare(store, 0), share);
  });

  t.test('an upload in too many separate parts is refused the next part, not the ones that join', async (t) => {
    const store = await (await makeSubject(t)).open();
    const share = new Uint8Array(2 * UPLOAD_FRAGMENT_COUNT_MAX + 10);
    await allocate(store, [0], share.length);
    const upload = uploadOf(store, 0);
    for (let i = 0; i < UPLOAD_FRAGMENT_COUNT_MAX; i++) await write(upload, 2 * i, share.subarray(0, 1));
    await t.rejects(write(upload, 2 * UPLOAD_FRAGMENT_COUNT_MAX + 3, share.subarray(0, 1)), { code: 'ERR_TOO_MANY' });
    await write(upload, 1, share.subarray(0, 1));
    t.ok((await write(upload, 0, share)).complete);
  });
}

function concurrencySuite(makeSubject: MakeSubject): void {
  t.test('writes beside each other run together; writes to the same bytes take turns', async (t) => {
    const store = await (await makeSubject(t)).open();
    const share = seededBytes('share', 1000);
    await allocate(store, [0], share.length);
    const upload = uploadOf(store, 0);
    const slow = new HandFedBody();
    const same = new HandFedBody();
    const first = upload.write({ begin: 0, end: 400 }, slow);
    const second = upload.write({ begin: 300, end: 600 }, same);
    t.strictSame((await write(upload, 600, share.subarray(600))).required, [{ begin: 0, end: 600 }]);
    await settle();
    t.strictSame([slow.begun, same.begun], [true, false]);
    slow.feed(share.subarray(0, 400));
    slow.end();
    t.strictSame((await first).required, [{ begin: 400, end: 600 }]);
    same.feed(share.subarray(300, 600));
    same.end();
    t.ok((await second).complete);
    sameBytes(t, await readShare(store, 0), share);
  });

  t.test('a write that fails gives its turn to the next; one that hangs does not hold it for ever', async (t) => {
    const subject = await makeSubject(t);
    const store = await subject.open();
    const share = seededBytes('share', 100);
    await allocate(store, [0], share.length);
    const upload = uploadOf(store, 0);
    const hanging = new HandFedBody();
    const first = upload.write(whole(100), hanging);
    const second = upload.write(whole(100), inPieces(share));
    await settle();
    subject.clock.advance(90_000);
    await t.rejects(second, { code: 'ERR_TIMEOUT' });
    const third = upload.write(whole(100), inPieces(share));
    hanging.fail(new Error('the line is gone'));
    await t.rejects(first, { message: 'the line is gone' });
    t.ok((await third).complete);
    sameBytes(t, await readShare(store, 0), share);
  });

  t.test('the same last bytes twice at once: both are told that the share is complete', async (t) => {
    const store = await (await makeSubject(t)).open();
    const share = seededBytes('share', 100);
    await allocate(store, [0], share.length);
    const upload = uploadOf(store, 0);
    const results = await Promise.allSettled([0, 1, 2].map(() => upload.write(whole(100), inPieces(share))));
    t.ok(results.some((result) => result.status === 'fulfilled' && result.value.complete));
    for (const result of results) {
      if (result.status === 'rejected') t.match(result.reason, { code: 'ERR_NO_SUCH_UPLOAD' });
      else t.ok(result.value.complete);
    }
    sameBytes(t, await readShare(store, 0), share);
  });

  t.test('allocations of one index at once share the numbers out', async (t) => {
    const store = await (await makeSubject(t)).open();
    const secrets = ['a', 'b', 'c', 'd'].map((name) => seededBytes(name, 20));
    const allocations = await Promise.all(secrets.map((secret) => allocate(store, [0, 1, 2], 10, { secret })));
    t.strictSame(allocations.flatMap(({ allocated }) => allocated).sort(), [0, 1, 2]);
  });
}

function endingSuite(makeSubject: MakeSubject): void {
  t.test('an aborted upload leaves its number free, also in the middle of a write', async (t) => {
    const store = await (await makeSubject(t)).open();
    const share = seededBytes('share', 100);
    await allocate(store, [0], share.length);
    const body = new HandFedBody();
    const writing = uploadOf(store, 0).write(whole(100), body);
    await settle();
    const upload = uploadOf(store, 0);
    await upload.abort();
    t.strictSame(await allocate(store, [0], 100, { secret: otherSecret }), { alreadyHave: [], allocated: [0] });
    body.feed(seededBytes('other', 100));
    body.end();
    await t.rejects(writing, { code: 'ERR_NO_SUCH_UPLOAD' });
    await t.rejects(write(upload, 0, share), { code: 'ERR_NO_SUCH_UPLOAD' });
    t.ok((await write(uploadOf(store, 0, otherSecret), 0, share)).complete);
    sameBytes(t, await readShare(store, 0), share);
  });

  t.test('an upload that nobody writes to for half an hour is aborted', async (t) => {
    const subject = await makeSubject(t);
    const store = await subject.open();
    const share = seededBytes('share', 100);
    await allocate(store, [0], share.length);
    subject.clock.advance(RESERVATION_IDLE_TIMEOUT_MS - 1);
    await write(uploadOf(store, 0), 0, share.subarray(0, 50));
    subject.clock.advance(UPLOAD_IDLE_TIMEOUT_MS - 1);
    const body = new HandFedBody();
    const writing = uploadOf(store, 0).write({ begin: 50, end: 51 }, body);
    subject.clock.advance(2 * UPLOAD_IDLE_TIMEOUT_MS);
    await settle();
    t.equal((await store.figures()).uploadCount, 1, 'not while a body arrives');
    body.feed(share.subarray(50, 51));
    body.end();
    await writing;
    subject.clock.advance(UPLOAD_IDLE_TIMEOUT_MS - 1);
    t.equal(typeof store.upload({ storageIndex, shareNumber: 0, uploadSecret }), 'object');
    subject.clock.advance(1);
    while ((await store.figures()).uploadCount > 0) await settle(1);
    t.strictSame(await allocate(store, [0], 100, { secret: otherSecret }), { alreadyHave: [], allocated: [0] });
  });

  t.test('a reservation that hardly anything is written to returns earlier', async (t) => {
    const subject = await makeSubject(t);
    const store = await subject.open();
    await allocate(store, [0], 1000);
    await write(uploadOf(store, 0), 0, seededBytes('share', 10));
    subject.clock.advance(RESERVATION_IDLE_TIMEOUT_MS - 1);
    t.equal((await store.figures()).uploadCount, 1);
    subject.clock.advance(1);
    while ((await store.figures()).uploadCount > 0) await settle(1);
  });

  t.test('closing ends all uploads; the next store begins without them and has the shares', async (t) => {
    const subject = await makeSubject(t);
    const store = await subject.open();
    await store1(store, 0, seededBytes('share', 100));
    await allocate(store, [1], 100);
    const upload = uploadOf(store, 1);
    await write(upload, 0, seededBytes('part', 50));
    await store.close();
    await store.close();
    t.equal(subject.clock.pending, 0, 'no timer is left');
    await t.rejects(write(upload, 50, seededBytes('part', 50)), { code: 'ERR_NO_SUCH_UPLOAD' });
    await t.rejects(allocate(store, [2], 10), { code: 'ERR_STORE_READONLY' });
    const next = await subject.open();
    t.strictSame(await allocate(next, [1], 100), { alreadyHave: [0], allocated: [1] });
    sameBytes(t, await readShare(next, 0), seededBytes('share', 100));
  });

  t.test('reading gives what is there and nothing behind the end', async (t) => {
    const store = await (await makeSubject(t)).open();
    const bytes = seededBytes('share', 1000);
    await store1(store, 3, bytes);
    const share = await store.openShare(storageIndex, 3);
    if (share === undefined) throw new Error('the share is not there');
    t.equal(share.size, 1000);
    sameBytes(t, await share.read(10, 20), bytes.subarray(10, 30));
    sameBytes(t, await share.read(990, 200), bytes.subarray(990), 'the lease behind it is not read');
    sameBytes(t, await share.read(1000, 10), new Uint8Array(0));
    sameBytes(t, await share.read(5000, 10), new Uint8Array(0));
    await share.close();
    t.equal(await store.openShare(storageIndex, 4), undefined);
    t.equal(await store.openShare(otherIndex, 3), undefined);
  });
}

function reportSuite(makeSubject: MakeSubject): void {
  t.test('a report about a share that is here is kept, any other is not', async (t) => {
    const subject = await makeSubject(t);
    const store = await subject.open();
    await store1(store, 5, seededBytes('share', 10));
    await allocate(store, [6], 10);
    const report = { storageIndex, shareNumber: 5, reason: 'the hash of block 3 is wrong\nand more' };
    t.equal(await store.reportCorruption(report), true);
    t.equal(await store.reportCorruption({ ...report, shareNumber: 6 }), false, 'still an upload');
    t.equal(await store.reportCorruption({ ...report, shareNumber: 7 }), false);
    t.equal(await store.reportCorruption({ ...report, storageIndex: otherIndex }), false);
    t.strictSame(
      [...(await subject.advisories())],
      [
        [
          '2023-11-14T221320.000000--7tjnnkwo7myor7tdvbh32ise5e-5',
          'report: Share Corruption\ntype: immutable\nstorage_index: 7tjnnkwo7myor7tdvbh32ise5e\nshare_number: 5\n\n' +
            'the hash of block 3 is wrong\nand more\n\n',
        ],
      ],
    );
  });

  t.test('no more reports are kept than there is room for', async (t) => {
    const subject = await makeSubject(t);
    let free = 1000;
    const store = await subject.open({ freeBytes: () => Promise.resolve(free) });
    await store1(store, 5, seededBytes('share', 10));
    const report = { storageIndex, shareNumber: 5, reason: 'damaged' };
    free = 10;
    t.equal(await store.reportCorruption(report), true);
    t.equal((await subject.advisories()).size, 0);
    free = 1000;
    for (let i = 0; i < ADVISORY_COUNT_MAX + 2; i++) {
      subject.clock.advance(1);
      await store.reportCorruption(report);
    }
    t.equal((await subject.advisories()).size, ADVISORY_COUNT_MAX);
  });
}
