/**
 * The longer versions of the sweeps over mutable files: damage, rollback, and writers that meet. Seeds and counts, which
 * docs/testing.md has for a record, come from TALLAC_DAMAGE_SEED, TALLAC_MUTABLE_DAMAGE_COUNT, TALLAC_ROLLBACK_SEED, TALLAC_ROLLBACK_COUNT and
 * TALLAC_RACE_COUNT; TALLAC_RACE_SEEDS is how many short races are run of each kind.
 */
import t from 'tap';
import { race } from '../fixtures/mutable-race.js';
import { sweepMutableDamage, sweepRollbacks } from '../fixtures/mutable-sweeps.js';

const damageSeed = process.env.TALLAC_DAMAGE_SEED ?? 'long';
const damageCount = Number(process.env.TALLAC_MUTABLE_DAMAGE_COUNT ?? '5000');
const rollbackSeed = process.env.TALLAC_ROLLBACK_SEED ?? '2';
const rollbackCount = Number(process.env.TALLAC_ROLLBACK_COUNT ?? '1000');
const changes = Number(process.env.TALLAC_RACE_COUNT ?? '80');
/** A record takes longer than the 900 s that the file has by default: what bounds it is the runner's --timeout. */
const timeout = 3_500_000;

t.test(`${String(damageCount)} damaged files, seed '${damageSeed}'`, { timeout }, async (t) => {
  const outcomes = sweepMutableDamage(damageSeed, damageCount);
  t.equal(outcomes.wrong, 0, 'no wrong byte');
  t.equal(outcomes.right + outcomes.error + outcomes.mended, damageCount, JSON.stringify(outcomes));
});

t.test(`${String(rollbackCount)} rollbacks, seed ${rollbackSeed}`, { timeout }, async (t) => {
  const outcomes = sweepRollbacks(rollbackSeed, rollbackCount);
  t.equal(outcomes.accepted, 0, 'no older version was taken');
  t.equal(outcomes.newest + outcomes.refused + outcomes.fresh, rollbackCount, JSON.stringify(outcomes));
});

for (const writers of [2, 4, 8]) {
  for (const format of ['sdmf', 'mdmf'] as const) {
    const what = `${String(writers)} writers, ${String(changes)} changes each in ${format}`;
    t.test(`${what}: the union survives`, { timeout }, async (t) => {
      const { lost, met } = await race({ format, writers, changes, seed: 3, isKnowing: format === 'sdmf' });
      t.strictSame(lost, [], 'every acknowledged change is there');
      t.ok(met > 0, `they met ${String(met)} times`);
    });
  }
}

const seeds = Number(process.env.TALLAC_RACE_SEEDS ?? '20');

for (const writers of [2, 4, 8, 16]) {
  for (const format of ['sdmf', 'mdmf'] as const) {
    t.test(`${String(seeds)} races of ${String(writers)} writers in ${format}`, { timeout }, async (t) => {
      let worst = Number.POSITIVE_INFINITY;
      for (let seed = 1; seed <= seeds; seed++) {
        const { least, lost } = await race({ format, writers, changes: 2, seed, isKnowing: seed % 2 === 0 });
        t.strictSame(lost, [], `seed ${String(seed)}`);
        worst = Math.min(worst, least);
      }
      t.ok(worst >= 2, 'at every moment one version could be recovered');
    });
  }
}

for (const writers of [4, 8]) {
  t.test(`${String(seeds)} races of ${String(writers)} writers, half of them hasty`, { timeout }, async (t) => {
    let destroyed = 0;
    for (let seed = 1; seed <= seeds; seed++) {
      const plan = { writers, hasty: writers / 2, changes: 2, seed, isKnowing: true };
      const { least, lost } = await race({ ...plan, format: seed % 2 === 0 ? 'sdmf' : 'mdmf' });
      t.strictSame(lost, [], `seed ${String(seed)}`);
      if (least < 2) destroyed += 1;
    }
    t.ok(destroyed > 0, `in ${String(destroyed)} of them no version was left for a while`);
  });
}
