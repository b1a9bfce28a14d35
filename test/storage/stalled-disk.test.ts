/** A disk that does not answer: what waits for it and what goes on. `test/crash/sim-faults.test.ts` has disks that fail. */
import t from 'tap';
import { SimDisk } from '#test/fixtures/sim-disk.js';
import { openSimStore, planOf, SimClients } from '#test/fixtures/sim-workload.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';

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
