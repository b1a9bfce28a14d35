/** What bounds mutable shares in every store: room, sizes, gaps, replies, and damage of one share. */
import t from 'tap';
import type { Test } from 'tap';
import { utf8 } from '#core/bytes.js';
import { GAP_SIZE_MAX, MUTABLE_DATA_SIZE_MAX, READ_REPLY_SIZE_MAX } from '#storage/share-store.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { readMutable, readTestWrite, slotRequest, vectors, writeMutable } from '#test/fixtures/mutable-store.js';
import { containerOf, fromText, mutableVectors } from '#test/fixtures/mutable-vectors.js';
import { leaseSecrets, sameBytes, sorted, storageIndex } from '#test/fixtures/share-store.js';
import type { MakeSubject } from './share-store.js';

const data = seededBytes('data', 1000);

/** Runs every test of limits. */
export function mutableLimitSuite(makeSubject: MakeSubject): void {
  roomSuite(makeSubject);
  sizeSuite(makeSubject);
  damageSuite(makeSubject);
}

function roomSuite(makeSubject: MakeSubject): void {
  t.test('a store that is readonly lets shares change, shrink and go, and not grow', async (t) => {
    const subject = await makeSubject(t);
    const before = await subject.open();
    await writeMutable(before, [0, 1], data);
    await before.close();
    const store = await subject.open({ readonly: true });
    await t.rejects(writeMutable(store, [2], data), { code: 'ERR_NO_SPACE' });
    const grow = { writes: [{ offset: 999, data: utf8('xy') }] };
    await t.rejects(readTestWrite(store, { 0: { newLength: 5 }, 1: grow }), { code: 'ERR_NO_SPACE' });
    sameBytes(t, await readMutable(store, 0), data, 'not a part of it is done');
    await writeMutable(store, [0], utf8('changed'));
    await readTestWrite(store, { 0: { newLength: 7 }, 1: { newLength: 0 } });
    sameBytes(t, await readMutable(store, 0), utf8('changed'));
    t.strictSame(sorted(await store.listMutable(storageIndex)), [0]);
    await writeMutable(store, [0], data);
    sameBytes(t, await readMutable(store, 0), data, 'the container kept its room');
  });

  t.test('what grows fits beside the reserve and the uploads, all shares together', async (t) => {
    const subject = await makeSubject(t);
    const size = 472 + 1000;
    const freeBytes = (): Promise<number> => Promise.resolve(2 * size + 50);
    const store = await subject.open({ reservedSpace: 50, freeBytes });
    await t.rejects(writeMutable(store, [0, 1, 2], data), { code: 'ERR_NO_SPACE' });
    t.strictSame(sorted(await store.listMutable(storageIndex)), []);
    await writeMutable(store, [0, 1], data);
    await t.rejects(writeMutable(store, [2], new Uint8Array(2 * size)), { code: 'ERR_NO_SPACE' });
    t.equal((await store.figures()).availableSpace, 2 * size, 'nothing stays set aside');
  });
}

function sizeSuite(makeSubject: MakeSubject): void {
  const refused = async (t: Test, makeStore: MakeSubject, offset: number, size: number): Promise<void> => {
    const store = await (await makeStore(t)).open();
    await writeMutable(store, [0], data);
    for (const shareNumber of [0, 1]) {
      const writes = [{ offset, data: new Uint8Array(size) }];
      const request = readTestWrite(store, { [shareNumber]: { writes } });
      await t.rejects(request, { code: 'ERR_TOO_LARGE' }, `${String(size)} bytes at ${String(offset)}`);
    }
    sameBytes(t, await readMutable(store, 0), data);
    t.strictSame(sorted(await store.listMutable(storageIndex)), [0]);
  };

  t.test('offsets and gaps are refused before anything is spent on them', async (t) => {
    await refused(t, makeSubject, MUTABLE_DATA_SIZE_MAX, 1);
    await refused(t, makeSubject, MUTABLE_DATA_SIZE_MAX, 0);
    await refused(t, makeSubject, Number.MAX_SAFE_INTEGER, 1);
    await refused(t, makeSubject, GAP_SIZE_MAX + 1001, 1);
    await refused(t, makeSubject, 3 * 2 ** 30, 1);
  });

  t.test('a gap that may be is zeros, whatever stood there', async (t) => {
    const store = await (await makeSubject(t)).open();
    await writeMutable(store, [0], data);
    await readTestWrite(store, { 0: { newLength: 10 } });
    await readTestWrite(store, { 0: { writes: [{ offset: 3 << 20, data: utf8('end') }] } });
    const found = (await readMutable(store, 0)) ?? new Uint8Array();
    t.equal(found.length, (3 << 20) + 3);
    sameBytes(t, found.subarray(0, 10), data.subarray(0, 10));
    sameBytes(t, found.subarray(3 << 20), utf8('end'));
    t.notOk(found.subarray(10, 3 << 20).some((byte) => byte !== 0));
  });

  t.test('reads are clipped to what is there, and their sum is bounded', async (t) => {
    const store = await (await makeSubject(t)).open();
    await writeMutable(store, [0, 1], data);
    const reads = Array.from({ length: 30 }, () => ({ offset: 0, size: 2 ** 31 }));
    const { data: read } = await store.readTestWrite(slotRequest(vectors({}, reads)));
    t.strictSame(
      [...read].map(([shareNumber, pieces]) => [shareNumber, pieces.length, pieces[29]?.length]),
      [
        [0, 30, 1000],
        [1, 30, 1000],
      ],
    );
    await writeMutable(store, [2], new Uint8Array(3 << 20));
    t.ok(30 * (3 << 20) > READ_REPLY_SIZE_MAX);
    await t.rejects(store.readTestWrite(slotRequest(vectors({ 0: { newLength: 0 } }, reads))), {
      code: 'ERR_TOO_LARGE',
    });
    sameBytes(t, await readMutable(store, 0), data, 'and then nothing is written');
    const admitted: number[] = [];
    const admitRead = (size: number): void => void admitted.push(size);
    await store.readTestWrite({ ...slotRequest(vectors({}, [{ offset: 0, size: 10 }])), admitRead });
    t.strictSame(admitted, [30]);
  });
}

function damageSuite(makeSubject: MakeSubject): void {
  const file = containerOf(2, 'seven leases');
  const writer = { writeEnabler: fromText(mutableVectors.writeEnabler), ...leaseSecrets('writer') };

  t.test('a mutable share that is damaged hides none of its siblings, and its number can be had again', async (t) => {
    const subject = await makeSubject(t);
    const store = await subject.open();
    const flipped = file.slice();
    flipped[30] = 0;
    const inverted = file.slice();
    inverted[92] = 0xff;
    const overlapping = file.slice();
    overlapping[98] = 0;
    for (const damaged of [
      new Uint8Array(0),
      file.slice(0, 31),
      file.slice(0, 467),
      file.slice(0, 472),
      flipped,
      inverted,
      overlapping,
    ]) {
      await subject.place(storageIndex, 0, file);
      await subject.place(storageIndex, 1, damaged);
      t.strictSame(sorted(await store.listMutable(storageIndex)), [0]);
      sameBytes(t, await readMutable(store, 0), utf8('hello'));
      await t.rejects(readMutable(store, 1), { code: 'ERR_CONTAINER' });
      t.equal(await store.addLease(storageIndex, leaseSecrets('writer')), true);
      const reads = [{ offset: 0, size: 5 }];
      const { data: read } = await store.readTestWrite(slotRequest(vectors({}, reads), writer));
      t.strictSame(read, new Map([[0, [utf8('hello')]]]));
      const tests = [{ offset: 0, size: 1, specimen: new Uint8Array(0) }];
      const { success } = await readTestWrite(store, { 1: { tests, writes: [{ offset: 0, data }] } }, writer);
      t.ok(success, 'it counts as missing');
      sameBytes(t, await readMutable(store, 1), data);
      subject.clock.advance(1);
    }
    await subject.place(storageIndex, 1, new Uint8Array(0));
    await readTestWrite(store, { 1: { newLength: 0 } }, writer);
    t.equal(await subject.raw(storageIndex, 1), undefined, 'what is removed is kept for the operator');
    t.equal((await subject.quarantined()).size, 8);
  });

  t.test('a bit flipped anywhere in the header and the leases harms that share alone', async (t) => {
    const subject = await makeSubject(t);
    const store = await subject.open();
    await subject.place(storageIndex, 0, file);
    for (let bit = 0; bit < 8 * file.length; bit += 17) {
      const flipped = file.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await subject.place(storageIndex, 1, flipped);
      t.ok((await store.listMutable(storageIndex)).has(0));
      const read = await readMutable(store, 1).catch((error: unknown) => error);
      if (read instanceof Error) t.match(read, { code: 'ERR_CONTAINER' });
      else t.ok(read === undefined || (read instanceof Uint8Array && read.length <= file.length));
      t.ok(await store.addLease(storageIndex, leaseSecrets('writer')));
    }
  });
}
