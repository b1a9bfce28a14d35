/** Immutable files that are read again while they are still open. */
import t from 'tap';
import { OpenFiles, KEPT_COUNT_MAX, KEPT_MS, KEPT_SIZE_MIN } from '#client/download/open-files.js';
import type { OpenFile } from '#client/download/open-files.js';
import { concat, equalBytes } from '#core/bytes.js';
import type { ChkReadCapability } from '#core/capability/types.js';
import { settle } from '#test/fixtures/clock.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { MemoryGrid } from '#test/fixtures/memory-grid.js';

const SERVER_COUNT = 10;
/** Three are needed, and two are asked besides. */
const FIRST_COUNT = 5;
const large = seededBytes('a large file', 3 << 20);
const { signal } = new AbortController();

class Subject {
  readonly grid = new MemoryGrid(SERVER_COUNT);
  readonly files = new OpenFiles(this.grid.context);

  /** What was asked since the last call, by kind. */
  asked(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { requests } of this.grid.servers)
      for (const request of requests.splice(0)) counts[request] = (counts[request] ?? 0) + 1;
    return counts;
  }

  async read(capability: ChkReadCapability, begin: number, end: number): Promise<Uint8Array> {
    const file = this.files.open(capability);
    try {
      return await bytesOf(file, begin, end);
    } finally {
      file.close();
    }
  }
}

async function bytesOf(file: OpenFile, begin: number, end: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of file.read({ begin, end }, signal)) parts.push(part);
  return concat(...parts);
}

t.test('another range of a file costs its blocks alone', async (t) => {
  const subject = new Subject();
  const capability = await subject.grid.uploadChk(large);
  await subject.read(capability, 0, 100);
  subject.asked();
  t.ok(equalBytes(await subject.read(capability, 2_500_000, 2_500_100), large.subarray(2_500_000, 2_500_100)));
  t.strictSame(subject.asked(), { read: 3 });
});

t.test('what a slow reader leaves behind is told', async (t) => {
  const { grid } = new Subject();
  const capability = await grid.uploadChk(large);
  let size = 0;
  const files = new OpenFiles({ ...grid.context, discarded: (sizeBytes) => (size += sizeBytes) });
  const file = files.open(capability);
  for await (const part of file.read({ begin: 0, end: large.length }, signal)) {
    t.ok(part.length > 0);
    // Until all that is fetched ahead is there.
    await settle();
  }
  file.close();
  t.ok(size >= large.length, String(size));
});

t.test('a small file is opened anew', async (t) => {
  const subject = new Subject();
  const small = large.subarray(0, KEPT_SIZE_MIN);
  const capability = await subject.grid.uploadChk(small);
  await subject.read(capability, 0, 100);
  subject.asked();
  t.ok(equalBytes(await subject.read(capability, 0, small.length), small));
  t.equal(subject.asked()['list'], FIRST_COUNT);
});

t.test('so is one where other servers are connected, and one that was read long ago', async (t) => {
  const subject = new Subject();
  const capability = await subject.grid.uploadChk(large);
  await subject.read(capability, 0, 100);
  subject.asked();
  const [gone] = subject.grid.servers.splice(0, 1);
  await subject.read(capability, 0, 100);
  t.equal(subject.asked()['list'], FIRST_COUNT);
  if (gone !== undefined) subject.grid.servers.push(gone);
  await subject.read(capability, 0, 100);
  t.equal(subject.asked()['list'], FIRST_COUNT);
  subject.grid.clock.advance(KEPT_MS);
  await subject.read(capability, 0, 100);
  t.equal(subject.asked()['list'], undefined, 'until then it is kept');
  subject.grid.clock.advance(KEPT_MS + 1);
  await subject.read(capability, 0, 100);
  t.equal(subject.asked()['list'], FIRST_COUNT);
});

t.test('a read that failed is the last one of its reader', async (t) => {
  const subject = new Subject();
  const capability = await subject.grid.uploadChk(large);
  await subject.read(capability, 0, 100);
  const kept = subject.grid.servers.map(({ shares }) => new Map(shares));
  for (const { shares } of subject.grid.servers) shares.clear();
  await t.rejects(subject.read(capability, 2_000_000, 2_000_100), { code: 'ERR_NOT_ENOUGH_SHARES' });
  for (const [i, { shares }] of subject.grid.servers.entries())
    for (const [name, share] of kept[i] ?? []) shares.set(name, share);
  t.ok(equalBytes(await subject.read(capability, 2_000_000, 2_000_100), large.subarray(2_000_000, 2_000_100)));
});

t.test('who closes it ends his own reading, and nobody else’s', async (t) => {
  const subject = new Subject();
  const capability = await subject.grid.uploadChk(large);
  const [first, second] = [subject.files.open(capability), subject.files.open(capability)];
  const reading = first.read({ begin: 0, end: large.length }, signal);
  await reading.next();
  first.close();
  first.close();
  await t.rejects(
    async () => {
      while ((await reading.next()).done !== true);
    },
    { code: 'ERR_CANCELLED' },
  );
  t.ok(equalBytes(await bytesOf(second, 1_000_000, 3_000_000), large.subarray(1_000_000, 3_000_000)));
  subject.asked();
  second.close();
  await subject.read(capability, 0, 10);
  t.equal(subject.asked()['list'], undefined, 'and who gave up his reading spoils nothing');
  subject.grid.clock.advance(KEPT_MS + 1);
  await subject.read(capability, 0, 10);
  t.equal(subject.asked()['list'], FIRST_COUNT, 'nor who closes twice');
});

t.test('only so many are kept that nobody reads', async (t) => {
  const subject = new Subject();
  const capabilities: ChkReadCapability[] = [];
  for (let i = 0; i <= KEPT_COUNT_MAX; i++)
    capabilities.push(await subject.grid.uploadChk(seededBytes(`file ${String(i)}`, KEPT_SIZE_MIN + 1)));
  const [first, second] = capabilities;
  const held = first && subject.files.open(first);
  for (const capability of capabilities) await subject.read(capability, 0, 10);
  subject.asked();
  if (first !== undefined) await subject.read(first, 0, 10);
  t.equal(subject.asked()['list'], undefined, 'one that is being read does not count');
  held?.close();
  for (const capability of capabilities.slice(2)) await subject.read(capability, 0, 10);
  t.equal(subject.asked()['list'], undefined);
  if (second !== undefined) await subject.read(second, 0, 10);
  t.equal(subject.asked()['list'], FIRST_COUNT, 'the one read longest ago was let go');
});
