/** What every share store does about leases. */
import t from 'tap';
import { concat } from '#core/bytes.js';
import { CONTAINER_HEADER_SIZE, decodeContainerShape, decodeLease, LEASE_RECORD_SIZE } from '#storage/container.js';
import type { LeaseRecord } from '#storage/container.js';
import { LEASE_DURATION_SECONDS } from '#storage/leases.js';
import { crypto, seededBytes } from '#test/fixtures/crypto.js';
import {
  allocate,
  leaseSecrets,
  otherIndex,
  readShare,
  storageIndex,
  store1,
  sameBytes,
} from '#test/fixtures/share-store.js';
import type { StoreSubject } from '#test/fixtures/share-store.js';
import type { MakeSubject } from './share-store.js';

const share = seededBytes('share', 100);
const DAY_MS = 24 * 3600 * 1000;

/** The leases in a share's file, read without the store. */
async function leasesOf(subject: StoreSubject, shareNumber: number): Promise<LeaseRecord[]> {
  const file = await subject.raw(storageIndex, shareNumber);
  if (file === undefined) throw new Error('there is no such file');
  const { leaseCount, leaseOffset } = decodeContainerShape(file, file.length);
  return Array.from({ length: leaseCount }, (_, i) => decodeLease(file.subarray(leaseOffset + i * LEASE_RECORD_SIZE)));
}

function expiryAt(nowMs: number): number {
  return Math.floor(nowMs / 1000) + LEASE_DURATION_SECONDS;
}

/** Runs every test of leases. */
export function leaseSuite(makeSubject: MakeSubject): void {
  t.test('a new share is a container of version 2 with one lease, its secrets hashed', async (t) => {
    const subject = await makeSubject(t);
    const store = await subject.open();
    await store1(store, 0, share);
    const file = (await subject.raw(storageIndex, 0)) ?? new Uint8Array();
    t.strictSame(file.subarray(0, CONTAINER_HEADER_SIZE), Uint8Array.of(0, 0, 0, 2, 0, 0, 0, 100, 0, 0, 0, 1));
    t.strictSame(file.subarray(CONTAINER_HEADER_SIZE, CONTAINER_HEADER_SIZE + 100), share);
    t.equal(file.length, CONTAINER_HEADER_SIZE + 100 + LEASE_RECORD_SIZE);
    t.strictSame(await leasesOf(subject, 0), [
      {
        ownerNumber: 0,
        renewSecret: crypto.blake2b256(leaseSecrets('first').renewSecret),
        cancelSecret: crypto.blake2b256(leaseSecrets('first').cancelSecret),
        expirySeconds: expiryAt(subject.clock.nowMs()),
      },
    ]);
  });

  t.test('the same renew secret renews, another adds; an end never moves backwards', async (t) => {
    const subject = await makeSubject(t);
    const store = await subject.open();
    await store1(store, 0, share);
    await store1(store, 1, share);
    subject.clock.advance(DAY_MS);
    t.equal(await store.addLease(storageIndex, leaseSecrets('first')), true);
    t.equal(await store.addLease(storageIndex, leaseSecrets('second')), true);
    const later = expiryAt(subject.clock.nowMs());
    for (const shareNumber of [0, 1]) {
      t.match(await leasesOf(subject, shareNumber), [
        { ownerNumber: 0, expirySeconds: later },
        { ownerNumber: 1, expirySeconds: later, renewSecret: crypto.blake2b256(leaseSecrets('second').renewSecret) },
      ]);
    }
    subject.clock.advance(-10 * DAY_MS);
    await store.addLease(storageIndex, leaseSecrets('second'));
    t.match(await leasesOf(subject, 0), [{ expirySeconds: later }, { expirySeconds: later }]);
    sameBytes(t, await readShare(store, 0), share);
    t.equal(await store.addLease(otherIndex, leaseSecrets('first')), false);
  });

  t.test('allocating leases every share that is here', async (t) => {
    const subject = await makeSubject(t);
    const store = await subject.open();
    await store1(store, 0, share);
    await allocate(store, [5], 10, { seed: 'second' });
    t.match(await leasesOf(subject, 0), [{ ownerNumber: 0 }, { ownerNumber: 0 }]);
  });

  t.test('many at once all stay', async (t) => {
    const subject = await makeSubject(t);
    const store = await subject.open();
    await store1(store, 0, share);
    const seeds = Array.from({ length: 20 }, (_, i) => `lease ${String(i)}`);
    await Promise.all(seeds.map((seed) => store.addLease(storageIndex, leaseSecrets(seed))));
    const kept = (await leasesOf(subject, 0)).map(({ renewSecret }) => Buffer.from(renewSecret).toString('hex'));
    const given = ['first', ...seeds].map((seed) => crypto.blake2b256(leaseSecrets(seed).renewSecret));
    t.strictSame(kept.sort(), given.map((secret) => Buffer.from(secret).toString('hex')).sort());
  });

  t.test('a container of version 1 stays one: its secrets are in clear', async (t) => {
    const subject = await makeSubject(t);
    const { cancelSecret, renewSecret } = leaseSecrets('old');
    const header = Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 100, 0, 0, 0, 1);
    const lease = concat(new Uint8Array(4), renewSecret, cancelSecret, Uint8Array.of(0, 0, 0, 9));
    await subject.place(storageIndex, 0, concat(header, share, lease));
    const store = await subject.open();
    await store.addLease(storageIndex, leaseSecrets('old'));
    await store.addLease(storageIndex, leaseSecrets('new'));
    const expirySeconds = expiryAt(subject.clock.nowMs());
    t.strictSame(await leasesOf(subject, 0), [
      { ownerNumber: 0, renewSecret, cancelSecret, expirySeconds },
      { ownerNumber: 1, ...leaseSecrets('new'), expirySeconds },
    ]);
    t.equal((await subject.raw(storageIndex, 0))?.[3], 1);
    sameBytes(t, await readShare(store, 0), share);
  });

  t.test('a full or readonly store renews, but has no room for another lease', async (t) => {
    const subject = await makeSubject(t);
    const before = await subject.open();
    await store1(before, 0, share);
    await before.close();
    subject.clock.advance(DAY_MS);
    for (const options of [{ readonly: true }, { freeBytes: () => Promise.resolve(LEASE_RECORD_SIZE - 1) }]) {
      const store = await subject.open(options);
      t.equal(await store.addLease(storageIndex, leaseSecrets('first')), true);
      await t.rejects(store.addLease(storageIndex, leaseSecrets('second')), { code: 'ERR_NO_SPACE' });
      await t.rejects(allocate(store, [1], 10, { seed: 'second' }), { code: 'ERR_NO_SPACE' });
      t.match(await leasesOf(subject, 0), [{ expirySeconds: expiryAt(subject.clock.nowMs()) }]);
      await store.close();
    }
  });
}
