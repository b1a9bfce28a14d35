/** The store on a real disk: where things are, what is not opened, and when it stops trusting the disk. */
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import t from 'tap';
import { ContainerStore } from '#storage/container-store.js';
import { DirectorySync } from '#storage/directory-sync.js';
import { DiskFiles } from '#storage/disk-files.js';
import { shareNumberOfEntry } from '#storage/disk-layout.js';
import { openDiskStore } from '#storage/disk-store.js';
import type { FileSystem } from '#storage/file-system.js';
import { nodeFileSystem } from '#storage/node-file-system.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { makeDiskSubject, temporaryDirectory } from '#test/fixtures/disk-subject.js';
import {
  allocate,
  leaseSecrets,
  otherIndex,
  readShare,
  sameBytes,
  sorted,
  storageIndex,
  store1,
  storeOptions,
  uploadOf,
  write,
} from '#test/fixtures/share-store.js';

const share = seededBytes('share', 100);
const INDEX = '7tjnnkwo7myor7tdvbh32ise5e';

async function pathsBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.map((entry) => relative(directory, join(entry.parentPath, entry.name))).sort();
}

t.test('the layout is the reference’s, and nobody else may look into it', async (t) => {
  const subject = await makeDiskSubject(t);
  const store = await subject.open();
  await store1(store, 7, share);
  await allocate(store, [8], 10);
  await store.reportCorruption({ storageIndex, shareNumber: 7, reason: 'why' });
  const { directory } = subject.layout;
  const advisory = `corruption-advisories/2023-11-14T221320.000000--${INDEX}-7`;
  const paths = [
    'corruption-advisories',
    advisory,
    'shares',
    'shares/7t',
    `shares/7t/${INDEX}`,
    `shares/7t/${INDEX}/7`,
    'shares/incoming',
    `shares/incoming/${INDEX}.8`,
    'tallac',
    'tallac/uploads',
    'tallac/writing',
  ];
  t.strictSame(await pathsBelow(directory), paths);
  for (const path of paths) t.equal((await stat(join(directory, path))).mode & 0o077, 0, path);
  await write(uploadOf(store, 8), 4, new Uint8Array(2));
  const size = (await stat(subject.layout.incomingShare(storageIndex, 8))).size;
  t.equal(size, 12 + 10 + 72, 'an upload has its final size from its first bytes on');
  await uploadOf(store, 8).abort();
  t.strictSame(await readdir(subject.layout.incoming), [], 'nothing is left of an aborted upload');
});

t.test('what an earlier run left in incoming is removed at start', async (t) => {
  const subject = await makeDiskSubject(t);
  const stale = subject.layout.incomingShare(otherIndex, 3);
  await mkdir(dirname(stale), { recursive: true });
  await writeFile(stale, 'half a share');
  const store = await subject.open();
  t.strictSame(await readdir(subject.layout.incoming), []);
  t.strictSame(await allocate(store, [3], 10, { index: otherIndex }), { alreadyHave: [], allocated: [3] });
});

t.test('an upload whose directories are removed under it is begun all the same', async (t) => {
  const subject = await makeDiskSubject(t);
  const store = await subject.open();
  const indexes = Array.from({ length: 40 }, (_, i) => seededBytes(`index ${String(i)}`, 16));
  await Promise.all(
    indexes.flatMap((index) =>
      [0, 1].map(async (shareNumber) => {
        const secret = seededBytes(`secret ${String(shareNumber)}`, 20);
        for (let round = 0; round < 3; round++) {
          await allocate(store, [shareNumber], 10, { index, secret });
          await uploadOf(store, shareNumber, secret, index).abort();
        }
      }),
    ),
  );
  t.strictSame(await readdir(subject.layout.incoming), []);
});

t.test('what is no regular file is not opened, and hides nothing', { timeout: 20_000 }, async (t) => {
  const subject = await makeDiskSubject(t);
  const store = await subject.open();
  await store1(store, 0, share);
  const outside = join(await temporaryDirectory(t), 'outside');
  await writeFile(outside, (await subject.raw(storageIndex, 0)) ?? '');
  await mkdir(subject.layout.share(storageIndex, 1));
  execFileSync('mkfifo', [subject.layout.share(storageIndex, 2)]);
  await symlink(outside, subject.layout.share(storageIndex, 3));
  await symlink('/nowhere', subject.layout.share(storageIndex, 4));
  await writeFile(join(dirname(subject.layout.share(storageIndex, 0)), '05'), 'not a share');
  await writeFile(join(dirname(subject.layout.share(storageIndex, 0)), '5.tmp'), 'not a share');
  const before = await readFile(outside);
  t.strictSame(sorted(await store.listShares(storageIndex)), [0]);
  t.ok(await store.addLease(storageIndex, leaseSecrets('second')));
  for (const shareNumber of [1, 2, 3, 4]) t.equal(await readShare(store, shareNumber), undefined);
  t.strictSame(await allocate(store, [0, 1, 2, 3, 4, 5], 10), { alreadyHave: [0], allocated: [5] });
  sameBytes(t, await readFile(outside), before, 'a link is not followed');
});

t.test('a failed sync is not tried again: the store takes no more writes and goes on reading', async (t) => {
  const subject = await makeDiskSubject(t);
  const healthy = await subject.open();
  await store1(healthy, 0, share);
  await healthy.close();
  let broken = false;
  const synced: string[] = [];
  const directories = new DirectorySync((directory) => {
    if (broken) {
      broken = false;
      return Promise.reject(Object.assign(new Error('I/O error'), { code: 'EIO' }));
    }
    synced.push(relative(subject.layout.directory, directory));
    return Promise.resolve();
  });
  const files = await DiskFiles.open(subject.layout.directory, { directories });
  const store = new ContainerStore(files, storeOptions(new ManualClock()));
  t.teardown(() => store.close());
  await store1(store, 1, share);
  t.strictSame(sorted(await store.listShares(storageIndex)), [0, 1]);
  t.ok(synced.includes(`shares/7t/${INDEX}`) && synced.includes('shares/7t') && synced.includes('shares'));
  await allocate(store, [2, 3], share.length);
  await write(uploadOf(store, 3), 0, share.subarray(0, 50));
  broken = true;
  await t.rejects(write(uploadOf(store, 2), 0, share), { code: 'ERR_DISK', message: /EIO/ });
  t.strictSame(sorted(await store.listShares(storageIndex)), [0, 1], 'it is not there');
  t.match(await store.figures(), { readonly: true, availableSpace: 0 });
  await t.rejects(write(uploadOf(store, 3), 50, share.subarray(50)), { code: 'ERR_STORE_READONLY' });
  await t.rejects(allocate(store, [4], 10), { code: 'ERR_STORE_READONLY' });
  await t.rejects(store.addLease(storageIndex, leaseSecrets('second')), { code: 'ERR_STORE_READONLY' });
  sameBytes(t, await readShare(store, 1), share);
});

t.test('an existing share is settled before it is said to be here', async (t) => {
  const subject = await makeDiskSubject(t);
  await store1(await subject.open(), 0, share);
  const synced: string[] = [];
  const directories = new DirectorySync((directory) => {
    synced.push(relative(subject.layout.directory, directory));
    return Promise.resolve();
  });
  const files = await DiskFiles.open(subject.layout.directory, { directories });
  const store = new ContainerStore(files, storeOptions(new ManualClock()));
  t.teardown(() => store.close());
  synced.length = 0;
  await allocate(store, [0], share.length);
  t.strictSame(synced.sort(), ['shares', 'shares/7t', `shares/7t/${INDEX}`]);
});

t.test('a directory that was removed and made again is settled again', async (t) => {
  const subject = await makeDiskSubject(t);
  const synced: string[] = [];
  const directories = new DirectorySync((directory) => {
    synced.push(relative(subject.layout.directory, directory));
    return Promise.resolve();
  });
  const files = await DiskFiles.open(subject.layout.directory, { directories });
  const store = new ContainerStore(files, storeOptions(new ManualClock()));
  t.teardown(() => store.close());
  for (const expected of [['shares', 'shares/7t', `shares/7t/${INDEX}`], [`shares/7t/${INDEX}`]]) {
    synced.length = 0;
    await store1(store, expected.length, share);
    t.strictSame([...new Set(synced)].sort(), expected);
  }
  await rm(subject.layout.prefixDirectory(storageIndex), { recursive: true });
  synced.length = 0;
  await store1(store, 0, share);
  t.strictSame(synced.sort(), ['shares', 'shares/7t', `shares/7t/${INDEX}`]);
});

t.test('writes that the system cuts short are gone on with', async (t) => {
  let cuts = 0;
  const fileSystem: FileSystem = {
    ...nodeFileSystem,
    open: async (...args) => {
      const handle = await nodeFileSystem.open(...args);
      const writev = handle.writev.bind(handle);
      handle.writev = (parts, position) => {
        cuts += 1;
        const size = [1, 10, 4095, 20_000][cuts % 4];
        return writev([Buffer.concat(parts).subarray(0, size)], position);
      };
      return handle;
    },
  };
  const directory = await temporaryDirectory(t);
  const store = await openDiskStore({ ...storeOptions(new ManualClock()), directory, fileSystem });
  t.teardown(() => store.close());
  const large = seededBytes('large', 200_000);
  await store1(store, 0, large);
  t.ok(cuts > 20);
  sameBytes(t, await readShare(store, 0), large);
});

t.test('syncs of one directory at once are shared, and cover all that asked', async (t) => {
  const running: (() => void)[] = [];
  const sync = new DirectorySync(
    () =>
      new Promise((resolve) => {
        running.push(resolve);
      }),
  );
  const done: string[] = [];
  const first = sync.sync('a').then(() => done.push('first'));
  const others = ['second', 'third', 'fourth'].map((name) => sync.sync('a').then(() => done.push(name)));
  const elsewhere = sync.sync('b').then(() => done.push('elsewhere'));
  t.equal(running.length, 2, 'one for each directory');
  running.shift()?.();
  await first;
  running.shift()?.();
  await elsewhere;
  t.strictSame(done, ['first', 'elsewhere'], 'those behind wait for a sync that began after they asked');
  t.equal(running.length, 1);
  running.shift()?.();
  await Promise.all(others);
  const last = sync.sync('a');
  t.equal(running.length, 1, 'a later one begins anew');
  running.shift()?.();
  await last;
});

t.test('only plain decimals name shares', (t) => {
  for (const name of ['', '00', '01', '-1', '+1', '1e1', '256', '1.tmp', ' 1', '١'])
    t.equal(shareNumberOfEntry(name), undefined);
  t.strictSame(['0', '9', '10', '255'].map(shareNumberOfEntry), [0, 9, 10, 255]);
  t.end();
});

t.test('free space is what the file system says', async (t) => {
  const subject = await makeDiskSubject(t);
  const store = await subject.open();
  const { availableSpace } = await store.figures();
  t.ok(Number.isSafeInteger(availableSpace) && availableSpace > 1000);
});

t.test('more than one process’s file size limit is no space, not half a share', async (t) => {
  const directory = join(await temporaryDirectory(t), 'storage');
  const child = new URL('../fixtures/crash-child.js', import.meta.url).pathname;
  // Without what test runners load into children: it takes signals that Node.js ignores.
  const command = ['-u', 'NODE_OPTIONS', 'prlimit', '--fsize=30000', process.execPath, child, directory];
  const output = execFileSync('env', command, {
    input: 'go\n',
    encoding: 'utf8',
  });
  t.match(output, /error 1 no space is left/);
  t.match(output, /error 2 no space is left/);
  t.notMatch(output, /ack/);
});
