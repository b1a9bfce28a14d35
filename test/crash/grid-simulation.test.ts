/** A hundred and fifty seeds of the whole-grid simulation, others than `npm test` runs. TALLAC_GRID_SEEDS names more: `1..9999`. */
import t from 'tap';
import { runSeeds } from '#test/grid/run-seeds.js';

const seeds = process.env.TALLAC_GRID_SEEDS ?? '1001..1150';

t.test(`seeds ${seeds}`, { timeout: 900_000 }, async (t) => {
  await runSeeds(t, seeds);
});
