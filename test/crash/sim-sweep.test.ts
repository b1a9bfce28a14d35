/**
 * Power cuts on a simulated disk: the short version of `npm run torture`, over seeds that are always the same.
 */
import t from 'tap';
import { noCounts, sweepSeed } from '#test/fixtures/sim-sweep.js';

const STATE_COUNT = 50_000;
const SWEEP_TIMEOUT_MS = 10 * 60_000;

t.setTimeout(SWEEP_TIMEOUT_MS);
t.test('nothing promised is lost in any state', { timeout: SWEEP_TIMEOUT_MS }, async (t) => {
  const counts = noCounts();
  for (let seed = 1; counts.states < STATE_COUNT; seed++) {
    const model = seed % 4 === 0 ? 'ordered' : 'adversarial';
    await sweepSeed(seed, { model, limits: { enumerated: 64, sampled: 24 } }, counts);
    t.strictSame(counts.faults, [], `npm run torture -- --states 1 --seed ${String(seed)} --model ${model}`);
    if (counts.faults.length > 0) return;
  }
  t.ok(counts.recoveryStates > 100, 'recoveries were cut off too');
  t.comment(JSON.stringify(counts));
});
