/** An index that is flipped, cut or deleted is made anew: no share is forgotten. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { Log } from '#core/environment.js';
import { RETRY_MS, ShareIndex } from '#storage/index/share-index.js';
import { settle } from '#test/fixtures/clock.js';
import { crypto, seededBytes, seededRandom } from '#test/fixtures/crypto.js';
import { differences, indexedShares, makeIndexSubject } from '#test/fixtures/index-subject.js';
import type { IndexSubject } from '#test/fixtures/index-subject.js';
import { immutableFile, mutableFile, placeFile, placeOf, removeFile } from '#test/fixtures/share-files.js';

const SHARE_COUNT = 24;
const FLIP_COUNT = 500;

/** A log that keeps the names of its warnings. */
class Warnings implements Log {
  readonly events: string[] = [];
  debug(): void {}
  info(): void {}
  warn(event: string): void {
    this.events.push(event);
  }
  error(event: string): void {
    this.events.push(event);
  }
}

async function fill(subject: IndexSubject): Promise<void> {
  for (let i = 0; i < SHARE_COUNT; i++) {
    const data = seededBytes(String(i), 100 + i);
    await placeFile(subject.layout, placeOf(i), (i % 3 === 0 ? mutableFile : immutableFile)(data, [1000 + i]));
  }
}

/** The files of an index that was opened, filled and closed a few times, so that it has tables and a log. */
async function makeFiles(subject: IndexSubject): Promise<ReadonlyMap<string, Uint8Array>> {
  await fill(subject);
  for (let round = 0; round < 3; round++) {
    const { index, close } = await subject.open();
    await index.compared();
    for (let i = round; i < SHARE_COUNT; i += 3) {
      await placeFile(subject.layout, placeOf(i), mutableFile(seededBytes(`${round} ${i}`, 50), [2000 + round]));
      subject.events.tell({ ...placeOf(i), kind: 'written' });
    }
    await close();
  }
  const names = (await readdir(subject.indexDirectory)).filter((name) => name !== 'LOCK' && !name.startsWith('LOG'));
  const files = names.map(async (name) => [name, await readFile(join(subject.indexDirectory, name))] as const);
  return new Map(await Promise.all(files));
}

/** Opens an index that consists of these files. @returns what is wrong with its answers. */
async function faultsOf(subject: IndexSubject, files: ReadonlyMap<string, Uint8Array>, log: Log): Promise<string[]> {
  await rm(subject.indexDirectory, { recursive: true, force: true });
  await mkdir(subject.indexDirectory, { recursive: true });
  for (const [name, bytes] of files) await writeFile(join(subject.indexDirectory, name), bytes);
  const { index, close } = await subject.open(log);
  await index.compared();
  const faults = await differences(subject, index);
  await close();
  return faults;
}

t.test(`each of ${String(FLIP_COUNT)} random bits flipped`, { timeout: 80_000 }, async (t) => {
  const subject = await makeIndexSubject(t);
  const files = await makeFiles(subject);
  const names = [...files.keys()];
  const sizes = names.map((name) => files.get(name)?.length ?? 0);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const seed = 'flips 1';
  const random = seededRandom(seed);
  const log = new Warnings();
  for (let i = 0; i < FLIP_COUNT; i++) {
    let bit = Buffer.from(random.bytes(4)).readUInt32BE() % (total * 8);
    const at = sizes.findIndex((size) => (bit -= size * 8) < 0);
    const [name = '', size = 0] = [names[at], sizes[at]];
    const flipped = Uint8Array.from(files.get(name) ?? []);
    const place = bit + size * 8;
    flipped[place >> 3] = (flipped[place >> 3] ?? 0) ^ (1 << (place & 7));
    const faults = await faultsOf(subject, new Map([...files, [name, flipped]]), log);
    if (faults.length > 0) t.fail(`${seed}: bit ${place} of ${name}: ${faults.join(', ')}`);
  }
  t.comment(`${total} bytes in ${names.length} files; made anew ${log.events.length} times in ${FLIP_COUNT}`);
  t.ok(log.events.length > 0, 'some damage is beyond mending');
});

t.test('each file cut at each quarter, emptied, and deleted', async (t) => {
  const subject = await makeIndexSubject(t);
  const files = await makeFiles(subject);
  for (const [name, bytes] of files) {
    for (const part of [0, 0.25, 0.5, 0.75, 0.99]) {
      const cut = bytes.subarray(0, Math.floor(bytes.length * part));
      const faults = await faultsOf(subject, new Map([...files, [name, cut]]), new Warnings());
      t.same(faults, [], `${name} cut to ${cut.length} of ${bytes.length} bytes`);
    }
    const others = new Map([...files].filter(([other]) => other !== name));
    t.same(await faultsOf(subject, others, new Warnings()), [], `${name} deleted`);
  }
  t.same(await faultsOf(subject, new Map(), new Warnings()), [], 'all deleted');
  const junk = new Map([['CURRENT', seededBytes('junk', 100)]]);
  t.same(await faultsOf(subject, junk, new Warnings()), [], 'something else in its place');
});

t.test('deleted while it is open', async (t) => {
  const subject = await makeIndexSubject(t);
  const { inventory, clock, indexDirectory } = subject;
  const log = new Warnings();
  // So small a table wants a new file soon, and finds no directory for it.
  const options = { directory: indexDirectory, inventory, crypto, clock, log, writeBufferBytes: 65_536 };
  const index = await ShareIndex.open(options);
  await index.compared();
  await rm(indexDirectory, { recursive: true });
  await fill(subject);
  await removeFile(subject.layout, placeOf(5));
  for (let round = 0; round < 400 && log.events.length === 0; round++) {
    for (let i = 0; i < SHARE_COUNT; i++) index.note({ ...placeOf(i), kind: 'added', type: 'immutable' });
    await index.settle();
    t.equal((await index.usage()).immutable.shareCount, 15, 'it answers all the while');
  }
  t.same(log.events, ['storage.index-made-anew']);
  t.ok(await index.compared());
  t.same(await differences(subject, index), []);
  t.equal((await indexedShares(index)).length, SHARE_COUNT - 1);
  await index.close();
  t.ok((await readdir(indexDirectory)).includes('CURRENT'));
});

t.test('an index that cannot be made is tried again later; meanwhile the disk answers', async (t) => {
  const subject = await makeIndexSubject(t);
  await fill(subject);
  const { inventory, clock, indexDirectory } = subject;
  const log = new Warnings();
  const options = { directory: indexDirectory, inventory, crypto, clock, log, writeBufferBytes: 65_536 };
  const index = await ShareIndex.open(options);
  await index.compared();
  // A file where the directory of the table belongs.
  await rm(join(indexDirectory, '..'), { recursive: true });
  await writeFile(join(indexDirectory, '..'), '');
  for (let round = 0; round < 400 && log.events.length === 0; round++) {
    for (let i = 0; i < SHARE_COUNT; i++) index.note({ ...placeOf(i), kind: 'leased' });
    await index.settle();
  }
  await index.compared();
  t.same(log.events, ['storage.index-made-anew', 'storage.index-not-made']);
  t.equal((await index.usage()).mutable.shareCount, 8);
  t.match(await index.record(placeOf(1)), { kind: 'immutable', latestExpiry: 1001 });
  await rm(join(indexDirectory, '..'));
  clock.advance(RETRY_MS);
  await settle();
  t.ok(await index.compared());
  t.same(await differences(subject, index), []);
  await index.close();
  t.equal(clock.pending, 0);
});
