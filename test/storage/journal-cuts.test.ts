/** What the journal of small writes must not do: undo what came after it, believe what clients wrote, or its own failures. */
import { cp, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { fromUtf8, toHex, utf8 } from '#core/bytes.js';
import { DiskLayout } from '#storage/disk-layout.js';
import { openDiskStore } from '#storage/disk-store.js';
import {
  decodeJournal,
  decodeJournalHead,
  encodeGroup,
  encodeJournalHead,
  JOURNAL_PAGE_SIZE,
} from '#storage/journal-record.js';
import type { JournalRecord } from '#storage/journal-record.js';
import { decodeLeaseSlots, MUTABLE_DATA_OFFSET } from '#storage/mutable-container.js';
import { SMALL_SHARE_SIZE_MAX } from '#storage/share-files.js';
import type { ShareStore } from '#storage/share-store.js';
import { Chance } from '#test/fixtures/chance.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { temporaryDirectory } from '#test/fixtures/disk-subject.js';
import { readMutable, readTestWrite, writeMutable } from '#test/fixtures/mutable-store.js';
import { leaseSecrets, otherIndex, sorted, storageIndex, storeOptions } from '#test/fixtures/share-store.js';
import { SimDisk } from '#test/fixtures/sim-disk.js';
import { SimMoment } from '#test/fixtures/sim-history.js';
import { statesOf } from '#test/fixtures/sim-states.js';

const SETTLING_MS = 5_000;
/** More than the journal takes of one share, in bytes. */
const LARGE_SIZE = SMALL_SHARE_SIZE_MAX + 1;
const directory = '/store';
const layout = new DiskLayout(directory);
const [journal] = layout.journals;

function openStore(fileSystem: SimDisk, clock = new ManualClock()): Promise<ShareStore> {
  return openDiskStore({ ...storeOptions(clock), directory, fileSystem });
}

/** All that a power cut may leave of a disk now. */
function statesNow(disk: SimDisk): SimDisk[] {
  const { history, root } = disk;
  if (history === undefined) throw new Error('the disk has no history');
  const moment = new SimMoment(history);
  for (const event of history.events) moment.follow(event);
  const limits = { enumerated: 300, sampled: 100 };
  const states = statesOf(moment, root, { model: 'adversarial', limits, chance: new Chance(1) });
  return [...states].map((state) => new SimDisk({}, state));
}

t.test('what a client wrote is never taken for a record', async (t) => {
  const [older, newer] = [5, 7];
  const record: JournalRecord = {
    ...{ kind: 'new', storageIndex, shareNumber: 3, modifiedMs: 5 },
    bytes: seededBytes('share', 100),
  };
  const forged = Buffer.concat(encodeGroup(newer, [{ ...record, storageIndex: otherIndex }]));
  const group = Buffer.alloc(JOURNAL_PAGE_SIZE);
  Buffer.concat(encodeGroup(newer, [record])).copy(group);
  let believed = 0;
  for (let offset = 0; offset < JOURNAL_PAGE_SIZE; offset++) {
    // What the file held at an earlier time: a share that looks like a group, somewhere.
    const share = Buffer.concat([new Uint8Array(JOURNAL_PAGE_SIZE + offset), forged, new Uint8Array(500)]);
    const left = Buffer.concat(encodeGroup(older, [{ ...record, bytes: share }]));
    for (const from of [JOURNAL_PAGE_SIZE, 2 * JOURNAL_PAGE_SIZE]) {
      const file = Buffer.concat([encodeJournalHead(newer - 1), group, left.subarray(from)]);
      if (decodeJournal(file)?.records.length !== 1) believed += 1;
    }
  }
  t.equal(believed, 0);
});

/** The bytes of both shares, and how many leases the first has, in a store that is opened on what is left. */
async function openedOn(disk: SimDisk): Promise<string> {
  const store = await openStore(disk);
  const [first, second] = [await readMutable(store, 0), await readMutable(store, 1)];
  await store.close();
  const file = first === undefined ? undefined : await disk.readFile(layout.share(storageIndex, 0));
  const leases =
    file === undefined
      ? 0
      : decodeLeaseSlots(file.subarray(0, MUTABLE_DATA_OFFSET), new Uint8Array(4)).filter(Boolean).length;
  return (
    [first, second].map((bytes) => (bytes === undefined ? 'none' : toHex(bytes.subarray(0, 4)))).join() +
    ` ${String(leases)}`
  );
}

t.test('what follows in another way is not undone, in any state', async (t) => {
  const later: readonly [name: string, change: (store: ShareStore) => Promise<unknown>][] = [
    ['a lease', (store) => store.addLease(storageIndex, leaseSecrets('other'))],
    ['several shares', (store) => writeMutable(store, [0, 1], seededBytes('both', 300))],
    ['several large shares', (store) => writeMutable(store, [0, 1], seededBytes('both', LARGE_SIZE))],
    ['a removal', (store) => readTestWrite(store, { 0: { newLength: 0 } })],
  ];
  for (const [name, change] of later) {
    const disk = new SimDisk({ history: true });
    const store = await openStore(disk);
    await writeMutable(store, [0], seededBytes('first', 300));
    await change(store);
    const states = statesNow(disk);
    await store.close();
    const wanted = await openedOn(disk);
    const found = new Set<string>();
    for (const state of states) found.add(await openedOn(state));
    t.strictSame([...found], [wanted], name);
  }
});

t.test('ten small shares of one request take one sync', async (t) => {
  const disk = new SimDisk();
  const store = await openStore(disk);
  const numbers = Array.from({ length: 10 }, (_, shareNumber) => shareNumber);
  await writeMutable(store, numbers, seededBytes('first', 300));
  const syncs: string[] = [];
  disk.fault = ({ name, path }) => {
    if (name.endsWith('sync')) syncs.push(path);
    return undefined;
  };
  await writeMutable(store, numbers, seededBytes('second', 300));
  t.strictSame(syncs, [journal]);
  await store.close();
});

t.test('a share that is removed while others are being settled does not come back', async (t) => {
  const disk = new SimDisk({ history: true });
  const clock = new ManualClock();
  const store = await openStore(disk, clock);
  await writeMutable(store, [0], seededBytes('first', 300));
  let answer: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    disk.delay = ({ name, path }) => {
      if (name !== 'writev' || path !== journal) return undefined;
      resolve();
      return new Promise<void>((done) => (answer = done));
    };
  });
  clock.advance(SETTLING_MS);
  await held;
  disk.delay = undefined;
  await readTestWrite(store, { 0: { newLength: 0 } });
  t.strictSame(sorted(await store.listMutable(storageIndex)), []);
  for (const state of statesNow(disk)) {
    const again = await openStore(state);
    t.strictSame(sorted(await again.listMutable(storageIndex)), [], 'it was acknowledged that it is gone');
    await again.close();
  }
  answer();
  await settle();
  await store.close();
});

t.test('what could not be recorded is not carried out', async (t) => {
  let failures = 0;
  for (let failing = 1; failing <= 4; failing++) {
    let writes = 0;
    const fault = ({ name, path }: { name: string; path: string }): 'ENOSPC' | undefined =>
      name === 'writev' && path === journal && ++writes === failing ? 'ENOSPC' : undefined;
    const disk = new SimDisk({ fault });
    const store = await openStore(disk);
    const write = writeMutable(store, [0], seededBytes('first', 300));
    const isKept = await write.then(
      () => true,
      () => false,
    );
    if (!isKept) failures += 1;
    const found = decodeJournal(await disk.readFile(journal))?.records.length ?? 0;
    t.equal(found, isKept ? 1 : 0, `write ${String(failing)} to the journal`);
    await store.close();
  }
  t.equal(failures, 3, 'of its head, of the record, and of the room behind it');
});

t.test('a clock that is set back does not make an old file newer than its record', async (t) => {
  const folder = await temporaryDirectory(t);
  const clock = new ManualClock();
  const machine = join(folder, 'machine');
  const share = new DiskLayout(machine).share(storageIndex, 0);
  const store = await openDiskStore({ ...storeOptions(clock), directory: machine });
  await writeMutable(store, [0], seededBytes('first', 300));
  await store.close();
  // The clock was an hour ahead then.
  const aheadSeconds = (await stat(share)).mtimeMs / 1000 + 3600;
  await utimes(share, aheadSeconds, aheadSeconds);
  const old = await readFile(share);
  const again = await openDiskStore({ ...storeOptions(clock), directory: machine });
  for (const text of ['second', 'third']) await writeMutable(again, [0], seededBytes(text, 300));
  const cut = join(folder, 'cut');
  await cp(machine, cut, { recursive: true, preserveTimestamps: true });
  await writeFile(new DiskLayout(cut).share(storageIndex, 0), old);
  await utimes(new DiskLayout(cut).share(storageIndex, 0), aheadSeconds, aheadSeconds);
  const recovered = await openDiskStore({ ...storeOptions(clock), directory: cut });
  t.strictSame(await readMutable(recovered, 0), seededBytes('third', 300));
  await recovered.close();
  await again.close();
});

t.test('a directory that goes with its last share while that is being settled is no failure', async (t) => {
  const disk = new SimDisk();
  const clock = new ManualClock();
  const store = await openStore(disk, clock);
  await writeMutable(store, [0], seededBytes('first', 300));
  let answer: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    disk.delay = ({ name, path }) => {
      if (name !== 'close' || path !== layout.share(storageIndex, 0)) return undefined;
      resolve();
      return new Promise<void>((done) => (answer = done));
    };
  });
  clock.advance(SETTLING_MS);
  await held;
  disk.delay = undefined;
  await readTestWrite(store, { 0: { newLength: 0 } });
  t.equal(await disk.readdir(layout.prefixDirectory(storageIndex)).then((names) => names.length), 0);
  answer();
  await settle();
  t.equal((await store.figures()).readonly, false);
  const head = decodeJournalHead(await disk.readFile(journal));
  t.ok(head !== undefined && head > 0, 'and what was recorded is over at once');
  await writeMutable(store, [0], seededBytes('second', 300));
  await store.close();
});

// The first share is in its place at that moment and the second is not: with a record of its own, or in the journal.
for (const { name, size, heldRename } of [
  { name: 'several large shares', size: LARGE_SIZE, heldRename: 3 },
  { name: 'several small shares', size: 300, heldRename: 2 },
]) {
  t.test(`a change to ${name} is carried to its end though the clock was set back`, async (t) => {
    const earlier = new SimDisk({ clockStep: () => 10 });
    const first = await openStore(earlier);
    await writeMutable(first, [1], seededBytes('first', 300));
    await first.close();
    let step = -1000;
    const disk = new SimDisk({ history: true, clockStep: () => step }, earlier.root);
    const store = await openStore(disk);
    await store.addLease(storageIndex, leaseSecrets('other'));
    step = 1;
    let answer: () => void = () => undefined;
    let renames = 0;
    const held = new Promise<void>((resolve) => {
      disk.delay = ({ name }) => {
        if (name !== 'rename' || ++renames < heldRename) return undefined;
        resolve();
        return new Promise<void>((done) => (answer = done));
      };
    });
    const writing = writeMutable(store, [0, 1], seededBytes('both', size));
    await held;
    const states = statesNow(disk);
    disk.delay = undefined;
    const before = toHex(seededBytes('first', 300).subarray(0, 4));
    const after = toHex(seededBytes('both', size).subarray(0, 4));
    const found = new Set<string>();
    for (const state of states) found.add((await openedOn(state)).split(' ')[0] ?? '');
    t.ok(states.length > 1, `${String(states.length)} states`);
    t.strictSame(
      [...found].filter((each) => each !== `none,${before}`),
      [`${after},${after}`],
    );
    answer();
    await writing;
    await store.close();
  });
}

t.test('small shares are placed together or not at all, whatever rename fails', async (t) => {
  const outcomes: string[] = [];
  for (const code of ['ENOSPC', 'EIO']) {
    for (let failing = 1; failing <= 4; failing++) {
      const disk = new SimDisk();
      const store = await openStore(disk);
      await writeMutable(store, [0, 1], seededBytes('first', 300));
      let renames = 0;
      disk.fault = ({ name }) => (name === 'rename' && ++renames === failing ? code : undefined);
      await t.rejects(writeMutable(store, [0, 1, 2, 3], seededBytes('all', 300)), { code: /ERR_DISK|ERR_NO_SPACE/ });
      disk.fault = undefined;
      const isTrusted = !(await store.figures()).readonly;
      const shares = sorted(await store.listMutable(storageIndex)).join('');
      outcomes.push(`${code} ${String(failing)}: ${isTrusted ? 'well' : 'read-only'} with ${shares}`);
      if (isTrusted) await writeMutable(store, [0, 1, 2, 3], seededBytes('all', 300));
      await store.close();
      const again = await openStore(disk);
      for (const n of [0, 1, 2, 3]) t.strictSame(await readMutable(again, n), seededBytes('all', 300));
      await again.close();
    }
  }
  const each = (code: string): string[] => [
    `${code} 1: well with 01`,
    `${code} 2: well with 01`,
    `${code} 3: well with 01`,
    `${code} 4: read-only with 0123`,
  ];
  t.strictSame(outcomes, [...each('ENOSPC'), ...each('EIO')], 'new shares go first, and are taken back');
});

t.test('what cannot be settled for the moment is settled later', async (t) => {
  for (const code of ['EMFILE', 'EIO', 'ENOSPC']) {
    const disk = new SimDisk({ history: true });
    const clock = new ManualClock();
    const store = await openStore(disk, clock);
    await writeMutable(store, [0, 1], seededBytes('first', 300));
    let failures = 0;
    disk.fault = ({ name, path }) => {
      if (name !== 'open' || path !== layout.share(storageIndex, 0)) return undefined;
      failures += 1;
      return code;
    };
    for (let i = 1; i <= 3; i++) {
      clock.advance(SETTLING_MS);
      await settle();
      t.equal(failures, i, `${code}: tried`);
    }
    t.equal((await store.figures()).readonly, false);
    await writeMutable(store, [2], seededBytes('another', 300), { storageIndex: otherIndex });
    for (const state of statesNow(disk)) t.match(await openedOn(state), /^(?!none)(.*),\1 /, 'and still recorded');
    disk.fault = undefined;
    for (let i = 0; i < 2; i++) {
      clock.advance(SETTLING_MS);
      await settle();
    }
    for (const path of layout.journals) t.equal(decodeJournal(await disk.readFile(path)), undefined, 'settled');
    await store.close();
  }
});

t.test('what was recorded and not placed is dropped before anything else is recorded', async (t) => {
  const disk = new SimDisk({ history: true });
  const store = await openStore(disk);
  await writeMutable(store, [0, 1], seededBytes('first', 300));
  let opened = 0;
  // The files are made, and nothing can be opened after that.
  disk.fault = ({ name }) => (name === 'rename' || (name === 'open' && ++opened > 4) ? 'EIO' : undefined);
  await t.rejects(writeMutable(store, [0, 1], seededBytes('failed', 300)), { code: 'ERR_DISK' });
  t.equal((await store.figures()).readonly, false);
  disk.fault = undefined;
  await writeMutable(store, [0], seededBytes('later', 300));
  const [first, later] = ['first', 'later'].map((text) => toHex(seededBytes(text, 300).subarray(0, 4)));
  const found = new Set<string>();
  for (const state of statesNow(disk)) found.add((await openedOn(state)).split(' ')[0] ?? '');
  t.strictSame([...found], [`${String(later)},${String(first)}`], 'nothing of what failed comes back');
  await store.close();
});

t.test('what an older file tells of a share never outlasts what the newer one does', async (t) => {
  for (const newer of [0, 1]) {
    const disk = new SimDisk();
    await (await openStore(disk)).close();
    // The clock was ahead when these were recorded.
    const file = (epoch: number, text: string): Uint8Array => {
      const share = { storageIndex, shareNumber: 0, modifiedMs: 1_000_000, bytes: utf8(text) };
      return Buffer.concat([Buffer.from(encodeJournalHead(1)), ...encodeGroup(epoch, [{ kind: 'new', ...share }])]);
    };
    for (const [i, path] of layout.journals.entries()) {
      const handle = await disk.open(path, 'wx+');
      await handle.writev([i === newer ? file(3, 'newer') : file(2, 'older')], 0);
      await handle.close();
    }
    // The first file is cleared, and then the power fails.
    let clears = 0;
    disk.fault = ({ name, path }) =>
      name === 'writev' && layout.journals.includes(path) && ++clears === 2 ? 'EIO' : undefined;
    await t.rejects(openStore(disk), { code: 'ERR_DISK' });
    disk.fault = undefined;
    await (await openStore(disk)).close();
    const share = await disk.readFile(layout.share(storageIndex, 0));
    t.equal(fromUtf8(share), 'newer', `the newer is number ${String(newer)}`);
  }
});
