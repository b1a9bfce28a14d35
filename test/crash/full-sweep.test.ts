/**
 * System calls of an upload, a lease and a report, once with a kill in their place, once with EIO and once with ENOSPC:
 * one in TALLAC_SWEEP_STRIDE, and with 1 every one.
 */
import t from 'tap';
import { checkPoint, pointsOf } from '#test/fixtures/crash-sweep.js';
import { straceWorks } from '#test/fixtures/strace.js';

const STRIDE = Number(process.env.TALLAC_SWEEP_STRIDE ?? '3');
const SWEEP_TIMEOUT_MS = 20 * 60_000;

t.setTimeout(SWEEP_TIMEOUT_MS);
for (const effect of ['signal=KILL', 'error=EIO', 'error=ENOSPC'] as const) {
  t.test(`${effect} at one in ${String(STRIDE)} system calls`, { timeout: SWEEP_TIMEOUT_MS }, async (t) => {
    t.ok(straceWorks(), 'strace is there and may attach');
    const points = await pointsOf(effect);
    t.ok(points.length > 100, `${String(points.length)} points`);
    for (const point of points.filter((_, i) => i % STRIDE === STRIDE >> 1)) t.strictSame(await checkPoint(point), []);
    t.comment(`${effect}: one in ${String(STRIDE)} of ${String(points.length)} points`);
  });
}
