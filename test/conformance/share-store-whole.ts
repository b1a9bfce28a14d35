/** What every share store does with small shares that come as wholes. */
import t from 'tap';
import { seededBytes } from '#test/fixtures/crypto.js';
import { writeMutable } from '#test/fixtures/mutable-store.js';
import {
  allocate,
  leaseSecrets,
  otherIndex,
  readShare,
  sameBytes,
  sorted,
  storageIndex,
  store1,
  uploadOf,
  write,
} from '#test/fixtures/share-store.js';
import type { ShareStore } from '#storage/share-store.js';
import type { MakeSubject } from './share-store.js';

const share = seededBytes('whole share', 700);

/** Stores shares, all of the same bytes. */
async function store(
  into: ShareStore,
  shareNumbers: readonly number[],
  { bytes = share, index = storageIndex, seed = 'first', whereNone = false } = {},
): Promise<{ alreadyHave: number[]; stored: number[] }> {
  const shares = new Map(shareNumbers.map((shareNumber) => [shareNumber, bytes]));
  const request = { storageIndex: index, shares, whereNone, ...leaseSecrets(seed) };
  const { alreadyHave, stored } = await into.storeShares(request);
  return { alreadyHave: sorted(alreadyHave), stored: sorted(stored) };
}

/** Runs every test of whole shares. */
export function wholeShareSuite(makeSubject: MakeSubject): void {
  t.test('shares stored as wholes are the same files as uploaded ones', async (t) => {
    const subject = await makeSubject(t);
    const opened = await subject.open();
    t.strictSame(await store(opened, [0, 5, 255]), { alreadyHave: [], stored: [0, 5, 255] });
    await store1(opened, 0, share, otherIndex);
    sameBytes(t, await subject.raw(storageIndex, 5), (await subject.raw(otherIndex, 0)) ?? new Uint8Array(0));
    t.strictSame(sorted(await opened.listShares(storageIndex)), [0, 5, 255]);
    for (const shareNumber of [0, 5, 255]) sameBytes(t, await readShare(opened, shareNumber), share);
    t.strictSame(
      subject.events.slice(0, 3).map(({ kind, shareNumber }) => [kind, shareNumber]),
      [0, 5, 255].map((shareNumber) => ['added', shareNumber]),
    );
    await opened.close();
    const later = await subject.open();
    sameBytes(t, await readShare(later, 255), share);
    t.strictSame(await allocate(later, [5, 6], 700), { alreadyHave: [0, 5, 255], allocated: [6] });
  });

  t.test('what is here or being uploaded is not stored, and the others get a lease', async (t) => {
    const subject = await makeSubject(t);
    const opened = await subject.open();
    await store1(opened, 1, share);
    await allocate(opened, [2], 700);
    const before = await subject.raw(storageIndex, 1);
    const other = seededBytes('another', 700);
    t.strictSame(await store(opened, [1, 2, 3], { bytes: other, seed: 'second' }), { alreadyHave: [1], stored: [3] });
    sameBytes(t, await readShare(opened, 1), share);
    t.equal((await subject.raw(storageIndex, 1))?.length, (before?.length ?? 0) + 72, 'a second lease');
    await write(uploadOf(opened, 2), 0, share);
    sameBytes(t, await readShare(opened, 2), share);
    t.strictSame(await store(opened, [1, 2, 3]), { alreadyHave: [1, 2, 3], stored: [] });
    await writeMutable(opened, [4], share, { storageIndex: otherIndex });
    t.strictSame(await store(opened, [4], { index: otherIndex }), { alreadyHave: [], stored: [] });
  });

  t.test('only where there is none: what is held is said and leased, and nothing is stored', async (t) => {
    const subject = await makeSubject(t);
    const opened = await subject.open();
    const whereNone = true;
    await allocate(opened, [2], 700);
    const other = { whereNone, seed: 'second' };
    t.strictSame(await store(opened, [1, 2], other), { alreadyHave: [], stored: [1] }, 'an upload is no share');
    const before = await subject.raw(storageIndex, 1);
    t.strictSame(await store(opened, [3, 4], other), { alreadyHave: [1], stored: [] });
    t.equal((await subject.raw(storageIndex, 1))?.length, before?.length, 'the lease is renewed');
    t.strictSame(await store(opened, [3, 4], { whereNone }), { alreadyHave: [1], stored: [] });
    t.equal((await subject.raw(storageIndex, 1))?.length, (before?.length ?? 0) + 72, 'another is added');
    await write(uploadOf(opened, 2), 0, share);
    t.strictSame(await store(opened, [1, 3], { whereNone }), { alreadyHave: [1, 2], stored: [] });
    t.strictSame(sorted(await opened.listShares(storageIndex)), [1, 2]);
    await subject.place(otherIndex, 1, new Uint8Array(9));
    const damaged = { whereNone, index: otherIndex };
    t.strictSame(await store(opened, [5], damaged), { alreadyHave: [], stored: [5] }, 'a damaged one is none');
  });

  t.test('many want to be the first: one is', async (t) => {
    const subject = await makeSubject(t);
    const opened = await subject.open();
    const replies = await Promise.all([0, 1, 2, 3].map((number) => store(opened, [number], { whereNone: true })));
    t.strictSame(replies.map(({ stored }) => stored.length).sort(), [0, 0, 0, 1]);
    t.equal((await opened.listShares(storageIndex)).size, 1);
  });

  t.test('all of them fit beside the reserve, or none is stored', async (t) => {
    const subject = await makeSubject(t);
    const files = 3 * (12 + 700 + 72);
    const opened = await subject.open({ reservedSpace: 50, freeBytes: () => Promise.resolve(50 + files) });
    t.strictSame(await store(opened, [1, 2, 3, 4]), { alreadyHave: [], stored: [] });
    t.strictSame(await store(opened, [1, 2, 3]), { alreadyHave: [], stored: [1, 2, 3] });
    await opened.close();
    const readonly = await subject.open({ readonly: true });
    t.strictSame(await store(readonly, [3, 4]), { alreadyHave: [1, 2, 3], stored: [] });
  });

  t.test('a damaged share in the way goes to quarantine', async (t) => {
    const subject = await makeSubject(t);
    const opened = await subject.open();
    const damaged = new Uint8Array(9);
    await subject.place(storageIndex, 1, damaged);
    t.strictSame(await store(opened, [1, 2]), { alreadyHave: [], stored: [1, 2] });
    sameBytes(t, await readShare(opened, 1), share);
    t.strictSame([...(await subject.quarantined()).values()], [damaged]);
  });

  t.test('they may be read, leased and removed at once', async (t) => {
    const subject = await makeSubject(t);
    const opened = await subject.open();
    const indexes = Array.from({ length: 20 }, (_, i) => seededBytes(`index ${String(i)}`, 16));
    await Promise.all(
      indexes.map(async (index) => {
        await store(opened, [0, 1], { index });
        t.equal(await opened.addLease(index, leaseSecrets('second')), true);
        t.equal(await opened.removeShare(index, 0, () => Promise.resolve(true)), true);
        t.strictSame(await store(opened, [0, 1], { index }), { alreadyHave: [1], stored: [0] });
      }),
    );
    await opened.close();
    const later = await subject.open();
    for (const index of indexes) sameBytes(t, await readShare(later, 0, index), share);
  });
}
