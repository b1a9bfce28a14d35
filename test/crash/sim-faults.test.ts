/**
 * Calls of a simulated disk fail in every way that they can, once each: one in TALLAC_FAULT_STRIDE, and with 1 every one,
 * as `npm run torture -- faults` does.
 */
import t from 'tap';
import { sweepFaults } from '#test/fixtures/sim-fault-sweep.js';
import type { FaultCounts } from '#test/fixtures/sim-fault-sweep.js';

const SEED_COUNT = 2;
const STRIDE = Number(process.env.TALLAC_FAULT_STRIDE ?? '5');
const SWEEP_TIMEOUT_MS = 14 * 60_000;

t.setTimeout(SWEEP_TIMEOUT_MS);
t.test('nothing is acknowledged falsely, nothing is stuck', { timeout: SWEEP_TIMEOUT_MS }, async (t) => {
  const counts: FaultCounts = { faults: 0, states: 0, problems: [] };
  for (let seed = 1; seed <= SEED_COUNT; seed++) await sweepFaults(seed, counts, STRIDE);
  t.strictSame(counts.problems, []);
  t.ok(counts.faults > 1000 / STRIDE, `${String(counts.faults)} faults`);
  t.comment(JSON.stringify({ ...counts, problems: counts.problems.length }));
});
