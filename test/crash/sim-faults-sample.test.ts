/**
 * A disk that fails at one call, or from one call on, and then loses what it may: a sample of all calls.
 * `test/crash/sim-faults.test.ts` runs every one.
 */
import t from 'tap';
import { SimDisk } from '#test/fixtures/sim-disk.js';
import { sweepFaults } from '#test/fixtures/sim-fault-sweep.js';
import type { FaultCounts } from '#test/fixtures/sim-fault-sweep.js';
import { openSimStore, planOf, SimClients } from '#test/fixtures/sim-workload.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';

t.test('a sample of all calls', { timeout: 80_000 }, async (t) => {
  const counts: FaultCounts = { faults: 0, states: 0, problems: [] };
  for (let seed = 1; seed <= 3; seed++) await sweepFaults(seed, counts, 11);
  t.strictSame(counts.problems, []);
  t.ok(counts.faults > 100, `${String(counts.faults)} faults, ${String(counts.states)} states after them`);
});

t.test(
  'a disk that does not answer holds up nobody at other indexes, and nothing is said before it does',
  async (t) => {
    const disk = new SimDisk();
    const clock = new ManualClock();
    const store = await openSimStore(disk, clock);
    const clients = new SimClients(planOf(1), disk, store, clock);
    await clients.upload(1, [0], 0);
    let answer: () => void = () => undefined;
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    let held = 0;
    disk.delay = (call) => {
      if (call.name !== 'datasync') return undefined;
      held += 1;
      return answered;
    };
    const uploading = clients.upload(0, [0], 0);
    while (held === 0) await settle(1);
    await settle();
    t.notOk(clients.promises.shares.has('0/0'), 'a share is not acknowledged while its sync is under way');
    t.strictSame([...(await store.listShares(new Uint8Array(16).fill(1).fill(2, 8)))], [0], 'others are served');
    t.ok((await store.figures()).availableSpace > 0);
    clock.advance(29 * 60_000);
    answer();
    await uploading;
    t.ok(clients.promises.shares.has('0/0'));
    await store.close();
  },
);
