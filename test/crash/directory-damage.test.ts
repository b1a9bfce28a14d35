/**
 * The long sweep of damaged directories. What is done to them stands in fixtures/directory-damage.ts.
 * TALLAC_DIRECTORY_SEED and TALLAC_DIRECTORY_COUNT replay and lengthen it.
 */
import t from 'tap';
import { Chance } from '#test/fixtures/chance.js';
import { sweepDamage } from '#test/fixtures/directory-damage.js';

const first = Number(process.env.TALLAC_DIRECTORY_SEED ?? '1000');
const count = Number(process.env.TALLAC_DIRECTORY_COUNT ?? '20000');

t.test(`${String(count)} damaged directories from seed ${String(first)}`, { timeout: 600_000 }, async (t) => {
  const { entries, errors } = sweepDamage(first, count, (seed) => new Chance(seed));
  t.equal(entries + errors, 3 * count, `${String(entries)} listings, ${String(errors)} named errors`);
});
