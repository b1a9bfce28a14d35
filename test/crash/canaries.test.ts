/** Four defects in a copy of the product: the tests notice them. `npm run torture -- canaries` has more of them. */
import t from 'tap';
import { CanaryCage } from '#test/fixtures/canaries.js';
import { canaries, quickCanaries } from '#test/fixtures/canary-list.js';

const COUNT = 4;
const TIMEOUT_MS = 5 * 60_000;

t.setTimeout(TIMEOUT_MS);
t.test('each is caught', { timeout: TIMEOUT_MS }, async (t) => {
  t.equal(quickCanaries.length, COUNT);
  t.equal(new Set(canaries.map(({ name }) => name)).size, canaries.length, 'each has a name of its own');
  const cage = new CanaryCage();
  t.teardown(() => {
    cage.close();
  });
  for (const canary of quickCanaries) {
    t.ok(await cage.isSound(canary.check), `the check of ${canary.name} passes without it`);
    const { evidence, fate } = await cage.tryOne(canary);
    t.equal(fate, 'caught', `${canary.name}: ${evidence}`);
  }
});
