/**
 * The damage sweep, in short: files with damaged shares, and not one wrong byte. What is done to the shares stands in
 * fixtures/damage-sweep.ts. TALLAC_DAMAGE_SEED and TALLAC_DAMAGE_COUNT replay and lengthen it; `test/crash/damage.test.ts`
 * is the long one.
 */
import t from 'tap';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const seed = process.env.TALLAC_DAMAGE_SEED ?? 'damage';
const count = Number(process.env.TALLAC_DAMAGE_COUNT ?? '2000');
const program = fileURLToPath(new URL('../fixtures/damage-sweep.js', import.meta.url));

t.test(`${String(count)} damaged files, seed '${seed}'`, { timeout: 600_000 }, async (t) => {
  const output = execFileSync(process.execPath, [program, seed, String(count)], {
    env: { ...process.env, NODE_OPTIONS: '' },
    encoding: 'utf8',
  });
  const outcomes = JSON.parse(output) as { right: number; error: number; wrong: number };
  t.equal(outcomes.wrong, 0, 'no wrong byte');
  t.equal(outcomes.right + outcomes.error, count);
  t.ok(outcomes.right > count / 20 && outcomes.error > count / 20, output);
});
