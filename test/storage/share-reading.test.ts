/** What listing shares costs, and what it must not miss. */
import t from 'tap';
import { ContainerStore } from '#storage/container-store.js';
import { DiskLayout } from '#storage/disk-layout.js';
import { openDiskStore } from '#storage/disk-store.js';
import { MemoryFiles } from '#storage/memory-files.js';
import { FOUND_SHARE_COUNT_MAX } from '#storage/share-reading.js';
import type { ShareStore } from '#storage/share-store.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { writeMutable } from '#test/fixtures/mutable-store.js';
import { leaseSecrets, otherIndex, sorted, storageIndex, store1, storeOptions } from '#test/fixtures/share-store.js';
import { SimDisk } from '#test/fixtures/sim-disk.js';

const directory = '/store';
const layout = new DiskLayout(directory);
const share = seededBytes('share', 40);

/** The names of the calls that `work` makes of the disk. */
async function callsOf(disk: SimDisk, work: () => Promise<unknown>): Promise<string[]> {
  const names: string[] = [];
  disk.fault = ({ name }) => {
    names.push(name);
    return undefined;
  };
  await work();
  disk.fault = undefined;
  return names;
}

t.test('a share is opened for the first list of it and looked at for the others', async (t) => {
  const disk = new SimDisk();
  const store = await openDiskStore({ ...storeOptions(new ManualClock()), directory, fileSystem: disk });
  await store1(store, 0, share);
  await store1(store, 1, share);
  await writeMutable(store, [0], share, { storageIndex: otherIndex });
  const list = (): Promise<ReadonlySet<number>> => store.listShares(storageIndex);
  t.equal((await callsOf(disk, list)).filter((name) => name === 'open').length, 2);
  t.strictSame(await callsOf(disk, list), ['readdir', 'lstat', 'lstat']);
  await store.listMutable(otherIndex);
  t.strictSame(await callsOf(disk, () => store.listMutable(otherIndex)), ['readdir', 'lstat']);
  t.strictSame(sorted(await store.listShares(otherIndex)), [], 'of the other type');
  t.strictSame(sorted(await store.listMutable(otherIndex)), [0]);
  await store.close();
});

t.test('what others do to the files is seen at once', async (t) => {
  const disk = new SimDisk();
  const store = await openDiskStore({ ...storeOptions(new ManualClock()), directory, fileSystem: disk });
  const listed = async (): Promise<number[]> => sorted(await store.listShares(storageIndex));
  for (const shareNumber of [0, 1, 2]) await store1(store, shareNumber, share);
  await writeMutable(store, [0], share, { storageIndex: otherIndex });
  t.strictSame(await listed(), [0, 1, 2]);
  await disk.rm(layout.share(storageIndex, 0), { force: true });
  t.strictSame(await listed(), [1, 2], 'a share that is gone');
  await disk.rename(layout.share(otherIndex, 0), layout.share(storageIndex, 1));
  t.strictSame(await listed(), [2], 'one that became another');
  t.strictSame(sorted(await store.listMutable(storageIndex)), [1]);
  const file = await disk.open(layout.share(storageIndex, 2), 'r+');
  await file.truncate(5);
  await file.close();
  t.strictSame(await listed(), [], 'one that was cut');
  t.strictSame(await listed(), [], 'which stays so');
  await store.close();
});

t.test('a share that the disk does not give hides none of its siblings', async (t) => {
  for (const call of ['lstat', 'open', 'read']) {
    const disk = new SimDisk();
    const store = await openDiskStore({ ...storeOptions(new ManualClock()), directory, fileSystem: disk });
    for (const shareNumber of [0, 1]) await store1(store, shareNumber, share);
    let failed = 0;
    disk.fault = ({ name, path }) => {
      if (name !== call || path !== layout.share(storageIndex, 0)) return undefined;
      failed += 1;
      return 'EIO';
    };
    t.ok((await store.listShares(storageIndex)).has(1), call);
    t.equal(failed, 1, `${call} failed`);
    disk.fault = undefined;
    t.strictSame(sorted(await store.listShares(storageIndex)), [0, 1]);
    await store.close();
  }
});

/** Stores 256 shares at an index of that name. */
async function fill(store: ShareStore, name: string): Promise<Uint8Array> {
  const index = seededBytes(name, 16);
  const shares = new Map(Array.from({ length: 256 }, (_, shareNumber) => [shareNumber, share]));
  await store.storeShares({ storageIndex: index, shares, ...leaseSecrets('first') });
  return index;
}

t.test('only so many are remembered, those that were listed last', async (t) => {
  const files = new MemoryFiles();
  const store = new ContainerStore(files, storeOptions(new ManualClock()));
  let openCount = 0;
  const open = files.open.bind(files);
  files.open = (...place) => {
    openCount += 1;
    return open(...place);
  };
  const indexes: Uint8Array[] = [];
  for (let i = 0; i * 256 <= FOUND_SHARE_COUNT_MAX; i++) indexes.push(await fill(store, `index ${String(i)}`));
  const opened = async (index: Uint8Array): Promise<number> => {
    openCount = 0;
    t.equal((await store.listShares(index)).size, 256);
    return openCount;
  };
  for (const index of indexes) t.equal(await opened(index), 256);
  t.equal(await opened(indexes.at(-1) ?? storageIndex), 0, 'the last');
  t.ok((await opened(indexes[0] ?? storageIndex)) > 0, 'the first was forgotten');
  await store.close();
});
