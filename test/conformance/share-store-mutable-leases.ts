/** What every share store does about leases on mutable shares: the same bytes as the reference, and none lost. */
import t from 'tap';
import { utf8 } from '#core/bytes.js';
import { LEASE_DURATION_SECONDS } from '#storage/leases.js';
import { decodeLeaseSlots, MUTABLE_LEASE_SIZE, wholeExtraLeases } from '#storage/mutable-container.js';
import { LEASE_COUNT_MAX } from '#storage/share-store.js';
import type { ShareStore } from '#storage/share-store.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { readMutable, readTestWrite, writeMutable } from '#test/fixtures/mutable-store.js';
import { containerOf, counting, fromText, mutableVectors } from '#test/fixtures/mutable-vectors.js';
import { allocate, leaseSecrets, sameBytes, storageIndex, store1 } from '#test/fixtures/share-store.js';
import type { StoreSubject } from '#test/fixtures/share-store.js';
import type { MakeSubject } from './share-store.js';

const REFERENCE_NOW = 1_700_000_000;
const nodeId = fromText(mutableVectors.nodeId);
const referenceEnabler = fromText(mutableVectors.writeEnabler);

/** Adds the lease that the reference's container has as number `n`, or renews it until `expiry`. */
async function addReferenceLease(subject: StoreSubject, store: ShareStore, n: number, expiry?: number): Promise<void> {
  const seconds = (expiry ?? REFERENCE_NOW + 1000 * n) - LEASE_DURATION_SECONDS;
  subject.clock.advance(seconds * 1000 - subject.clock.nowMs());
  await store.addLease(storageIndex, { renewSecret: counting(n), cancelSecret: counting(n + 32) });
}

async function rawOf(subject: StoreSubject, shareNumber = 0): Promise<Uint8Array> {
  return (await subject.raw(storageIndex, shareNumber)) ?? new Uint8Array();
}

/** How many leases a file has. */
function leaseCount(file: Uint8Array): number {
  const extraOffset = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(92));
  const slots = decodeLeaseSlots(file, wholeExtraLeases(file.subarray(extraOffset)));
  return slots.filter((lease) => lease !== undefined).length;
}

/** Runs every test of leases on mutable shares. */
export function mutableLeaseSuite(makeSubject: MakeSubject): void {
  for (const version of [1, 2] as const) {
    t.test(`leases on a container of version ${String(version)}, as the reference keeps them`, async (t) => {
      const subject = await makeSubject(t);
      const store = await subject.open({ nodeId });
      const same = async (what: string): Promise<void> => {
        sameBytes(t, await rawOf(subject), containerOf(version, what), what);
      };
      await subject.place(storageIndex, 0, containerOf(version, 'five bytes'));
      for (const n of [1, 2, 3, 4]) await addReferenceLease(subject, store, n);
      await same('four leases');
      for (const n of [5, 6, 7]) await addReferenceLease(subject, store, n);
      await same('seven leases');
      await subject.place(storageIndex, 0, containerOf(version, 'two leases cancelled'));
      for (const n of [20, 21, 22]) await addReferenceLease(subject, store, n);
      await same('three leases more');
      for (const n of [1, 21]) await addReferenceLease(subject, store, n, REFERENCE_NOW + 9_000_000);
      await same('two renewed');
      await addReferenceLease(subject, store, 1, REFERENCE_NOW);
      await same('two renewed');
    });

    t.test(`writes to a container of version ${String(version)}, as the reference does them`, async (t) => {
      const subject = await makeSubject(t);
      const store = await subject.open({ nodeId });
      // The lease of the writer is held already and ends later, so that nothing but the data changes.
      const writer = { writeEnabler: referenceEnabler, renewSecret: counting(7), cancelSecret: counting(39) };
      subject.clock.advance((REFERENCE_NOW - 2 * LEASE_DURATION_SECONDS) * 1000 - subject.clock.nowMs());
      const wanted = ['grown over the lease block', 'cut to seven', 'grown inside the container'];
      const given = [
        { writes: [{ offset: 10, data: utf8('behind a hole') }] },
        { newLength: 7 },
        { writes: [{ offset: 12, data: utf8('again') }] },
      ];
      await subject.place(storageIndex, 0, containerOf(version, 'seven leases'));
      for (const [i, each] of given.entries()) {
        await readTestWrite(store, { 0: each }, writer);
        sameBytes(t, await rawOf(subject), containerOf(version, wanted[i] ?? ''), wanted[i]);
      }
    });
  }

  t.test('a write renews the lease of its secret or adds one, and loses none', async (t) => {
    const subject = await makeSubject(t);
    const store = await subject.open();
    for (let i = 0; i < 9; i++) {
      const data = seededBytes('data', 100 * (9 - Math.abs(i - 4)));
      await writeMutable(store, [0, 1], data, leaseSecrets(`lease ${String(i)}`));
      t.strictSame([leaseCount(await rawOf(subject, 0)), leaseCount(await rawOf(subject, 1))], [i + 1, i + 1]);
    }
    await writeMutable(store, [0], seededBytes('data', 5), leaseSecrets('lease 3'));
    t.equal(leaseCount(await rawOf(subject)), 9);
  });

  t.test('leases for an index reach its shares of both types', async (t) => {
    const subject = await makeSubject(t);
    const store = await subject.open();
    await store1(store, 0, seededBytes('share', 10));
    await writeMutable(store, [1], utf8('data'));
    const told = subject.events.length;
    t.equal(await store.addLease(storageIndex, leaseSecrets('second')), true);
    t.equal(leaseCount(await rawOf(subject, 1)), 2);
    await allocate(store, [5], 10, { seed: 'third' });
    t.equal(leaseCount(await rawOf(subject, 1)), 3, 'also when a share is allocated beside it');
    t.strictSame(
      subject.events.slice(told).map(({ kind, shareNumber }) => [kind, shareNumber]),
      [0, 1, 0, 1].map((shareNumber) => ['leased', shareNumber]),
    );
  });

  t.test('a fifth lease takes room, which may not be there', async (t) => {
    const subject = await makeSubject(t);
    let free = 100_000;
    const store = await subject.open({ freeBytes: () => Promise.resolve(free) });
    await writeMutable(store, [0], utf8('data'), leaseSecrets('0'));
    free = MUTABLE_LEASE_SIZE - 1;
    for (const seed of ['1', '2', '3']) await store.addLease(storageIndex, leaseSecrets(seed));
    const before = await rawOf(subject);
    await t.rejects(store.addLease(storageIndex, leaseSecrets('4')), { code: 'ERR_NO_SPACE' });
    await t.rejects(writeMutable(store, [0], utf8('DATA'), leaseSecrets('4')), { code: 'ERR_NO_SPACE' });
    t.strictSame(await rawOf(subject), before);
    await writeMutable(store, [0], utf8('DATA'), leaseSecrets('3'));
    sameBytes(t, await readMutable(store, 0), utf8('DATA'), 'whoever has a lease writes on');
  });

  t.test('a share has no more leases than there may be', async (t) => {
    const subject = await makeSubject(t);
    const store = await subject.open();
    const file = containerOf(2, 'four leases');
    const count = LEASE_COUNT_MAX - 4;
    const full = new Uint8Array(file.length + count * MUTABLE_LEASE_SIZE);
    full.set(file);
    new DataView(full.buffer).setUint32(file.length - 4, count);
    for (let i = 0; i < count; i++) full[file.length + i * MUTABLE_LEASE_SIZE + 3] = 1;
    await subject.place(storageIndex, 0, full);
    await t.rejects(store.addLease(storageIndex, leaseSecrets('more')), { code: 'ERR_TOO_MANY' });
    t.equal(leaseCount(await rawOf(subject)), LEASE_COUNT_MAX);
  });

  t.test('extra leases that were cut off are lost alone', async (t) => {
    const subject = await makeSubject(t);
    const store = await subject.open();
    const file = containerOf(2, 'seven leases');
    for (let size = 473; size < file.length; size += 13) {
      await subject.place(storageIndex, 0, file.slice(0, size));
      sameBytes(t, await readMutable(store, 0), utf8('hello'), `cut to ${String(size)}`);
      await store.addLease(storageIndex, leaseSecrets('more'));
      const left = Math.max(0, Math.floor((size - 477) / MUTABLE_LEASE_SIZE));
      t.equal(leaseCount(await rawOf(subject)), 4 + left + 1);
      await readTestWrite(
        store,
        { 0: { writes: [{ offset: 900, data: utf8('far') }] } },
        { writeEnabler: referenceEnabler },
      );
      t.equal(leaseCount(await rawOf(subject)), 4 + left + 2);
    }
  });
}
