/**
 * Changes to several mutable shares on a real disk, stopped after every single call, also while they are carried to
 * their end at the next start: all old or all new, no lease lost.
 */
import { cp, mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { formatCommitRecord, parseCommitRecord, stateOfStep } from '#storage/commit-record.js';
import type { CommitRecord } from '#storage/commit-record.js';
import { DiskLayout } from '#storage/disk-layout.js';
import { openDiskStore } from '#storage/disk-store.js';
import type { FileSystem } from '#storage/file-system.js';
import { decodeLeaseSlots, wholeExtraLeases } from '#storage/mutable-container.js';
import type { ShareStore } from '#storage/share-store.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { temporaryDirectory } from '#test/fixtures/disk-subject.js';
import { readMutable, readTestWrite, writeMutable } from '#test/fixtures/mutable-store.js';
import type { VectorsGiven } from '#test/fixtures/mutable-store.js';
import {
  leaseSecrets,
  otherIndex,
  readShare,
  sameBytes,
  storageIndex,
  store1,
  storeOptions,
} from '#test/fixtures/share-store.js';
import { StoppingFileSystem } from '#test/fixtures/stopping-file-system.js';

const data = seededBytes('data', 700);
const large = seededBytes('large', 300_000);
/** So many leases are on each share at first: two of them are extra ones. */
const LEASES = 6;

const requests: Readonly<Record<string, Readonly<Record<number, VectorsGiven>>>> = {
  create: { 5: { writes: [{ offset: 0, data }] } },
  'create two': { 5: { writes: [{ offset: 0, data }] }, 6: { writes: [{ offset: 0, data: large }] } },
  grow: { 0: { writes: [{ offset: 650, data }] } },
  'grow two': { 0: { writes: [{ offset: 650, data }] }, 1: { writes: [{ offset: 10, data: large }] } },
  'cut two': { 0: { newLength: 3 }, 1: { newLength: 650 } },
  'small ones': {
    0: { writes: [{ offset: 650, data }] },
    1: { newLength: 3 },
    5: { writes: [{ offset: 0, data }] },
    6: { writes: [{ offset: 1, data }] },
  },
  remove: { 2: { newLength: 0 } },
  'remove all': { 0: { newLength: 0 }, 1: { newLength: 0 }, 2: { newLength: 0 } },
  'all at once': {
    0: { writes: [{ offset: 650, data }] },
    1: { newLength: 0 },
    2: { writes: [{ offset: 10, data: large }], newLength: 299_000 },
    5: { writes: [{ offset: 0, data }] },
    6: { writes: [{ offset: 0, data: large }] },
  },
};

/** Makes a directory with shares 0 to 2. */
async function makeTemplate(directory: string): Promise<void> {
  const store = await open(directory);
  await writeMutable(store, [0, 1, 2], data);
  for (let i = 1; i < LEASES; i++) await store.addLease(storageIndex, leaseSecrets(`lease ${String(i)}`));
  await store.close();
}

function open(directory: string, fileSystem?: FileSystem): Promise<ShareStore> {
  return openDiskStore({ ...storeOptions(new ManualClock()), directory, ...(fileSystem && { fileSystem }) });
}

/** Every share's data and number of leases, in a text. */
async function stateOf(directory: string): Promise<string> {
  const folder = dirname(new DiskLayout(directory).share(storageIndex, 0));
  const names = await readdir(folder).catch(() => []);
  const shares = await Promise.all(
    names.sort().map(async (name) => {
      const file = new Uint8Array(await readFile(join(folder, name)));
      const view = new DataView(file.buffer);
      const [length, extraOffset] = [view.getBigUint64(84), view.getBigUint64(92)].map(Number);
      const leases = decodeLeaseSlots(file, wholeExtraLeases(file.subarray(extraOffset)));
      const digest = Buffer.from(file.subarray(468, 468 + (length ?? 0))).toString('base64');
      return [name, digest, leases.filter((lease) => lease !== undefined).length].join(' ');
    }),
  );
  return shares.join('\n');
}

t.test('stopped after any call, and any call of the start that follows', async (t) => {
  const root = await temporaryDirectory(t);
  const template = join(root, 'template');
  await makeTemplate(template);
  let stopCount = 0;
  for (const [what, given] of Object.entries(requests)) {
    const done = join(root, `${what} done`);
    await cp(template, done, { recursive: true });
    const counting = new StoppingFileSystem();
    const whole = await open(done, counting.system);
    counting.restart();
    await readTestWrite(whole, given);
    const callCount = counting.restart();
    await whole.close();
    const [before, after] = [await stateOf(template), await stateOf(done)];
    t.not(before, after);
    const found = new Set<string>();
    for (let calls = 0; calls <= callCount; calls++) {
      stopCount += 1;
      const directory = join(root, `${what} ${String(calls)}`);
      const acknowledged = await runStopped(template, directory, given, calls);
      // Starts are stopped too, where there is most to be carried to its end.
      const isNested = ['all at once', 'small ones'].includes(what) && calls % 4 === 0;
      const state = await recover(t, directory, isNested ? 0 : Number.POSITIVE_INFINITY);
      found.add(state);
      t.ok(state === after || (state === before && !acknowledged), `${what}, stopped after ${String(calls)} calls`);
    }
    t.equal(found.size, 2, `${what}: both states are met`);
  }
  t.ok(stopCount > 80, `${String(stopCount)} stops`);
});

/** @returns whether the request was acknowledged. */
async function runStopped(
  template: string,
  directory: string,
  given: Readonly<Record<number, VectorsGiven>>,
  calls: number,
): Promise<boolean> {
  await cp(template, directory, { recursive: true, preserveTimestamps: true });
  const stopping = new StoppingFileSystem();
  const store = await open(directory, stopping.system);
  stopping.stopAfter(calls);
  const acknowledged = await readTestWrite(store, given).then(
    () => true,
    () => false,
  );
  await stopping.release();
  return acknowledged;
}

/** Starts again and again, stopped after `first` calls and each time one call later. @returns the state then. */
async function recover(t: Test, directory: string, first: number): Promise<string> {
  for (let calls = first; ; calls++) {
    const stopping = new StoppingFileSystem();
    stopping.stopAfter(calls);
    const store = await open(directory, stopping.system).catch(() => undefined);
    const isWhole = store !== undefined && stopping.restart() <= calls;
    stopping.restart();
    await store?.close();
    await stopping.release();
    if (!isWhole) continue;
    const state = await stateOf(directory);
    await (await open(directory)).close();
    t.equal(await stateOf(directory), state, 'another start changes nothing');
    t.strictSame(await readdir(new DiskLayout(directory).writing), [], 'nothing is left over');
    return state;
  }
}

t.test('any call fails: all old or all new, and no call after that is in vain', async (t) => {
  const root = await temporaryDirectory(t);
  const template = join(root, 'template');
  await makeTemplate(template);
  const given = requests['all at once'] ?? {};
  for (const code of ['ENOSPC', 'EIO']) {
    const distrusted = new Set<string | undefined>();
    for (let index = 0; ; index++) {
      const directory = join(root, `${code} ${String(index)}`);
      await cp(template, directory, { recursive: true });
      const failing = new StoppingFileSystem();
      const store = await open(directory, failing.system);
      const before = await stateOf(directory);
      failing.failAt(index, code);
      // A share that cannot be opened is no mutable share, for the time being.
      const error: unknown = await readTestWrite(store, given).then(
        () => undefined,
        (failure: unknown) => failure,
      );
      const isOver = failing.restart() <= index;
      const isTrusted = !(await store.figures()).readonly;
      if (!isTrusted) distrusted.add(failing.failed);
      if (error !== undefined && isTrusted) {
        const state = await stateOf(directory);
        if (state === before) await readTestWrite(store, given);
      } else if (isTrusted) t.not(await stateOf(directory), before);
      else await t.rejects(readTestWrite(store, given), { code: 'ERR_STORE_READONLY' });
      await store.close();
      await failing.release();
      await (await open(directory)).close();
      const { length } = (await stateOf(directory)).split('\n');
      t.ok(length === 4 || (length === 3 && !isTrusted), `${code} at ${String(index)}: ${String(length)} shares`);
      if (isOver) break;
    }
    // New shares go first and are taken back: only the second replacement and the removal are beyond that, and what
    // the syncs of directories and of the three shares that were there were to keep. How many syncs that are differs
    // from run to run, for they are under way together with calls that do no harm.
    if (code === 'ENOSPC') t.strictSame([...distrusted].sort(), ['rename', 'rm', 'sync']);
  }
});

t.test('what somebody else changed meanwhile is left alone', async (t) => {
  const root = await temporaryDirectory(t);
  const template = join(root, 'template');
  await makeTemplate(template);
  const given = requests['grow two'] ?? {};
  let overtaken = 0;
  for (let calls = 0; ; calls++) {
    const directory = join(root, String(calls));
    const acknowledged = await runStopped(template, directory, given, calls);
    const layout = new DiskLayout(directory);
    const records = (await readdir(layout.writing)).filter((name) => name.endsWith('.commit'));
    const place = layout.share(storageIndex, 1);
    if (records.length === 1 && (await readFile(place)).length < 2000) {
      overtaken += 1;
      const other = Buffer.from(await readFile(place));
      other[470] = 99;
      await writeFile(place, other);
      await utimes(place, 4e9, 4e9);
      const sibling = await readFile(layout.share(storageIndex, 0));
      await (await open(directory)).close();
      t.ok(sibling.equals(await readFile(layout.share(storageIndex, 0))), 'the change ends where it stood');
      sameBytes(t, new Uint8Array(await readFile(place)), new Uint8Array(other));
      t.strictSame(await readdir(layout.writing), []);
    }
    if (acknowledged) break;
  }
  t.ok(overtaken > 0, `${String(overtaken)} times`);
});

t.test('records', (t) => {
  const mark = { ino: 5, size: 10, mtimeMs: 1234.5678 };
  const record: CommitRecord = {
    storageIndex: 'a'.repeat(26),
    steps: [
      { shareNumber: 0, before: mark, prepared: { name: 'a', ino: 6 } },
      { shareNumber: 1, before: null, prepared: null },
    ],
  };
  const bytes = new Uint8Array(Buffer.from(formatCommitRecord(record)));
  t.strictSame(parseCommitRecord(bytes), record);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    t.equal(parseCommitRecord(flipped), undefined);
  }
  for (let size = 0; size < bytes.length; size++) t.equal(parseCommitRecord(bytes.slice(0, size)), undefined);
  const [replacing, removing] = record.steps;
  if (replacing === undefined || removing === undefined) return;
  const made = { ...mark, ino: 6 };
  t.equal(stateOfStep(replacing, mark, true), 'open');
  t.equal(stateOfStep(replacing, { ...mark, mtimeMs: 1 }, true), 'open', 'a power cut took back its time');
  t.equal(stateOfStep(replacing, made, true), 'done', 'a power cut left it under both names');
  t.equal(stateOfStep(replacing, made, false), 'done');
  t.equal(stateOfStep(replacing, { ...made, size: 11, mtimeMs: 1 }, false), 'done', 'and written on since');
  t.equal(stateOfStep(replacing, mark, false), 'lost');
  for (const other of [null, { ...mark, size: 11 }, { ...mark, mtimeMs: 9999 }, { ...mark, ino: 7 }]) {
    t.equal(stateOfStep(replacing, other, true), 'foreign');
  }
  t.equal(stateOfStep(removing, null, false), 'done');
  t.equal(stateOfStep({ ...removing, before: mark }, mark, false), 'open');
  t.equal(stateOfStep({ ...removing, before: mark }, made, false), 'foreign');
  t.end();
});

t.test('the last share that goes takes its directory with it, but not from under an upload', async (t) => {
  const directory = await temporaryDirectory(t);
  const layout = new DiskLayout(directory);
  const store = await open(directory);
  t.teardown(() => store.close());
  await writeMutable(store, [0], data);
  await readTestWrite(store, { 0: { newLength: 0 } });
  await t.rejects(readdir(layout.indexDirectory(storageIndex)), { code: 'ENOENT' });
  await writeMutable(store, [0], data);
  sameBytes(t, await readMutable(store, 0), data, 'and it comes back');
  await mkdir(layout.indexDirectory(otherIndex), { recursive: true });
  await store1(store, 3, data, otherIndex);
  sameBytes(t, await readShare(store, 3, otherIndex), data);
});
