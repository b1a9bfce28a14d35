/** What every share store does when the files it finds are damaged, foreign or half-written. */
import fc from 'fast-check';
import t from 'tap';
import type { Test } from 'tap';
import { concat } from '#core/bytes.js';
import { CONTAINER_HEADER_SIZE, LEASE_RECORD_SIZE } from '#storage/container.js';
import { MUTABLE_LEASE_SIZE } from '#storage/mutable-container.js';
import type { ShareStore } from '#storage/share-store.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { readMutable, writeMutable } from '#test/fixtures/mutable-store.js';
import { containerOf } from '#test/fixtures/mutable-vectors.js';
import {
  allocate,
  leaseSecrets,
  otherIndex,
  readShare,
  sorted,
  storageIndex,
  store1,
  uploadOf,
  write,
  sameBytes,
} from '#test/fixtures/share-store.js';
import type { StoreSubject } from '#test/fixtures/share-store.js';
import type { MakeSubject } from './share-store.js';

const share = seededBytes('share', 40);
const SHARE_FILE_SIZE = CONTAINER_HEADER_SIZE + share.length + LEASE_RECORD_SIZE;

/** A store with a sound share 0, and the bytes of its file. */
async function prepare(subject: StoreSubject): Promise<{ store: ShareStore; file: Uint8Array }> {
  const store = await subject.open();
  await store1(store, 0, share);
  return { store, file: (await subject.raw(storageIndex, 0)) ?? new Uint8Array() };
}

/** The numbers of the shares that are opened for a visit, each of which can be read. */
async function visited(store: ShareStore): Promise<number[]> {
  const numbers: number[] = [];
  await store.visitShares(storageIndex, 'immutable', async (opened, shareNumber) => {
    if ((await opened.read(0, opened.size)).length === opened.size) numbers.push(shareNumber);
  });
  return numbers;
}

/** Share 1 is of no use: its sibling is untouched, and it can be uploaded again. */
async function checkDamaged(t: Test, store: ShareStore, what: string): Promise<void> {
  t.strictSame(sorted(await store.listShares(storageIndex)), [0], `listed: ${what}`);
  t.strictSame(await visited(store), [0], `visited: ${what}`);
  t.equal(await store.addLease(storageIndex, leaseSecrets('first')), true);
  await t.rejects(readShare(store, 1), { code: 'ERR_CONTAINER' }, `read: ${what}`);
  sameBytes(t, await readShare(store, 0), share);
  t.strictSame(await allocate(store, [0, 1], share.length), { alreadyHave: [0], allocated: [1] });
  await write(uploadOf(store, 1), 0, share);
  sameBytes(t, await readShare(store, 1), share, `uploaded again: ${what}`);
}

/** Runs every test of damage. */
export function damageSuite(makeSubject: MakeSubject): void {
  t.test('a share file cut at any length is damaged or whole, never more', async (t) => {
    const subject = await makeSubject(t);
    const { file, store } = await prepare(subject);
    t.equal(file.length, SHARE_FILE_SIZE);
    for (let size = 0; size < file.length; size++) {
      await subject.place(storageIndex, 1, file.slice(0, size));
      if (size < CONTAINER_HEADER_SIZE + share.length) await checkDamaged(t, store, `${String(size)} bytes`);
      else sameBytes(t, await readShare(store, 1), share, 'only the lease is cut');
    }
  });

  t.test('garbage and unknown versions are damage', async (t) => {
    const subject = await makeSubject(t);
    const { file, store } = await prepare(subject);
    const garbage = fc.uint8Array({ minLength: 0, maxLength: 300 }).filter((bytes) => (bytes[3] ?? 0) > 2);
    const samples = fc.sample(garbage, { numRuns: 30, seed: 1 });
    for (const bytes of [...samples, concat(Uint8Array.of(0, 0, 0, 3), file.subarray(4)), new Uint8Array(200)]) {
      await subject.place(storageIndex, 1, bytes);
      await checkDamaged(t, store, Buffer.from(bytes).toString('hex'));
    }
  });

  t.test('a bit flipped anywhere harms that share alone', async (t) => {
    const subject = await makeSubject(t);
    const { file, store } = await prepare(subject);
    for (let bit = 0; bit < 8 * CONTAINER_HEADER_SIZE; bit++) {
      const flipped = file.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await subject.place(storageIndex, 1, flipped);
      t.ok((await store.listShares(storageIndex)).has(0));
      t.ok(await store.addLease(storageIndex, leaseSecrets('first')));
      sameBytes(t, await readShare(store, 0), share);
      const read = await readShare(store, 1).catch((error: unknown) => error);
      if (read instanceof Error) t.match(read, { code: 'ERR_CONTAINER' });
      else t.ok(read instanceof Uint8Array && read.length <= SHARE_FILE_SIZE);
    }
  });

  t.test('a lease that was being added when the machine stopped is not data', async (t) => {
    const subject = await makeSubject(t);
    const { file, store } = await prepare(subject);
    for (const torn of [concat(file, new Uint8Array(LEASE_RECORD_SIZE)), concat(file, new Uint8Array(30))]) {
      await subject.place(storageIndex, 1, torn);
      sameBytes(t, await readShare(store, 1), share);
      await store.addLease(storageIndex, leaseSecrets('second'));
      t.strictSame((await subject.raw(storageIndex, 1))?.length, SHARE_FILE_SIZE + LEASE_RECORD_SIZE);
      sameBytes(t, await readShare(store, 1), share);
    }
    const counted = file.slice();
    counted[11] = 2;
    await subject.place(storageIndex, 1, counted);
    sameBytes(t, await readShare(store, 1), share);
  });

  t.test('a share of 4 GiB and more is as large as its file says', async (t) => {
    const subject = await makeSubject(t);
    const { store } = await prepare(subject);
    const saturated = concat(Uint8Array.of(0, 0, 0, 2, 255, 255, 255, 255, 0, 0, 0, 1), share, new Uint8Array(72));
    await subject.place(storageIndex, 1, saturated);
    await checkDamaged(t, store, 'a small file that says it is large');
  });

  t.test('a mutable share is no immutable one, and is not replaced by one', async (t) => {
    const subject = await makeSubject(t);
    const { store } = await prepare(subject);
    const mutable = containerOf(2, 'seven leases');
    await subject.place(storageIndex, 1, mutable);
    t.strictSame(sorted(await store.listShares(storageIndex)), [0]);
    t.equal(await readShare(store, 1), undefined);
    t.equal(await store.reportCorruption({ storageIndex, shareNumber: 1, reason: 'why' }), false);
    t.strictSame(await allocate(store, [1, 2], 10), { alreadyHave: [0], allocated: [2] });
    const found = (await subject.raw(storageIndex, 1)) ?? new Uint8Array();
    sameBytes(t, found.subarray(468, 473), mutable.subarray(468, 473), 'only a lease is added');
    t.equal(found.length, mutable.length + MUTABLE_LEASE_SIZE);
  });

  t.test('what is damaged and in the way goes to quarantine', async (t) => {
    const subject = await makeSubject(t);
    const { file, store } = await prepare(subject);
    const events = subject.events;
    await subject.place(storageIndex, 1, file.slice(0, 20));
    await allocate(store, [1], 10);
    await writeMutable(store, [2], share, { storageIndex: otherIndex });
    const cut = ((await subject.raw(otherIndex, 2)) ?? new Uint8Array()).slice(0, 480);
    await subject.place(otherIndex, 2, cut);
    t.strictSame(sorted(await store.listMutable(otherIndex)), []);
    await t.rejects(readMutable(store, 2, otherIndex), { code: 'ERR_CONTAINER' });
    await writeMutable(store, [2], share, { storageIndex: otherIndex });
    sameBytes(t, await readMutable(store, 2, otherIndex), share);
    const kept = [...(await subject.quarantined()).values()].map((bytes) => bytes.length).sort((a, b) => a - b);
    t.strictSame(kept, [20, 480], 'whole, as they were found');
    const told = events.filter(({ kind }) => kind === 'damaged' || kind === 'removed').map(({ kind }) => kind);
    t.strictSame(told, ['damaged', 'removed', 'damaged', 'removed'], 'damage is told once');
  });
}
