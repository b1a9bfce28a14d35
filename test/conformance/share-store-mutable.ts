/** What every share store does with mutable shares: tests, reads, writes, and both types of share at one index. */
import fc from 'fast-check';
import t from 'tap';
import { equalBytes, utf8 } from '#core/bytes.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { readMutable, readTestWrite, slotRequest, vectors, writeMutable } from '#test/fixtures/mutable-store.js';
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

const old = utf8('the old data');
const nothing = new Uint8Array(0);

/** Runs every test of mutable shares but those of leases and limits. */
export function mutableSuite(makeSubject: MakeSubject): void {
  writingSuite(makeSubject);
  authoritySuite(makeSubject);
  concurrencySuite(makeSubject);
  kindSuite(makeSubject);
  largeSuite(makeSubject);
}

function writingSuite(makeSubject: MakeSubject): void {
  t.test('shares are made, read, written on, cut and removed', async (t) => {
    const subject = await makeSubject(t);
    const store = await subject.open();
    await writeMutable(store, [0, 3], old);
    t.strictSame(sorted(await store.listMutable(storageIndex)), [0, 3]);
    t.strictSame(sorted(await store.listMutable(otherIndex)), []);
    const visited = new Map<number, Uint8Array>();
    await store.visitShares(storageIndex, 'mutable', async (share, shareNumber) => {
      visited.set(shareNumber, await share.read(0, share.size));
    });
    t.strictSame([...visited.keys()], [0, 3], 'each is visited');
    for (const bytes of visited.values()) sameBytes(t, bytes, old);
    await store.visitShares(storageIndex, 'immutable', () => Promise.reject(new Error('that is none of these')));
    await readTestWrite(store, { 3: { writes: [{ offset: 4, data: utf8('new') }], newLength: 9 } });
    sameBytes(t, await readMutable(store, 3), utf8('the new d'));
    sameBytes(t, await readMutable(store, 0), old);
    await readTestWrite(store, {
      0: { writes: [{ offset: 0, data: utf8('lost') }], newLength: 0 },
      7: { newLength: 0 },
    });
    t.strictSame(sorted(await store.listMutable(storageIndex)), [3], 'what is removed is not written, or made');
    t.equal(await readMutable(store, 0), undefined);
    await readTestWrite(store, { 9: {} });
    sameBytes(t, await readMutable(store, 9), nothing, 'nothing written is a share without data');
    t.strictSame(
      subject.events.map((event) => `${event.kind} ${String(event.shareNumber)}`),
      ['added 0', 'added 3', 'written 3', 'removed 0', 'added 9'],
    );
  });

  t.test('tests go before reads and reads before writes; what fails changes nothing', async (t) => {
    const subject = await makeSubject(t);
    const store = await subject.open();
    await writeMutable(store, [0, 1], old);
    const changed = { writes: [{ offset: 0, data: utf8('THE') }] };
    const reads = [
      { offset: 0, size: 3 },
      { offset: 9, size: 100 },
      { offset: 50, size: 1 },
    ];
    const wanted = [utf8('the'), utf8('ata'), nothing];
    const both = new Map([
      [0, wanted],
      [1, wanted],
    ]);
    const failing = { ...changed, tests: [{ offset: 4, size: 3, specimen: utf8('new') }] };
    const refused = await store.readTestWrite(slotRequest(vectors({ 0: changed, 1: failing }, reads)));
    t.strictSame(refused, { success: false, data: both });
    sameBytes(t, await readMutable(store, 0), old, 'the one whose tests held is not written either');
    const passing = { ...changed, tests: [{ offset: 4, size: 3, specimen: utf8('old') }] };
    const done = await store.readTestWrite(slotRequest(vectors({ 1: passing }, reads)));
    t.strictSame(done, { success: true, data: both }, 'all shares are read, as they were');
    sameBytes(t, await readMutable(store, 1), utf8('THE old data'));
  });

  t.test('tests of what is missing or ends earlier', async (t) => {
    const store = await (await makeSubject(t)).open();
    const passes = async (offset: number, size: number, specimen: Uint8Array, shareNumber = 0): Promise<boolean> =>
      (await readTestWrite(store, { [shareNumber]: { tests: [{ offset, size, specimen }], newLength: 0 } })).success;
    t.equal(await passes(0, 1, nothing), true, 'a missing share reads as empty');
    t.equal(await passes(0, 0, nothing), true);
    t.equal(await passes(0, 1, Uint8Array.of(0)), false);
    for (const [offset, size, specimen, wanted] of [
      [0, 3, utf8('the'), true],
      [0, 3, utf8('thx'), false],
      [0, 4, utf8('the'), false],
      [9, 100, utf8('ata'), true],
      [12, 5, nothing, true],
      [100, 5, nothing, true],
      [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, nothing, true],
    ] as const) {
      await writeMutable(store, [0], old);
      t.equal(await passes(offset, size, specimen), wanted, `${String(size)} bytes at ${String(offset)}`);
    }
  });

  t.test('who has a share open reads on in it as it was', async (t) => {
    const store = await (await makeSubject(t)).open();
    await writeMutable(store, [0], old);
    const open = await store.openMutable(storageIndex, 0);
    await writeMutable(store, [0], utf8('THE NEW DATA AND MORE'));
    t.equal(open?.size, old.length);
    sameBytes(t, await open?.read(0, 100), old);
    await readTestWrite(store, { 0: { newLength: 0 } });
    sameBytes(t, await open?.read(4, 3), utf8('old'));
    await open?.close();
  });

  t.test('a request that changes nothing', async (t) => {
    const subject = await makeSubject(t);
    const store = await subject.open();
    t.strictSame(await readTestWrite(store, {}), { success: true, data: new Map() });
    t.strictSame(sorted(await store.listMutable(storageIndex)), []);
    await writeMutable(store, [0], old);
    const before = await subject.raw(storageIndex, 0);
    t.equal((await readTestWrite(store, { 0: { newLength: 1000 } })).success, true, 'it only cuts');
    t.strictSame(await subject.raw(storageIndex, 0), before);
  });
}

function authoritySuite(makeSubject: MakeSubject): void {
  t.test('another write enabler opens nothing, whichever share it is not of', async (t) => {
    const subject = await makeSubject(t);
    const store = await subject.open({ nodeId: new Uint8Array(20) });
    await writeMutable(store, [0], old);
    const files = async (): Promise<unknown> => subject.raw(storageIndex, 0);
    const before = await files();
    const foreign = { writeEnabler: seededBytes('foreign', 32) };
    for (const given of [{ 0: { newLength: 0 } }, { 1: { writes: [{ offset: 0, data: old }] } }, {}]) {
      await t.rejects(readTestWrite(store, given, foreign), {
        code: 'ERR_WRITE_ENABLER',
        message: /recorded by nodeid 'a{32}'/,
      });
    }
    t.strictSame(await files(), before);
    t.strictSame(sorted(await store.listMutable(storageIndex)), [0]);
    await writeMutable(store, [0], old, { ...foreign, storageIndex: otherIndex });
    t.strictSame(sorted(await store.listMutable(otherIndex)), [0], 'another index has its own');
  });

  t.test('a report of damage is kept for the type of share that is here', async (t) => {
    const subject = await makeSubject(t);
    const store = await subject.open();
    await writeMutable(store, [0], old);
    const report = { storageIndex, shareNumber: 0, reason: 'the signature is wrong' };
    t.equal(await store.reportCorruption({ ...report, type: 'immutable' }), false);
    t.equal(await store.reportCorruption({ ...report, type: 'mutable', shareNumber: 1 }), false);
    t.equal((await subject.advisories()).size, 0);
    t.equal(await store.reportCorruption({ ...report, type: 'mutable' }), true);
    t.match([...(await subject.advisories()).values()], [/^report: Share Corruption\ntype: mutable\n/]);
    t.match(subject.events.at(-1), { kind: 'damaged', shareNumber: 0 });
  });
}

function concurrencySuite(makeSubject: MakeSubject): void {
  t.test('of many who test and set at once, one wins each round', async (t) => {
    const store = await (await makeSubject(t)).open();
    await writeMutable(store, [0, 1], Uint8Array.of(0));
    for (let round = 0; round < 20; round++) {
      const step = {
        tests: [{ offset: 0, size: 1, specimen: Uint8Array.of(round) }],
        writes: [{ offset: 0, data: Uint8Array.of(round + 1) }],
      };
      const replies = await Promise.all(
        Array.from({ length: 8 }, (_, i) =>
          readTestWrite(store, i % 2 === 0 ? { 0: step, 1: step } : { 1: step, 0: step }),
        ),
      );
      t.equal(replies.filter(({ success }) => success).length, 1);
    }
    t.strictSame([await readMutable(store, 0), await readMutable(store, 1)], [Uint8Array.of(20), Uint8Array.of(20)]);
  });
}

function kindSuite(makeSubject: MakeSubject): void {
  t.test('both types of share at one index leave each other alone', async (t) => {
    const store = await (await makeSubject(t)).open();
    const share = seededBytes('share', 50);
    await store1(store, 0, share);
    await writeMutable(store, [1], old);
    t.strictSame(sorted(await store.listShares(storageIndex)), [0]);
    t.strictSame(sorted(await store.listMutable(storageIndex)), [1]);
    t.equal(await readShare(store, 1), undefined);
    t.equal(await readMutable(store, 0), undefined);
    const reads = [{ offset: 0, size: 3 }];
    const { data } = await store.readTestWrite(slotRequest(vectors({}, reads)));
    t.strictSame(data, new Map([[1, [utf8('the')]]]));
    const each = { writes: [{ offset: 0, data: utf8('new') }] };
    await t.rejects(readTestWrite(store, { 0: each, 1: each }), { code: 'ERR_SHARE_KIND', facts: { shareNumber: 0 } });
    await t.rejects(readTestWrite(store, { 0: { newLength: 0 }, 1: { newLength: 0 } }), { code: 'ERR_SHARE_KIND' });
    sameBytes(t, await readMutable(store, 1), old, 'its sibling is neither written nor removed');
    t.strictSame(await allocate(store, [0, 1, 2], 10), { alreadyHave: [0], allocated: [2] });
    await t.rejects(readTestWrite(store, { 2: each }), { code: 'ERR_SHARE_KIND' }, 'an upload in progress');
    await readTestWrite(store, { 1: { newLength: 0 } });
    await write(uploadOf(store, 2), 0, seededBytes('share', 10));
    t.strictSame(sorted(await store.listShares(storageIndex)), [0, 2]);
    t.strictSame(await allocate(store, [1], 10), { alreadyHave: [0, 2], allocated: [1] }, 'its number is free');
  });
}

function largeSuite(makeSubject: MakeSubject): void {
  const SIZE = 400_000;
  const truth = seededBytes('large', 2 * SIZE);
  const writes = fc.array(fc.record({ offset: fc.nat(SIZE), size: fc.nat(SIZE) }), { minLength: 1, maxLength: 3 });
  const steps = fc.array(fc.record({ writes, newLength: fc.option(fc.nat(SIZE), { nil: undefined, freq: 3 }) }), {
    minLength: 2,
    maxLength: 4,
  });

  t.test('large shares agree with the plainest model', async (t) => {
    const store = await (await makeSubject(t)).open();
    let shareNumber = 0;
    const property = fc.asyncProperty(steps, async (sequence) => {
      shareNumber = (shareNumber + 1) % 200;
      let model = new Uint8Array(0);
      for (const step of sequence) {
        const given = step.writes.map(({ offset, size }) => ({ offset, data: truth.subarray(size, size + size) }));
        await readTestWrite(store, { [shareNumber]: { writes: given, newLength: step.newLength } });
        for (const { data, offset } of given) {
          const grown = new Uint8Array(Math.max(model.length, offset + data.length));
          grown.set(model);
          grown.set(data, offset);
          model = grown;
        }
        if (step.newLength !== undefined) model = model.slice(0, step.newLength);
        const found = await readMutable(store, shareNumber);
        if (!equalBytes(found ?? nothing, model)) return false;
      }
      await readTestWrite(store, { [shareNumber]: { newLength: 0 } });
      return true;
    });
    await t.resolves(fc.assert(property, { numRuns: 25 }));
  });
}
