/** An index that is flipped, cut or deleted is made anew: no share is forgotten. */
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { Log } from '#core/environment.js';
import { RETRY_MS, ShareIndex } from '#storage/index/share-index.js';
import { settle } from '#test/fixtures/clock.js';
import { crypto, seededBytes } from '#test/fixtures/crypto.js';
import { DAMAGED_SHARE_COUNT, fillShares, flipBits, indexFaults, makeIndexFiles } from '#test/fixtures/index-flips.js';
import { differences, indexedShares, makeIndexSubject } from '#test/fixtures/index-subject.js';
import { placeOf, removeFile } from '#test/fixtures/share-files.js';

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

t.test(`each of ${String(FLIP_COUNT)} random bits flipped`, { timeout: 80_000 }, async (t) => {
  const subject = await makeIndexSubject(t);
  const files = await makeIndexFiles(subject);
  const log = new Warnings();
  t.strictSame(await flipBits(subject, files, { count: FLIP_COUNT, seed: 'flips 1', log }), []);
  t.comment(`${files.size} files; made anew ${log.events.length} times in ${FLIP_COUNT}`);
  t.ok(log.events.length > 0, 'some damage is beyond mending');
});

t.test('each file cut at each quarter, emptied, and deleted', async (t) => {
  const subject = await makeIndexSubject(t);
  const files = await makeIndexFiles(subject);
  for (const [name, bytes] of files) {
    for (const part of [0, 0.25, 0.5, 0.75, 0.99]) {
      const cut = bytes.subarray(0, Math.floor(bytes.length * part));
      const faults = await indexFaults(subject, new Map([...files, [name, cut]]));
      t.same(faults, [], `${name} cut to ${cut.length} of ${bytes.length} bytes`);
    }
    const others = new Map([...files].filter(([other]) => other !== name));
    t.same(await indexFaults(subject, others), [], `${name} deleted`);
  }
  t.same(await indexFaults(subject, new Map()), [], 'all deleted');
  const junk = new Map([['CURRENT', seededBytes('junk', 100)]]);
  t.same(await indexFaults(subject, junk), [], 'something else in its place');
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
  await fillShares(subject);
  await removeFile(subject.layout, placeOf(5));
  for (let round = 0; round < 400 && log.events.length === 0; round++) {
    for (let i = 0; i < DAMAGED_SHARE_COUNT; i++) index.note({ ...placeOf(i), kind: 'added', type: 'immutable' });
    await index.settle();
    t.equal((await index.usage()).immutable.shareCount, 15, 'it answers all the while');
  }
  t.same(log.events, ['storage.index-made-anew']);
  t.ok(await index.compared());
  t.same(await differences(subject, index), []);
  t.equal((await indexedShares(index)).length, DAMAGED_SHARE_COUNT - 1);
  await index.close();
  t.ok((await readdir(indexDirectory)).includes('CURRENT'));
});

t.test('an index that cannot be made is tried again later; meanwhile the disk answers', async (t) => {
  const subject = await makeIndexSubject(t);
  await fillShares(subject);
  const { inventory, clock, indexDirectory } = subject;
  const log = new Warnings();
  const options = { directory: indexDirectory, inventory, crypto, clock, log, writeBufferBytes: 65_536 };
  const index = await ShareIndex.open(options);
  await index.compared();
  // A file where the directory of the table belongs.
  await rm(join(indexDirectory, '..'), { recursive: true });
  await writeFile(join(indexDirectory, '..'), '');
  for (let round = 0; round < 400 && log.events.length === 0; round++) {
    for (let i = 0; i < DAMAGED_SHARE_COUNT; i++) index.note({ ...placeOf(i), kind: 'leased' });
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
