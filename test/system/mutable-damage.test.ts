/**
 * The damage sweep over mutable files: not one wrong byte. What is done to the shares stands in
 * fixtures/mutable-damage-sweep.ts. TALLAC_DAMAGE_SEED and TALLAC_MUTABLE_DAMAGE_COUNT replay and lengthen it; the long
 * version is in test/crash.
 */
import t from 'tap';
import { sweepMutableDamage } from '../fixtures/mutable-sweeps.js';

const seed = process.env.TALLAC_DAMAGE_SEED ?? 'mutable';
const count = Number(process.env.TALLAC_MUTABLE_DAMAGE_COUNT ?? '1000');

t.test(`${String(count)} damaged files, seed '${seed}'`, { timeout: 600_000 }, async (t) => {
  const outcomes = sweepMutableDamage(seed, count);
  t.equal(outcomes.wrong, 0, 'no wrong byte');
  t.equal(outcomes.right + outcomes.error + outcomes.mended, count);
  for (const each of [outcomes.right, outcomes.error, outcomes.mended])
    t.ok(each > count / 50, JSON.stringify(outcomes));
});
