/**
 * Sixteen seeds of the whole-grid simulation; test/crash runs hundreds. A seed that fails says how to replay it. And the
 * simulation itself: a seed gives the same scenario every time, and what must not be is noticed.
 */
import t from 'tap';
import { runSeeds } from '../grid/run-seeds.js';
import { inVirtualTime } from '../grid/virtual-time.js';
import { simulate } from '../grid/simulation.js';
import type { MakeWorkload, Operation } from '../grid/simulation.js';
import { Violation } from '../grid/world.js';

t.test('seeds 1 to 16', { timeout: 60_000 }, async (t) => {
  const { outcomes } = await runSeeds(t, '1..16');
  for (const outcome of ['put: stored', 'get: read', 'make: made', 'overwrite: written', 'link: written', 'read: read'])
    t.ok((outcomes[outcome] ?? 0) > 0, `${outcome} came about`);
});

t.test('a seed gives the same scenario every time, and another seed another', async (t) => {
  const [first, again, other] = [await simulate(7), await simulate(7), await simulate(8)];
  t.equal(first.digest, again.digest);
  t.equal(first.virtualMs, again.virtualMs);
  t.not(first.digest, other.digest);
});

t.test('operations that never end, are late, go wrong or leave a timer are violations', async (t) => {
  const cases: [RegExp, (world: Parameters<MakeWorkload>[0]) => Promise<string>][] = [
    [/^odd: it is overdue/, () => new Promise(() => undefined)],
    [
      /^odd: it is overdue/,
      async (world) => {
        await new Promise<void>((resolve) => world.clock.schedule(5001, resolve));
        return 'late';
      },
    ],
    [/^odd: wrong bytes/, () => Promise.reject(new Violation('wrong bytes'))],
    [/^odd: Error: a bug/, () => Promise.reject(new Error('a bug'))],
    [
      /^the grid: 1 timers are left/,
      ({ clock }) => Promise.resolve(String(clock.schedule(10 ** 8, () => undefined) === undefined)),
    ],
  ];
  for (const [expected, run] of cases) {
    let count = 0;
    const make: MakeWorkload = (world) => {
      const act = (): Promise<string> => (count++ === 0 ? run(world) : Promise.resolve('well'));
      const operation: Operation = { name: 'odd', deadlineMs: 5000, run: act };
      return { next: () => operation, finally: () => [] };
    };
    const { violations } = await simulate(1, [make]);
    t.equal(violations.length, 1);
    t.match(violations[0], expected);
  }
});

t.test('an operation that waits for nothing is stuck', async (t) => {
  const { ManualClock } = await import('../fixtures/clock.js');
  t.match(await inVirtualTime(new ManualClock(), new Promise(() => undefined), 1000), { kind: 'stuck', elapsedMs: 0 });
});
