/** What every share store does for those who look after it: lets go of shares, and puts damaged ones aside. */
import t from 'tap';
import { seededBytes } from '#test/fixtures/crypto.js';
import { readMutable, writeMutable } from '#test/fixtures/mutable-store.js';
import {
  allocate,
  otherIndex,
  readShare,
  sameBytes,
  sorted,
  storageIndex,
  store1,
  uploadOf,
  write,
} from '#test/fixtures/share-store.js';
import type { MakeSubject } from './share-store.js';

const share = seededBytes('share', 100);

/** Runs every test of upkeep. */
export function upkeepSuite(makeSubject: MakeSubject): void {
  t.test('a share is removed only if it is over at that moment, and its siblings stay', async (t) => {
    const subject = await makeSubject(t);
    const store = await subject.open();
    for (const shareNumber of [0, 1, 2]) await store1(store, shareNumber, share);
    await writeMutable(store, [0], share, { storageIndex: otherIndex });
    t.equal(await store.removeShare(storageIndex, 1, () => Promise.resolve(false)), false);
    t.equal(await store.removeShare(storageIndex, 1, () => Promise.resolve(true)), true);
    t.equal(await store.removeShare(otherIndex, 0, () => Promise.resolve(true)), true);
    await t.rejects(
      store.removeShare(storageIndex, 0, () => Promise.reject(new Error('unread'))),
      { message: 'unread' },
    );
    t.strictSame(sorted(await store.listShares(storageIndex)), [0, 2]);
    t.strictSame(sorted(await store.listMutable(otherIndex)), []);
    t.equal(await subject.raw(storageIndex, 1), undefined);
    t.strictSame(
      subject.events.filter(({ kind }) => kind === 'removed').map(({ shareNumber }) => shareNumber),
      [1, 0],
    );
    t.strictSame(await allocate(store, [1, 3], 5), { alreadyHave: [0, 2], allocated: [1, 3] });
    t.equal(await store.removeShare(storageIndex, 3, () => Promise.resolve(true)), false, 'not while it is uploaded');
    await write(uploadOf(store, 3), 0, seededBytes('new', 5));
    t.strictSame(sorted(await store.listShares(storageIndex)), [0, 2, 3]);
  });

  t.test('a damaged share is reported, put aside whole, and its number is free', async (t) => {
    const subject = await makeSubject(t);
    const store = await subject.open();
    for (const shareNumber of [0, 1]) await store1(store, shareNumber, share);
    const file = await subject.raw(storageIndex, 1);
    await store.setAside({ storageIndex, shareNumber: 1 }, 'bit rot');
    await store.setAside({ storageIndex, shareNumber: 9 }, 'not there');
    t.strictSame(sorted(await store.listShares(storageIndex)), [0]);
    const [kept, ...others] = [...(await subject.quarantined()).values()];
    t.equal(others.length, 0);
    sameBytes(t, kept ?? new Uint8Array(0), file ?? new Uint8Array(0));
    const reports = [...(await subject.advisories()).values()];
    t.equal(reports.length, 1);
    t.match(reports[0], /share_number: 1\n\nbit rot/);
    t.match(subject.events.slice(-2), [{ kind: 'damaged', reason: 'bit rot' }, { kind: 'removed' }]);
    await store1(store, 1, share);
    sameBytes(t, await readShare(store, 1), share);
    await writeMutable(store, [4], share, { storageIndex: otherIndex });
    await store.setAside({ storageIndex: otherIndex, shareNumber: 4 }, 'its header makes no sense');
    t.equal(await readMutable(store, 4, otherIndex), undefined);
    t.match([...(await subject.advisories()).values()].join(''), /type: mutable/);
  });

  t.test('a closed store lets nothing go', async (t) => {
    const store = await (await makeSubject(t)).open();
    await store1(store, 0, share);
    await store.close();
    await t.rejects(
      store.removeShare(storageIndex, 0, () => Promise.resolve(true)),
      { code: 'ERR_STORE_READONLY' },
    );
    await t.rejects(store.setAside({ storageIndex, shareNumber: 0 }, 'x'), { code: 'ERR_STORE_READONLY' });
  });
}
