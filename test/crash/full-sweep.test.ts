/**
 * Every system call of an upload, a lease and a report, once with a kill in its place, once with EIO and once with
 * ENOSPC. Run by its own script.
 */
import t from 'tap';
import { checkPoint, pointsOf } from '#test/fixtures/crash-sweep.js';
import { straceWorks } from '#test/fixtures/strace.js';

const SWEEP_TIMEOUT_MS = 20 * 60_000;

t.setTimeout(SWEEP_TIMEOUT_MS);
for (const effect of ['signal=KILL', 'error=EIO', 'error=ENOSPC'] as const) {
  t.test(`${effect} at every system call`, { timeout: SWEEP_TIMEOUT_MS }, async (t) => {
    t.ok(straceWorks(), 'strace is there and may attach');
    const points = await pointsOf(effect);
    t.ok(points.length > 100, `${String(points.length)} points`);
    for (const point of points) t.strictSame(await checkPoint(point), []);
    t.comment(`${effect}: ${String(points.length)} points were run`);
  });
}
