/**
 * A sample of the kills of a store that is busy with mutable shares, of one whose shares are removed, of an index, and
 * of second kills while they recover: `npm run torture -- kill` runs all. Those of uploads are in full-sweep.test.ts.
 */
import t from 'tap';
import { checkKill, killPoints, recoveryPoints } from '#test/fixtures/kill-sweep.js';
import { straceWorks } from '#test/fixtures/strace.js';

/** How many are killed. The index takes the longest until its table is merged. */
const killCounts = { slots: 40, removals: 20, index: 14 } as const;
const RECOVERY_KILL_COUNT = 5;
const TIMEOUT_MS = 10 * 60_000;

/** So many of them, the same distance apart, and never the last few only. */
function sample<Thing>(things: readonly Thing[], count: number): Thing[] {
  const stride = Math.max(1, Math.floor(things.length / count));
  return things.filter((_, i) => i % stride === stride >> 1);
}

t.setTimeout(TIMEOUT_MS);
for (const work of ['slots', 'removals', 'index'] as const) {
  t.test(`${work}: killed at any call, and while it recovers`, { timeout: TIMEOUT_MS }, async (t) => {
    t.ok(straceWorks(), 'strace is there and may attach');
    const points = await killPoints(work);
    t.ok(points.length > 50, `${String(points.length)} points`);
    for (const point of sample(points, killCounts[work])) t.strictSame(await checkKill(point), []);
    const [middle] = sample(points, 1);
    const again = middle === undefined ? [] : sample(await recoveryPoints(middle), RECOVERY_KILL_COUNT);
    t.ok(again.length > 0);
    for (const point of again) t.strictSame(await checkKill(point), []);
    t.comment(`${String(points.length)} points`);
  });
}
