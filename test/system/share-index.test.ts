/** The index answers as a full scan does: after any changes, told or not, with any restarts between them. */
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { attachIndex } from '#storage/index/attach-index.js';
import { BATCH_LENGTH, COLLECT_MS, PENDING_COUNT_MAX } from '#storage/index/share-index.js';
import type { DiskLayout } from '#storage/disk-layout.js';
import { settle } from '#test/fixtures/clock.js';
import { crypto, seededBytes } from '#test/fixtures/crypto.js';
import { temporaryDirectory } from '#test/fixtures/disk-subject.js';
import {
  differences,
  diskUsage,
  indexedShares,
  indexSubjectIn,
  makeIndexSubject,
} from '#test/fixtures/index-subject.js';
import type { IndexSubject } from '#test/fixtures/index-subject.js';
import { immutableFile, mutableFile, placeFile, placeOf, removeFile } from '#test/fixtures/share-files.js';

const PLACE_COUNT = 60;

const operations = fc.record({
  place: fc.nat(PLACE_COUNT - 1),
  kind: fc.constantFrom('add', 'add', 'write', 'lease', 'remove', 'damage', 'settle'),
  isMutable: fc.boolean(),
  size: fc.oneof(fc.nat(300), fc.nat(20_000)),
  expiries: fc.array(fc.integer({ min: 1, max: 2 ** 32 - 1 }), { maxLength: 6 }),
  /** Whether the change is made while no index is open, and told to nobody: one in 32. */
  isForeign: fc.integer({ min: 0, max: 31 }).map((number) => number === 0),
});

type Operation = typeof operations extends fc.Arbitrary<infer Value> ? Value : never;
type EventKind = 'added' | 'written' | 'leased' | 'removed';

interface Share {
  readonly isMutable: boolean;
  readonly data: Uint8Array;
}

/** The files as they should be, and how each operation changes one. */
class Model {
  readonly shares = new Map<number, Share>();

  /** Changes a file, if the operation means anything there. @returns what a store would tell. */
  async apply(layout: DiskLayout, operation: Operation): Promise<EventKind | undefined> {
    const { kind, place: number, isMutable, size, expiries } = operation;
    const place = placeOf(number);
    const held = this.shares.get(number);
    const data = seededBytes(`${String(number)} ${String(size)}`, size);
    const put = async (share: Share, event: EventKind): Promise<EventKind> => {
      this.shares.set(number, share);
      await placeFile(layout, place, (share.isMutable ? mutableFile : immutableFile)(share.data, expiries));
      return event;
    };
    if (kind === 'add') return held === undefined ? put({ isMutable, data }, 'added') : undefined;
    if (held === undefined) return undefined;
    if (kind === 'lease') return put(held, 'leased');
    if (kind === 'write') return held.isMutable ? put({ isMutable: true, data }, 'written') : undefined;
    if (kind === 'settle') return undefined;
    this.shares.delete(number);
    if (kind === 'damage') await placeFile(layout, place, data.subarray(0, 11));
    else await removeFile(layout, place);
    return kind === 'damage' ? 'written' : 'removed';
  }
}

async function runOperations(subject: IndexSubject, list: readonly Operation[]): Promise<string[]> {
  const model = new Model();
  let attached = await subject.open();
  for (const operation of list) {
    if (operation.kind === 'settle') await attached.index.settle();
    if (operation.isForeign) await attached.close();
    const kind = await model.apply(subject.layout, operation);
    if (operation.isForeign) attached = await subject.open();
    else if (kind !== undefined) subject.events.tell({ ...placeOf(operation.place), kind, type: 'mutable' });
  }
  await attached.index.compared();
  const faults = await differences(subject, attached.index);
  const { du, ours } = await diskUsage(subject, attached.index);
  if (Math.abs(du - ours) > du / 100) faults.push(`du says ${String(du)}, the index ${String(ours)}`);
  const sound = (await indexedShares(attached.index)).filter(({ record }) => record.kind !== 'damaged');
  if (sound.length !== model.shares.size) faults.push(`${String(sound.length)} of ${String(model.shares.size)} shares`);
  await attached.close();
  return faults;
}

t.test('after 1,000 random operations every answer is that of a full scan', async (t) => {
  const lists = fc.array(operations, { minLength: 1000, maxLength: 1000, size: 'max' });
  const property = fc.asyncProperty(lists, async (list) => {
    const subject = await indexSubjectIn(await temporaryDirectory(t));
    const faults = await runOperations(subject, list);
    t.same(faults, []);
    return faults.length === 0;
  });
  await t.resolves(fc.assert(property, { numRuns: 3, endOnFailure: true }));
});

t.test('what is told is looked at soon, in batches, and never waited for', async (t) => {
  const subject = await makeIndexSubject(t);
  const { index, close } = await subject.open();
  await index.compared();
  const count = BATCH_LENGTH + 10;
  for (let i = 0; i < count; i++) {
    await placeFile(subject.layout, placeOf(i), immutableFile(seededBytes(String(i), 50), [2_000_000_000]));
    subject.events.tell({ ...placeOf(i), kind: 'added', type: 'immutable' });
    subject.events.tell({ ...placeOf(i), kind: 'leased' });
  }
  t.equal((await indexedShares(index)).length, 0, 'nobody has waited');
  subject.clock.advance(COLLECT_MS);
  for (let i = 0; i < 20_000 && (await indexedShares(index)).length < count; i++) await settle();
  t.equal((await indexedShares(index)).length, count);
  t.equal(subject.clock.pending, 0);
  t.same(await differences(subject, index), []);
  const { mutable, immutable } = await index.usage();
  t.match(
    { mutable, immutable },
    { mutable: { shareCount: 0 }, immutable: { shareCount: count, dataBytes: count * 50 } },
  );
  await close();
  await close();
  subject.events.tell({ ...placeOf(0), kind: 'removed' });
  t.equal(subject.clock.pending, 0, 'a closed index hears nothing');
});

t.test('a checksum is told, made after a write, or not there yet', async (t) => {
  const subject = await makeIndexSubject(t);
  const { index, close } = await subject.open();
  await index.compared();
  const data = seededBytes('data', 500);
  const [told, quiet, slot] = [placeOf(0), placeOf(1), placeOf(2)];
  await placeFile(subject.layout, told, immutableFile(data, [1]));
  await placeFile(subject.layout, quiet, immutableFile(data, [1]));
  await placeFile(subject.layout, slot, mutableFile(data, [1]));
  for (const place of [told, quiet]) subject.events.tell({ ...place, kind: 'added', type: 'immutable' });
  index.tellChecksum(told, crypto.sha256(data));
  subject.events.tell({ ...slot, kind: 'added', type: 'mutable' });
  subject.events.tell({ ...told, kind: 'leased' });
  t.match((await index.record(told))?.checksum, crypto.sha256(data));
  t.equal((await index.record(quiet))?.checksum, undefined);
  t.match((await index.record(slot))?.checksum, crypto.sha256(data));
  t.equal(await index.record(placeOf(9)), undefined);
  await placeFile(subject.layout, slot, mutableFile(data.subarray(1), [1]));
  subject.events.tell({ ...slot, kind: 'written' });
  t.match((await index.record(slot))?.checksum, crypto.sha256(data.subarray(1)));
  await placeFile(subject.layout, slot, mutableFile(seededBytes('large', 1_048_577), [1]));
  subject.events.tell({ ...slot, kind: 'written' });
  t.equal((await index.record(slot))?.checksum, undefined, 'a large one is left to the scrub');
  await close();
});

t.test('answers come from the disk until everything is compared', async (t) => {
  const subject = await makeIndexSubject(t);
  for (let i = 0; i < 300; i++) await placeFile(subject.layout, placeOf(i), immutableFile(new Uint8Array(i), [5]));
  const { index, close } = await subject.open();
  t.notOk(index.isComplete);
  t.equal(await index.page(undefined), undefined, 'no half of an inventory');
  t.match(await index.record(placeOf(7)), { kind: 'immutable', dataSize: 7, latestExpiry: 5 });
  t.equal((await index.usage()).immutable.shareCount, 300);
  t.ok(await index.compared());
  t.match(await index.record(placeOf(7)), { kind: 'immutable', dataSize: 7, latestExpiry: 5 });
  t.same(await differences(subject, index), []);
  await close();
});

t.test('what is no share is passed by', async (t) => {
  const subject = await makeIndexSubject(t);
  const place = placeOf(0);
  const share = subject.layout.share(place.storageIndex, 0);
  await placeFile(subject.layout, place, immutableFile(new Uint8Array(9), [5]));
  await writeFile(join(dirname(share), 'notes.txt'), 'mine');
  await mkdir(join(dirname(share), '1'));
  await symlink(share, join(dirname(share), '2'));
  await mkdir(join(subject.layout.shares, 'lost+found'));
  await mkdir(join(subject.layout.shares, 'aa', 'zz'), { recursive: true });
  await mkdir(join(subject.layout.incoming, 'aa'), { recursive: true });
  const { index, close } = await subject.open();
  await index.compared();
  t.same(await differences(subject, index), []);
  t.equal((await indexedShares(index)).length, 1);
  for (const shareNumber of [1, 2]) subject.events.tell({ ...place, shareNumber, kind: 'damaged', reason: 'they say' });
  t.same(await differences(subject, index), []);
  await close();
});

t.test('a change of what it had no record of has everything compared again', async (t) => {
  const subject = await makeIndexSubject(t);
  const { index, close } = await subject.open();
  await index.compared();
  for (const i of [0, 1]) await placeFile(subject.layout, placeOf(i), mutableFile(new Uint8Array(9), [5]));
  subject.events.tell({ ...placeOf(0), kind: 'written' });
  t.notOk(await index.settle(), 'it is in doubt');
  t.ok(await index.compared());
  t.equal((await indexedShares(index)).length, 2, 'and finds the other one that nobody told of');
  t.same(await differences(subject, index), []);
  await close();
});

t.test('more changes than can be remembered have everything compared again', async (t) => {
  const subject = await makeIndexSubject(t);
  const { index, close } = await subject.open();
  await index.compared();
  for (let i = 0; i < 40; i++) {
    await placeFile(subject.layout, placeOf(i), immutableFile(new Uint8Array(i), [5]));
    index.note({ ...placeOf(i), kind: 'added', type: 'immutable' });
  }
  // In the middle of a batch, and of the comparison that this begins.
  for (let round = 0; round < 2; round++) {
    const settling = index.settle();
    await settle(round + 1);
    for (let i = 0; i <= PENDING_COUNT_MAX; i++) {
      const storageIndex = new Uint8Array(new Uint32Array([i, round, 0, 0]).buffer);
      index.note({ storageIndex, shareNumber: 0, kind: 'leased' });
    }
    t.notOk(index.isComplete);
    await settling;
  }
  t.ok(await index.compared());
  t.same(await differences(subject, index), []);
  t.equal((await indexedShares(index)).length, 40);
  await close();
});

t.test('only one process has an index', async (t) => {
  const subject = await makeIndexSubject(t);
  const { close } = await subject.open();
  const log = { warn: () => t.fail('it is not thrown away'), debug() {}, info() {}, error() {} };
  await t.rejects(attachIndex({ ...subject, crypto, log }), { code: 'ERR_INDEX' });
  await close();
  await rm(subject.indexDirectory, { recursive: true });
});
