/**
 * Power cuts on a simulated disk: the short version of `npm run torture -- sim`, over seeds that are always the same.
 * TALLAC_SIM_STATES lengthens it.
 */
import t from 'tap';
import { modelOf, noCounts, simCommand, sweepSeed } from '#test/fixtures/sim-sweep.js';
import { resumed } from '#test/fixtures/sim-uploads.js';

const STATE_COUNT = Number(process.env.TALLAC_SIM_STATES ?? '20000');
const limits = { enumerated: 64, sampled: 24 };
const SWEEP_TIMEOUT_MS = 14 * 60_000;

t.setTimeout(SWEEP_TIMEOUT_MS);
t.test('nothing promised is lost in any state', { timeout: SWEEP_TIMEOUT_MS }, async (t) => {
  const counts = noCounts();
  for (let seed = 1; counts.states < STATE_COUNT; seed++) {
    const model = modelOf(seed);
    await sweepSeed(seed, { model, limits }, counts);
    t.strictSame(counts.faults, [], simCommand(seed, model, limits));
    if (counts.faults.length > 0) return;
  }
  t.ok(counts.recoveryStates > 100, 'recoveries were cut off too');
  t.ok(resumed.count > 100, `uploads were gone on with: ${String(resumed.count)}`);
  t.comment(JSON.stringify(counts));
});
