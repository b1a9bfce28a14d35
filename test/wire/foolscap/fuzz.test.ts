/** A short run of what `npm run torture -- foolscap` does at length. */
import t from 'tap';
import { fuzzFoolscap } from '#test/fixtures/foolscap/fuzz.js';

t.test('4 000 inputs', async (t) => {
  const { faults, inputs, refused } = await fuzzFoolscap(1, 0, 4_000);
  t.strictSame(faults, []);
  t.ok(refused > inputs / 10 && refused < inputs * 0.95, `${String(refused)} were refused`);
});
