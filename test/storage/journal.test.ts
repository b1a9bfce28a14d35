import { cp, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import type { Test } from 'tap';
import { DiskLayout } from '#storage/disk-layout.js';
import { openDiskStore } from '#storage/disk-store.js';
import type { DiskStoreOptions } from '#storage/disk-store.js';
import {
  decodeJournal,
  decodeJournalHead,
  encodeGroup,
  encodeJournalHead,
  groupSize,
  JOURNAL_PAGE_SIZE,
  recordSize,
} from '#storage/journal-record.js';
import type { JournalRecord } from '#storage/journal-record.js';
import type { ShareStore } from '#storage/share-store.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { readMutable, slotRequest, vectors, writeMutable } from '#test/fixtures/mutable-store.js';
import { leaseSecrets, storageIndex, storeOptions } from '#test/fixtures/share-store.js';

const records = fc.array(
  fc.record({
    kind: fc.constantFrom('settled', 'replaced', 'new'),
    storageIndex: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    shareNumber: fc.nat(255),
    modifiedMs: fc.double({ min: 0, max: 2e12, noNaN: true }),
    bytes: fc.uint8Array({ maxLength: 5000 }),
  }),
  { minLength: 1, maxLength: 4 },
);

/** A whole file of the journal, with what an earlier time left behind its end. */
function fileOf(
  epoch: number,
  groups: readonly (readonly JournalRecord[])[],
  rest: Uint8Array = new Uint8Array(0),
): Buffer {
  const pages = groups.map((group) => {
    const page = Buffer.alloc(groupSize(group.reduce((sum, record) => sum + recordSize(record), 0)));
    Buffer.concat(encodeGroup(epoch, group)).copy(page);
    return page;
  });
  return Buffer.concat([encodeJournalHead(epoch - 1), ...pages, rest]);
}

t.test('records', async (t) => {
  t.test('come back as they were, up to what an earlier time left', async () => {
    fc.assert(
      fc.property(fc.array(records, { minLength: 1, maxLength: 3 }), fc.nat(), (groups, epoch) => {
        const earlier = fileOf(epoch + 1, [groups[0] ?? []]).subarray(JOURNAL_PAGE_SIZE);
        const found = decodeJournal(fileOf(epoch + 2, groups, earlier));
        return (
          found?.epoch === epoch + 2 &&
          JSON.stringify(found.records.map(textOf)) === JSON.stringify(groups.flat().map(textOf))
        );
      }),
      { numRuns: 100 },
    );
  });
  t.test('of a group that is damaged anywhere end the file there', async (t) => {
    const one: JournalRecord = {
      kind: 'new',
      storageIndex,
      shareNumber: 3,
      modifiedMs: 5.5,
      bytes: seededBytes('x', 100),
    };
    const file = fileOf(7, [[one], [one, one]]);
    const wrong: number[] = [];
    for (let i = 0; i < JOURNAL_PAGE_SIZE + 150; i++) {
      const damaged = Buffer.from(file);
      damaged[JOURNAL_PAGE_SIZE + i] = (damaged[JOURNAL_PAGE_SIZE + i] ?? 0) ^ 1;
      const isPadding = i >= 150 && i < JOURNAL_PAGE_SIZE;
      const wanted = isPadding ? 3 : i < 150 ? 0 : 1;
      if ((decodeJournal(damaged)?.records.length ?? 0) !== wanted) wrong.push(i);
    }
    t.strictSame(wrong, []);
    t.equal(decodeJournal(file.subarray(0, JOURNAL_PAGE_SIZE + 100)), undefined, 'cut off');
  });
  t.test('of an epoch that is over do not count', async (t) => {
    const file = fileOf(7, [
      [{ kind: 'new', storageIndex, shareNumber: 3, modifiedMs: 5, bytes: seededBytes('x', 10) }],
    ]);
    Buffer.from(encodeJournalHead(7)).copy(file);
    t.equal(decodeJournal(file), undefined);
    t.equal(decodeJournalHead(file), 7);
    file[9] = 1;
    t.equal(decodeJournalHead(file), undefined, 'a damaged head');
    t.equal(decodeJournal(new Uint8Array(0)), undefined);
  });
});

function textOf({ bytes, storageIndex, ...rest }: JournalRecord): object {
  return {
    ...rest,
    bytes: Buffer.from(bytes).toString('hex'),
    storageIndex: Buffer.from(storageIndex).toString('hex'),
  };
}

/** A store, and what a power cut would leave of it: everything but what was placed since `before`. */
class Machine {
  readonly directory: string;
  readonly layout: DiskLayout;
  readonly clock = new ManualClock();
  #copyCount = 0;

  constructor(directory: string) {
    this.directory = directory;
    this.layout = new DiskLayout(directory);
  }

  static async make(t: Test): Promise<Machine> {
    const folder = await mkdtemp(join(tmpdir(), 'tallac-journal-'));
    t.teardown(() => rm(folder, { recursive: true, force: true }));
    return new Machine(join(folder, 'storage'));
  }

  open(options: Partial<DiskStoreOptions> = {}): Promise<ShareStore> {
    return openDiskStore({ ...storeOptions(this.clock), directory: this.directory, ...options });
  }

  path(shareNumber = 0): string {
    return this.layout.share(storageIndex, shareNumber);
  }

  /** A copy of the directory, as if the process had ended at this moment. */
  async killed(): Promise<Machine> {
    this.#copyCount += 1;
    const copy = new Machine(`${this.directory}-${String(this.#copyCount)}`);
    await cp(this.directory, copy.directory, { recursive: true, preserveTimestamps: true });
    return copy;
  }
}

const first = seededBytes('first', 300);
const second = seededBytes('second', 300);

t.test('after a power cut', async (t) => {
  const machine = await Machine.make(t);
  const store = await machine.open();
  await writeMutable(store, [0], first);
  machine.clock.advance(5_000);
  // What follows is behind the settling of the first.
  await store.addLease(storageIndex, leaseSecrets('other'));
  const old = await readFile(machine.path());
  const { mtimeMs } = await stat(machine.path());
  await writeMutable(store, [0], second);
  const placed = await readFile(machine.path());

  const cases: readonly [name: string, change: (path: string) => Promise<void>, data: Uint8Array | undefined][] = [
    ['the old file is back', async (path) => writeAt(path, old, mtimeMs), second],
    ['the new file is torn', async (path) => writeAt(path, placed.subarray(0, 200), mtimeMs), second],
    ['the new file is empty', async (path) => writeAt(path, new Uint8Array(0), mtimeMs), second],
    ['all is as it was', () => Promise.resolve(), second],
    ['another program wrote it', async (path) => writeAt(path, old, Date.now() + 1000), first],
    ['another program removed it', async (path) => rm(path), undefined],
  ];
  for (const [name, change, data] of cases) {
    const copy = await machine.killed();
    await change(copy.path());
    for (const time of ['once', 'twice']) {
      const recovered = await copy.open();
      t.strictSame(await readMutable(recovered, 0), data, `${name}, opened ${time}`);
      await recovered.close();
    }
  }
  await store.close();
});

t.test('a share that was new and is gone comes back', async (t) => {
  const machine = await Machine.make(t);
  const store = await machine.open();
  await writeMutable(store, [0], first);
  await writeMutable(store, [0], second);
  const copy = await machine.killed();
  await rm(join(copy.path(), '..'), { recursive: true });
  const recovered = await copy.open();
  t.strictSame(await readMutable(recovered, 0), second);
  await recovered.close();
  await store.close();
});

t.test('what is changed in another way is not undone', async (t) => {
  const machine = await Machine.make(t);
  const store = await machine.open();
  await writeMutable(store, [0], first);
  await writeMutable(store, [0, 1], second);
  await store.addLease(storageIndex, leaseSecrets('later'));
  const copy = await machine.killed();
  const before = await readFile(copy.path());
  // Even with the times of the files lost.
  await utimes(copy.path(), 1, 1);
  const recovered = await copy.open();
  t.ok((await readFile(copy.path())).equals(before), 'nothing was recorded any more');
  await recovered.close();
  await store.close();
});

t.test('the files take turns and stay small', async (t) => {
  const machine = await Machine.make(t);
  const journalSize = 4 * JOURNAL_PAGE_SIZE;
  const store = await machine.open({ journalSize });
  for (let i = 0; i < 40; i++) await writeMutable(store, [0], seededBytes(`write ${String(i)}`, 300));
  for (const path of machine.layout.journals) {
    const { size } = await stat(path);
    t.ok(size > JOURNAL_PAGE_SIZE && size <= 2 * journalSize + JOURNAL_PAGE_SIZE, String(size));
  }
  await store.close();
  for (const path of machine.layout.journals) t.equal(decodeJournal(await readFile(path)), undefined, 'cleared');
  t.strictSame(await readdir(machine.layout.writing), []);
  const again = await machine.open();
  t.strictSame(await readMutable(again, 0), seededBytes('write 39', 300));
  await again.close();
});

t.test('what was written a moment ago is not read again, unless something happened to it', async (t) => {
  const machine = await Machine.make(t);
  const store = await machine.open();
  await writeMutable(store, [0], first);
  const grown = seededBytes('grown', 700);
  await writeMutable(store, [0], grown);
  await store.addLease(storageIndex, leaseSecrets('other'));
  await writeMutable(store, [0], second);
  const file = await readFile(machine.path());
  t.equal(file.subarray(100 + 92, 100 + 2 * 92).readUInt32BE(0), 1, 'the lease that came in between is there');
  await rm(machine.path());
  await writeMutable(store, [0], first);
  t.strictSame(await readMutable(store, 0), first, 'a file that was removed is made anew');
  await store.close();
});

t.test('nor are several shares, unless one is gone or another has come', async (t) => {
  const machine = await Machine.make(t);
  const store = await machine.open();
  await writeMutable(store, [0, 1, 2], first);
  await writeMutable(store, [1], second);
  await writeMutable(store, [0], second);
  for (const [shareNumber, data] of [second, second, first].entries()) {
    t.strictSame(await readMutable(store, shareNumber), data, String(shareNumber));
  }
  await cp(machine.path(0), machine.path(7));
  const reads = [{ offset: 0, size: 10 }];
  const { data } = await store.readTestWrite({ ...slotRequest(vectors({})), reads });
  t.strictSame([...data.keys()].sort(), [0, 1, 2, 7], 'a share that another program made is there at once');
  await writeMutable(store, [0, 1, 2, 7], second);
  await rm(machine.path(1));
  await writeMutable(store, [1, 2], first);
  t.strictSame(await readMutable(store, 1), first, 'a file that was removed is made anew');
  await store.close();
});

async function writeAt(path: string, bytes: Uint8Array, modifiedMs: number): Promise<void> {
  await writeFile(path, bytes);
  await utimes(path, modifiedMs / 1000, modifiedMs / 1000);
}
