/** Small reads that are done at once, and when they are not. */
import t from 'tap';
import { openDiskStore } from '#storage/disk-store.js';
import { nodeFileSystem } from '#storage/node-file-system.js';
import type { FileSystem, OpenFile } from '#storage/file-system.js';
import { ALLOWANCE_MAX_MS, QuickCalls } from '#storage/quick-calls.js';
import { QUICK_READ_SIZE_MAX, QuickReads } from '#storage/quick-reads.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { sameBytes, storageIndex, store1, storeOptions } from '#test/fixtures/share-store.js';

const file = { fd: 7 } as OpenFile;

const readSync: FileSystem['readSync'] = (fd, buffer, offset, length, position) => {
  buffer.fill(fd + position, offset, offset + length);
  return length;
};

t.test('a small read from an open file is done at once, any other is left to the threads', (t) => {
  const clock = new ManualClock();
  const calls = new QuickCalls(clock);
  const reads = new QuickReads({ readSync }, calls);
  t.same(new Uint8Array(reads.read(file, 3, 2) ?? []), new Uint8Array([10, 10]));
  t.equal(reads.read(file, 0, QUICK_READ_SIZE_MAX)?.length, QUICK_READ_SIZE_MAX);
  t.equal(reads.read(file, 0, QUICK_READ_SIZE_MAX + 1), undefined, 'too large');
  t.equal(reads.read({} as OpenFile, 0, 2), undefined, 'a file of a simulated disk');
  t.equal(new QuickReads({}, calls).read(file, 0, 2), undefined, 'a system that cannot');
  t.equal(new QuickReads({ readSync: () => 1 }, calls).read(file, 0, 2), undefined, 'cut short');
  const failing = (): number => {
    throw new Error('EIO');
  };
  t.equal(new QuickReads({ readSync: failing }, calls).read(file, 0, 2), undefined, 'failed');
  calls.run(() => {
    clock.advance(ALLOWANCE_MAX_MS + 1);
  });
  t.equal(reads.read(file, 0, 2), undefined, 'after a call that was slow');
  t.end();
});

t.test('a share of a disk store gives its bytes at once, and none from behind its end', async (t) => {
  const clock = new ManualClock();
  const bytes = seededBytes('share', 10_000);
  let count = 0;
  const counting: FileSystem['readSync'] = (...args) => {
    count += 1;
    return nodeFileSystem.readSync?.(...args) ?? 0;
  };
  const fileSystem = { ...nodeFileSystem, readSync: counting };
  const store = await openDiskStore({ ...storeOptions(clock), directory: t.testdir(), fileSystem });
  t.teardown(() => store.close());
  await store1(store, 0, bytes);
  const share = await store.openShare(storageIndex, 0);
  sameBytes(t, share?.readNow?.(5000, 5000), bytes.subarray(5000));
  t.equal(count, 1);
  t.equal(share?.readNow?.(5000, 5001), undefined, 'the lease behind the data is no part of them');
  t.equal(count, 1);
  const room = new Uint8Array(9000);
  const read = await share?.read(1000, 8000, room);
  sameBytes(t, read, bytes.subarray(1000, 9000));
  t.equal(read?.buffer, room.buffer, 'a read goes where it is told to');
  await share?.close();
});
