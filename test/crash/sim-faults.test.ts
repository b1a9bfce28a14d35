/** Every call of a simulated disk fails in every way that it can, once each. */
import t from 'tap';
import { sweepFaults } from '#test/fixtures/sim-fault-sweep.js';
import type { FaultCounts } from '#test/fixtures/sim-fault-sweep.js';

const SEED_COUNT = 2;
const SWEEP_TIMEOUT_MS = 10 * 60_000;

t.setTimeout(SWEEP_TIMEOUT_MS);
t.test('nothing is acknowledged falsely, nothing is stuck', { timeout: SWEEP_TIMEOUT_MS }, async (t) => {
  const counts: FaultCounts = { faults: 0, states: 0, problems: [] };
  for (let seed = 1; seed <= SEED_COUNT; seed++) await sweepFaults(seed, counts);
  t.strictSame(counts.problems, []);
  t.ok(counts.faults > 1000);
  t.comment(JSON.stringify({ ...counts, problems: counts.problems.length }));
});
