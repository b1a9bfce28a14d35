/** Power cuts on ext4 under the load of several clients of a real node: `npm run torture -- power` makes more. */
import t from 'tap';
import { whyNoLoopDisk } from '#test/fixtures/loop-disk.js';
import { cutPower } from '#test/fixtures/power-cuts.js';

const CUT_COUNT = 5;
const TIMEOUT_MS = 5 * 60_000;
const reason = whyNoLoopDisk();
// A skipped test is no test: where all is tested it fails.
const mustRun = reason === undefined || process.env['CI'] === 'true';
const skip = mustRun ? false : `NO POWER WAS CUT: ${reason}`;
if (reason !== undefined) console.error(`NO POWER WAS CUT: ${reason}`);

t.setTimeout(2 * TIMEOUT_MS);
t.test('nothing acknowledged is lost', { skip, timeout: TIMEOUT_MS }, async (t) => {
  const counts = await cutPower({ cutCount: CUT_COUNT, seed: 1 });
  t.strictSame(counts.faults, []);
  t.equal(counts.cuts, CUT_COUNT);
  t.comment(`${String(counts.cuts)} cuts, ${String(counts.acknowledged)} acknowledgements`);
});

t.test('the control, whose syncs do nothing, loses something', { skip, timeout: TIMEOUT_MS }, async (t) => {
  const counts = await cutPower({ cutCount: CUT_COUNT, seed: 2, isForgetful: true });
  t.ok(counts.faults.length > 0);
  t.comment(
    `${String(counts.faults.length)} of ${String(counts.acknowledged)}: ${counts.faults.slice(0, 3).join(', ')}`,
  );
});
