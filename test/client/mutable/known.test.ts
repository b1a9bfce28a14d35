/** What a node keeps of versions: used only for exactly that version, bounded, and nobody's to change. */
import t from 'tap';
import { equalBytes } from '#core/bytes.js';
import { createMutableFile } from '#client/mutable/create.js';
import { KNOWN_CONTENTS_SIZE_MAX, KnownVersions } from '#client/mutable/known-versions.js';
import { MutableFile } from '#client/mutable/mutable-file.js';
import { seededBytes } from '../../fixtures/crypto.js';
import { MutableGrid } from '../../fixtures/mutable-grid.js';
import { race } from '../../fixtures/mutable-race.js';

const version = (sequenceNumber: number) =>
  ({
    format: 'mdmf',
    sequenceNumber,
    rootHash: seededBytes('root', 32),
    salt: undefined,
    needed: 3,
    total: 10,
    segmentSize: 30,
    dataSize: 100,
  }) as const;

t.test('only of exactly that version', async (t) => {
  const known = new KnownVersions();
  const [index, contents] = [seededBytes('index', 16), seededBytes('contents', 100)];
  t.strictSame(known.of(index, version(1)), {});
  known.keep(index, version(1), { contents });
  t.strictSame(known.of(index, version(1)).contents, contents);
  t.equal(known.of(index, version(2)).contents, undefined);
  t.equal(known.of(index, { ...version(1), rootHash: seededBytes('other', 32) }).contents, undefined);
  known.keep(index, version(2), {});
  t.equal(known.of(index, version(1)).contents, undefined, 'one version of a file');
  t.equal(known.size, 0);
  contents.fill(0);
  known.keep(index, version(3), { contents });
  contents.fill(1);
  t.equal(known.of(index, version(3)).contents?.[0], 0, 'a copy is kept');
});

t.test('all together are bounded, the longest untouched goes first', async (t) => {
  const known = new KnownVersions(1000);
  const index = (i: number) => seededBytes(`index ${String(i)}`, 16);
  for (let i = 0; i < 4; i++) known.keep(index(i), version(i), { contents: new Uint8Array(250) });
  known.of(index(0), version(0));
  known.keep(index(4), version(4), { recordHashes: [[new Uint8Array(32), new Uint8Array(32)]] });
  t.equal(known.size, 3 * 250 + 64);
  t.strictSame(
    [0, 1, 2, 3].map((i) => known.of(index(i), version(i)).contents !== undefined),
    [true, false, true, true],
  );
  known.keep(index(5), version(5), { contents: new Uint8Array(1001) });
  t.equal(known.of(index(5), version(5)).contents, undefined, 'what is larger than all is not kept');
  const many = new KnownVersions();
  for (let i = 0; i < 1100; i++) many.keep(index(i), version(i), { contents: new Uint8Array(0) });
  t.equal(many.of(index(0), version(0)).contents, undefined, 'so many files are not kept, however small');
  const large = new KnownVersions();
  large.keep(index(0), version(0), { contents: new Uint8Array(KNOWN_CONTENTS_SIZE_MAX + 1) });
  t.equal(large.size, 0);
});

/** Grid whose node keeps what it knows, with a count of what is asked of the servers. */
function knowingGrid() {
  const grid = new MutableGrid({ needed: 3, total: 10, segmentSize: 300 });
  const context = { ...grid.node('knowing'), known: new KnownVersions() };
  const asked = (): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const server of grid.servers) {
      for (const name of server.requests.splice(0)) counts[name] = (counts[name] ?? 0) + 1;
    }
    return counts;
  };
  return { grid, context, asked };
}

t.test('a version that was written or read is not fetched again, another one is', async (t) => {
  const { asked, context, grid } = knowingGrid();
  const contents = seededBytes('contents', 50_000);
  const created = await grid.create('sdmf', contents);
  const file = new MutableFile(context, created.capability);
  t.ok(equalBytes((await file.read()).bytes, contents));
  asked();
  const { bytes } = await file.read();
  t.ok(equalBytes(bytes, contents));
  const second = asked();
  bytes.fill(0);
  t.ok(equalBytes((await file.read()).bytes, contents), 'the caller owns what it was given');
  const stranger = grid.open(created);
  const other = seededBytes('other contents', 50_000);
  await stranger.overwrite(other);
  asked();
  t.ok(equalBytes((await file.read()).bytes, other), 'what another wrote is seen');
  t.ok((asked().readMutable ?? 0) > (second.readMutable ?? 0), 'and fetched');
  await file.modify((old) => Uint8Array.of(...old, 1));
  asked();
  t.equal((await file.read()).bytes.length, 50_001);
  t.equal(asked().readMutable, second.readMutable, 'what was written here is known');
});

t.test('an update of what was written here reads no hash trees', async (t) => {
  const { asked, context, grid } = knowingGrid();
  const contents = seededBytes('contents', 30_000);
  const created = await grid.create('mdmf', contents);
  const file = new MutableFile(context, created.capability);
  const update = async (i: number): Promise<number> => {
    asked();
    const bytes = seededBytes(`update ${String(i)}`, 100);
    contents.set(bytes, 1000 * i);
    await file.update(1000 * i, bytes);
    return asked().readMutable ?? 0;
  };
  const first = await update(1);
  const second = await update(2);
  t.ok(second < first, `${String(first)} reads, then ${String(second)}`);
  const bytes = seededBytes('another', 100);
  contents.set(bytes, 5000);
  await grid.open(created).update(5000, bytes);
  t.ok((await update(3)) > second, 'of what another wrote they are read again');
  t.ok(equalBytes((await grid.open(created, grid.node('reader')).read()).bytes, contents));
});

t.test('what was written here a moment ago is written over without a look', async (t) => {
  for (const format of ['sdmf', 'mdmf'] as const) {
    const { asked, context, grid } = knowingGrid();
    const contents = seededBytes('contents', 2000);
    const file = await createMutableFile(context, contents, { format });
    asked();
    await file.overwrite(contents);
    t.strictSame(asked(), { readTestWrite: 10 });
    await file.modify((old) => Uint8Array.of(...old, 1));
    t.strictSame(asked(), { readTestWrite: 10 });
    await file.update(5, Uint8Array.of(7));
    t.equal(asked().listMutable, undefined);
    grid.clock.advance(30_000);
    await file.overwrite(contents);
    t.equal(asked().listMutable, 10, 'later it looks again');
    t.equal((await grid.open(file).read()).version.sequenceNumber, 5);
  }
});

t.test('who finds that somebody else was there looks, and keeps what it must', async (t) => {
  for (const format of ['sdmf', 'mdmf'] as const) {
    const { context, grid } = knowingGrid();
    const file = await createMutableFile(context, Uint8Array.of(1), { format });
    const stranger = grid.open(file);
    const add = (own: MutableFile, name: number) => own.modify((old) => Uint8Array.of(...old, name));
    await add(stranger, 2);
    await add(file, 3);
    await add(stranger, 4);
    await file.update(4, Uint8Array.of(5));
    t.strictSame([...(await stranger.read()).bytes], [1, 2, 3, 4, 5]);
    await add(stranger, 6);
    const { sequenceNumber } = await file.overwrite(Uint8Array.of(9));
    const { bytes, version } = await stranger.read();
    t.strictSame([...bytes], [9]);
    t.equal(version.sequenceNumber, sequenceNumber);
    await stranger.overwrite(new Uint8Array(100));
    await file.update(100, Uint8Array.of(1));
    t.equal((await stranger.read()).bytes.length, 101, 'where the file ends is asked too');
  }
});

t.test('that there is nothing to do, or that it cannot be done, is said of the newest contents alone', async (t) => {
  const { context, grid } = knowingGrid();
  const file = await createMutableFile(context, Uint8Array.of(1), { format: 'sdmf' });
  const seen: number[][] = [];
  await grid.open(file).overwrite(Uint8Array.of(2));
  const version = await file.modify((old) => {
    seen.push([...old]);
    return undefined;
  });
  t.equal(version.sequenceNumber, 2);
  t.strictSame(seen, [[1], [2]]);
  await file.overwrite(Uint8Array.of(3));
  await grid.open(file).overwrite(Uint8Array.of(4));
  await file.modify((old) => {
    if (old[0] !== 4) throw new Error('this change takes a 4');
    return Uint8Array.of(5);
  });
  t.strictSame([...(await grid.open(file).read()).bytes], [5]);
});

t.test('a newer version that was read is not written over unseen', async (t) => {
  const { asked, context, grid } = knowingGrid();
  const file = await createMutableFile(context, Uint8Array.of(1), { format: 'sdmf' });
  await grid.open(file).overwrite(Uint8Array.of(2));
  await file.read();
  asked();
  await file.overwrite(Uint8Array.of(3));
  const counts = asked();
  t.ok((counts.listMutable ?? 0) > 0);
  t.equal(counts.readTestWrite, 10, 'no write was refused');
});

for (const writers of [2, 4]) {
  t.test(`${String(writers)} writers who try on top of their own work: the union survives`, async (t) => {
    const { lost, met } = await race({ format: 'sdmf', writers, changes: 12 / writers, seed: 5, isKnowing: true });
    t.strictSame(lost, []);
    t.ok(met > 0, `they met ${String(met)} times`);
  });
}
