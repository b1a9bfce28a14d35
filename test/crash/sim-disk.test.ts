/** The simulated disk loses what it may, keeps what it must, and a sweep over it notices a store that does not sync. */
import t from 'tap';
import { Chance } from '#test/fixtures/chance.js';
import { SimDisk } from '#test/fixtures/sim-disk.js';
import { SimMoment } from '#test/fixtures/sim-history.js';
import { describeTree, PAGE_SIZE, SECTOR_SIZE } from '#test/fixtures/sim-inodes.js';
import { statesOf } from '#test/fixtures/sim-states.js';
import type { CrashModel } from '#test/fixtures/sim-states.js';
import { noCounts, sweepSeed } from '#test/fixtures/sim-sweep.js';

const models: readonly CrashModel[] = ['adversarial', 'ordered'];
t.setTimeout(80_000);
const limits = { enumerated: 10_000, sampled: 0 };

/** All that a power cut may leave of a disk now. */
function statesNow(disk: SimDisk, model: CrashModel): SimDisk[] {
  const { history } = disk;
  if (history === undefined) throw new Error('the disk has no history');
  const moment = new SimMoment(history);
  for (const event of history.events) moment.follow(event);
  const states = statesOf(moment, disk.root, { model, limits, chance: new Chance(1) });
  return [...states].map((root) => new SimDisk({}, root));
}

function namesNow(disk: SimDisk, model: CrashModel): string[] {
  const trees = statesNow(disk, model).map(({ root }) => describeTree(root).replaceAll(/:[0-9=,]*/g, ''));
  return [...new Set(trees)].sort();
}

async function write(disk: SimDisk, path: string, bytes: Uint8Array, sync = true): Promise<void> {
  const handle = await disk.open(path, 'wx+');
  await handle.writev([bytes], 0);
  if (sync) await handle.datasync();
  await handle.close();
}

async function syncDirectory(disk: SimDisk, path: string): Promise<void> {
  const handle = await disk.open(path, 'r');
  await handle.sync();
  await handle.close();
}

for (const model of models) {
  t.test(`${model}: what is synced stays, and nothing else can be found`, async (t) => {
    const disk = new SimDisk({ history: true });
    await disk.mkdir('/a/b');
    await write(disk, '/a/b/file', new Uint8Array(10_000).fill(7));
    for (const path of ['/a/b', '/a', '/']) await syncDirectory(disk, path);
    const states = statesNow(disk, model);
    t.equal(states.length, 1);
    t.strictSame(await states[0]?.readFile('/a/b/file'), new Uint8Array(10_000).fill(7));
  });

  t.test(`${model}: a name is lost with any directory above it`, async (t) => {
    const disk = new SimDisk({ history: true });
    await disk.mkdir('/a/b');
    await write(disk, '/a/b/file', new Uint8Array(1));
    t.strictSame(
      namesNow(disk, model),
      model === 'ordered' ? ['a/(b/(file))'] : ['', 'a/()', 'a/(b/())', 'a/(b/(file))'],
    );
    const unsynced = new SimDisk({ history: true });
    await unsynced.mkdir('/a/b');
    t.strictSame(namesNow(unsynced, model), ['', 'a/()', 'a/(b/())']);
  });

  t.test(`${model}: data, size and sectors of a page are lost on their own`, async (t) => {
    const disk = new SimDisk({ history: true });
    await write(disk, '/file', new Uint8Array(PAGE_SIZE).fill(1));
    await syncDirectory(disk, '/');
    const handle = await disk.open('/file', 'r+');
    await handle.writev([new Uint8Array(PAGE_SIZE + 10).fill(2)], 0);
    const contents = await Promise.all(statesNow(disk, model).map((state) => state.readFile('/file')));
    const seen = new Set(
      contents.map((bytes) => `${bytes.length} ${bytes[0]} ${bytes[PAGE_SIZE - 1]} ${bytes[PAGE_SIZE]}`),
    );
    for (const first of [1, 2]) {
      for (const last of [1, 2]) {
        t.ok(seen.has(`${PAGE_SIZE} ${first} ${last} undefined`), 'the size is lost');
        for (const added of [0xa5, 2])
          t.ok(seen.has(`${PAGE_SIZE + 10} ${first} ${last} ${added}`), 'the size is kept');
      }
    }
    for (const bytes of contents) {
      for (let start = 0; start < PAGE_SIZE; start += SECTOR_SIZE) {
        const sector = bytes.subarray(start, start + SECTOR_SIZE);
        if (new Set(sector).size !== 1) t.fail('a sector is torn');
      }
    }
    await handle.datasync();
    t.equal(statesNow(disk, model).length, 1);
  });

  t.test(`${model}: half a rename`, async (t) => {
    const disk = new SimDisk({ history: true });
    await disk.mkdir('/from');
    await disk.mkdir('/to');
    await write(disk, '/from/x', new Uint8Array(1));
    for (const path of ['/from', '/to', '/']) await syncDirectory(disk, path);
    await disk.rename('/from/x', '/to/y');
    const whole = ['from/() to/(y)', 'from/(x) to/()'];
    const half = 'from/(x) to/(y)';
    t.strictSame(namesNow(disk, model), model === 'ordered' ? whole : [...whole, half]);
    await syncDirectory(disk, '/to');
    t.strictSame(
      namesNow(disk, model),
      model === 'ordered' ? ['from/() to/(y)'] : ['from/() to/(y)', 'from/(x) to/(y)'],
    );
  });
}

t.test('a sync covers what was there when it began', async (t) => {
  const disk = new SimDisk({ history: true });
  await write(disk, '/file', new Uint8Array(1).fill(1));
  await syncDirectory(disk, '/');
  const handle = await disk.open('/file', 'r+');
  const covered = disk.history?.position ?? 0;
  await handle.writev([new Uint8Array(1).fill(2)], 0);
  if (handle !== undefined) disk.history?.sync(disk.root.entries.get('file') ?? disk.root, covered, false);
  t.equal(statesNow(disk, 'adversarial').length, 2);
});

t.test(
  'a few thousand states of a store; and as many of one whose syncs do nothing',
  { timeout: 80_000 },
  async (t) => {
    const counts = noCounts();
    for (const [seed, model] of models.entries()) {
      await sweepSeed(seed + 1, { model, limits: { enumerated: 4, sampled: 3 } }, counts);
    }
    t.strictSame(counts.faults, []);
    t.ok(counts.states > 1000 && counts.distinct > 300, JSON.stringify(counts));
    for (const model of models) {
      const control = noCounts();
      await sweepSeed(1, { model, limits: { enumerated: 4, sampled: 3 }, isForgetful: true }, control);
      t.ok(control.faults.length > 0, `${model}: ${control.faults[0] ?? 'the control lost nothing'}`);
    }
  },
);
