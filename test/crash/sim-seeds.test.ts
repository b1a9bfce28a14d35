/**
 * Seeds of the simulated disk that have found something: a clock that was set back before the power failed left a change
 * of several shares half done (16), and took back a small write (31).
 */
import t from 'tap';
import { modelOf, noCounts, sweepSeed } from '#test/fixtures/sim-sweep.js';

t.setTimeout(900_000);
const limits = { enumerated: 256, sampled: 48 };

for (const seed of [16, 31]) {
  t.test(`seed ${String(seed)}`, { timeout: 800_000 }, async (t) => {
    const counts = noCounts();
    await sweepSeed(seed, { model: modelOf(seed), limits }, counts);
    t.strictSame(counts.faults, []);
    t.ok(counts.distinct > 1_000, `${String(counts.distinct)} states`);
  });
}
