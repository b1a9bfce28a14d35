/** Garbage collection: it reports before it removes, removes what has no live lease, and stops at any doubt. */
import { access, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { silentLog } from '#core/environment.js';
import { ExpiringFiles } from '#storage/index/expired-shares.js';
import type { ExpiringStore } from '#storage/index/expired-shares.js';
import {
  ABSENCE_MAX_MS,
  EXPIRY_REPORT_FILE,
  EXPIRY_STATE_FILE,
  ExpiryCycle,
  REPORT_GRACE_MS,
} from '#storage/index/expiry-cycle.js';
import type { ExpiryOptions } from '#storage/index/expiry-cycle.js';
import type { ExpiryPolicy } from '#storage/index/expiry-policy.js';
import type { ExpiryReport } from '#storage/index/expiry-report.js';
import { OwnFiles } from '#storage/index/own-files.js';
import type { ShareIndex } from '#storage/index/share-index.js';
import { KeyedLock } from '#storage/keyed-lock.js';
import { JumpingClock } from '#test/fixtures/clock.js';
import { differences, makeIndexSubject } from '#test/fixtures/index-subject.js';
import type { IndexSubject } from '#test/fixtures/index-subject.js';
import { immutableFile, mutableFile, placeFile, placeOf } from '#test/fixtures/share-files.js';

const DAY_MS = 86_400_000;
const policy: ExpiryPolicy = { rule: { mode: 'age', durationSeconds: undefined }, immutable: true, mutable: true };

interface Scene {
  readonly subject: IndexSubject;
  readonly index: ShareIndex;
  readonly clock: JumpingClock;
  readonly files: OwnFiles;
  readonly store: ExpiringStore;
  /** A cycle as a node that has just started has it. */
  cycle(changes?: Partial<ExpiryOptions>): ExpiryCycle;
  /** The numbers of the places where a share is. */
  left(): Promise<number[]>;
}

/** Shares at eight places; at 0 to 3 their leases are over, in the order 2, 0, 3, 1. */
async function makeScene(t: Test): Promise<Scene> {
  const subject = await makeIndexSubject(t);
  const { layout, inventory, events } = subject;
  const clock = new JumpingClock();
  const seconds = clock.nowMs() / 1000;
  const shares: Uint8Array[] = [
    immutableFile(new Uint8Array(10), [seconds - 300, seconds - 500]),
    mutableFile(new Uint8Array(10), [seconds - 100]),
    mutableFile(new Uint8Array(5000), [1, 2, 3, 4, 5, seconds - 400]),
    immutableFile(new Uint8Array(10_000), [seconds - 200]),
    immutableFile(new Uint8Array(10), [seconds - 200, seconds + 400 * 86_400]),
    immutableFile(new Uint8Array(10), []),
    mutableFile(new Uint8Array(10), [1, 2, 3, 4, 2 ** 32 - 1]),
    new Uint8Array(20),
  ];
  for (const [i, share] of shares.entries()) await placeFile(layout, placeOf(i), share);
  const { index, close } = await subject.open();
  t.teardown(close);
  await index.compared();
  const files = new OwnFiles(subject.directory);
  const store = new ExpiringFiles({ layout, inventory, events, lock: new KeyedLock() });
  const isThere = (i: number): Promise<boolean> =>
    access(layout.share(placeOf(i).storageIndex, placeOf(i).shareNumber)).then(
      () => true,
      () => false,
    );
  return {
    ...{ subject, index, clock, files, store },
    cycle: (changes) => new ExpiryCycle({ index, store, policy, files, clock, log: silentLog, ...changes }),
    left: async () => {
      const there = await Promise.all(shares.map((_, i) => isThere(i)));
      return there.flatMap((is, i) => (is ? [i] : []));
    },
  };
}

const all = [0, 1, 2, 3, 4, 5, 6, 7];
const alive = [4, 5, 6, 7];

/** A cycle whose report has lain there for long enough. */
async function ripe(scene: Scene, changes?: Partial<ExpiryOptions>): Promise<ExpiryCycle> {
  const cycle = scene.cycle(changes);
  await cycle.run();
  scene.clock.advance(REPORT_GRACE_MS);
  return cycle;
}

async function readReport({ files }: Scene): Promise<ExpiryReport> {
  return JSON.parse(await readFile(join(files.directory, EXPIRY_REPORT_FILE), 'utf8')) as ExpiryReport;
}

t.test('it reports, waits, and removes what has no live lease, the oldest first', async (t) => {
  const scene = await makeScene(t);
  const removed: number[] = [];
  scene.subject.events.listen((event) =>
    removed.push(all.find((i) => placeOf(i).shareNumber === event.shareNumber) ?? -1),
  );
  const cycle = scene.cycle();
  const removesAfterMs = scene.clock.nowMs() + REPORT_GRACE_MS;
  t.match(await cycle.run(), { kind: 'reported', removesAfterMs, report: { shareCount: 4, leaselessCount: 1 } });
  const report = await readReport(scene);
  t.match(report, { policy: /own time is over/, shareCount: 4, leaselessCount: 1 });
  t.same(
    report.shares.map(({ shareNumber }) => shareNumber),
    [2, 0, 3, 1],
  );
  t.match(report.shares[0], { kind: 'mutable', lastLeaseEnded: '2023-11-14T22:06:40.000Z' });
  scene.clock.advance(REPORT_GRACE_MS - 1);
  t.same(await cycle.run(), { kind: 'waiting', removesAfterMs });
  t.same(await scene.left(), all);
  scene.clock.advance(1);
  const { diskBytes } = report;
  t.same(
    await scene.cycle().run(),
    { kind: 'removed', shareCount: 4, diskBytes, keptCount: 0 },
    'also after a restart',
  );
  t.same(await scene.left(), alive);
  t.same(removed, [2, 0, 3, 1]);
  t.same(await differences(scene.subject, scene.index), []);
  await t.rejects(
    access(scene.subject.layout.indexDirectory(placeOf(0).storageIndex)),
    'nor is an empty directory left',
  );
  t.match(await cycle.run(), { kind: 'removed', shareCount: 0 });
  scene.clock.advance(1);
});

t.test('a lease renewed after the index looked saves the share', async (t) => {
  const scene = await makeScene(t);
  const seconds = scene.clock.nowMs() / 1000;
  const renewing: ExpiringStore = {
    removeExpired: async (storageIndex, shareNumber, isOver) => {
      if (shareNumber === 3)
        await placeFile(scene.subject.layout, placeOf(3), immutableFile(new Uint8Array(9), [seconds + 1e8]));
      if (shareNumber === 0) await rm(scene.subject.layout.share(storageIndex, 0));
      if (shareNumber === 1) await placeFile(scene.subject.layout, placeOf(1), new Uint8Array(7));
      return scene.store.removeExpired(storageIndex, shareNumber, isOver);
    },
  };
  const cycle = await ripe(scene, { store: renewing });
  t.match(await cycle.run(), { kind: 'removed', shareCount: 1, keptCount: 2 });
  t.same(await scene.left(), [1, 3, ...alive]);
});

t.test('only the kinds that are to expire', async (t) => {
  const scene = await makeScene(t);
  const cycle = await ripe(scene, { policy: { ...policy, mutable: false } });
  t.match(await cycle.run(), { kind: 'removed', shareCount: 2 });
  t.same(await scene.left(), [1, 2, ...alive]);
});

t.test('a jumping clock removes nothing, and says so', async (t) => {
  for (const days of [40 * 365, -40 * 365, 1, -1]) {
    const scene = await makeScene(t);
    const cycle = await ripe(scene);
    scene.clock.jumpMs = days * DAY_MS;
    t.match(await cycle.run(), { kind: 'paused', reason: /clock/ }, `${days} days`);
    t.same(await scene.left(), all);
    scene.clock.jumpMs = 0;
    const jumping: ExpiringStore = {
      removeExpired: (...share) => {
        scene.clock.jumpMs = days * DAY_MS;
        return scene.store.removeExpired(...share);
      },
    };
    const halfway = scene.cycle({ store: jumping });
    t.match(await halfway.run(), { kind: 'paused' }, 'in the middle of a cycle');
    t.same(await scene.left(), [0, 1, 3, ...alive], 'one was removed before it');
  }
});

t.test('whatever casts doubt on the report has it made again', async (t) => {
  const changes: Record<string, (scene: Scene) => Promise<Partial<ExpiryOptions>>> = {
    'other settings': async () => ({ policy: { ...policy, rule: { mode: 'age', durationSeconds: 86_400 } } }),
    'a long absence, or a clock moved meanwhile': async ({ clock }) => {
      clock.advance(ABSENCE_MAX_MS + 1);
      return {};
    },
    'no memory of it': async ({ files }) => {
      await rm(join(files.directory, EXPIRY_STATE_FILE));
      return {};
    },
    'a memory that makes no sense': async ({ files }) => {
      await writeFile(join(files.directory, EXPIRY_STATE_FILE), '{"wallMs": 1, "reportedMs": "long ago"');
      return {};
    },
    'a memory of another shape': async ({ files }) => {
      await writeFile(join(files.directory, EXPIRY_STATE_FILE), '{"wallMs": 1, "reportedMs": "x", "policy": ""}');
      return {};
    },
  };
  for (const [what, change] of Object.entries(changes)) {
    const scene = await makeScene(t);
    await ripe(scene);
    t.match(await scene.cycle(await change(scene)).run(), { kind: 'reported' }, what);
    t.ok((await scene.left()).length === all.length, what);
  }
  const scene = await makeScene(t);
  await ripe(scene);
  scene.clock.jumpMs = -2 * DAY_MS;
  t.match(await scene.cycle().run(), { kind: 'paused', reason: /behind/ }, 'a clock behind what is on the disk');
});

t.test('no report, no removal; a full disk does not stop removing', async (t) => {
  const scene = await makeScene(t);
  class FullFiles extends OwnFiles {
    override write(): Promise<void> {
      return Promise.reject(new Error('full'));
    }
  }
  const files = new FullFiles(scene.subject.directory);
  await t.rejects(scene.cycle({ files }).run(), { message: 'full' });
  await ripe(scene);
  t.match(await scene.cycle({ files }).run(), { kind: 'removed', shareCount: 4 });
});

t.test('it waits for the index, and stops when it is told to', async (t) => {
  const scene = await makeScene(t);
  const cycle = await ripe(scene);
  t.match(await cycle.run(AbortSignal.abort()), { kind: 'removed', shareCount: 0 });
  const indexThat = (isComplete: boolean): ShareIndex =>
    Object.create(scene.index, {
      settle: { value: () => Promise.resolve(isComplete) },
      page: { value: () => Promise.resolve(undefined) },
    }) as ShareIndex;
  t.match(await scene.cycle({ index: indexThat(false) }).run(), { kind: 'paused', reason: /not complete/ });
  t.match(await scene.cycle({ index: indexThat(true) }).run(), { kind: 'paused', reason: /made anew/ });
  t.same(await scene.left(), all);
});
