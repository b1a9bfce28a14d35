/** A short sweep of damaged directories; test/crash/directory-damage.test.ts is the long one. */
import t from 'tap';
import { Chance } from '../../fixtures/chance.js';
import { sweepDamage } from '../../fixtures/directory-damage.js';

const COUNT = 500;

t.test(`${String(COUNT)} damaged directories`, async (t) => {
  const { entries, errors } = sweepDamage(0, COUNT, (seed) => new Chance(seed));
  t.equal(entries + errors, 3 * COUNT);
  t.ok(entries > COUNT / 4 && errors > COUNT / 4, `${String(entries)} listings, ${String(errors)} named errors`);
});
