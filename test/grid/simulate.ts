/**
 * Simulates whole grids, a seed after the other.
 *
 *     node dist/test/grid/simulate.js --seeds A..B
 *
 * A seed that finds a violation prints what happened before it and the command that replays it. The last line is the
 * counts as JSON. `npm test` and the crash tests run it too, as a process of its own: it is faster than under the
 * test runner.
 */
import { parseArgs } from 'node:util';
import { simulate } from './simulation.js';

// Every scenario makes hundreds of errors whose stacks nobody reads.
Error.stackTraceLimit = 10;

const { values } = parseArgs({ options: { seeds: { type: 'string', default: '1..100' } } });
const [first = NaN, last = first] = values.seeds.split('..').map(Number);
if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last)) throw new Error('--seeds takes A..B');

const outcomes = new Map<string, number>();
const longestMs = new Map<string, number>();
let [virtualMs, violations] = [0, 0];
const start = process.hrtime.bigint();
for (let seed = first; seed <= last; seed++) {
  const scenario = await simulate(seed);
  virtualMs += scenario.virtualMs;
  for (const [outcome, count] of scenario.outcomes) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + count);
  for (const [kind, ms] of scenario.longestMs) longestMs.set(kind, Math.max(longestMs.get(kind) ?? 0, ms));
  for (const violation of scenario.violations) {
    violations += 1;
    process.exitCode = 1;
    console.log(`seed ${String(seed)}: ${violation}`);
    console.log(`replay: node dist/test/grid/simulate.js --seeds ${String(seed)}..${String(seed)}`);
  }
}
console.log(
  JSON.stringify({
    seeds: last - first + 1,
    violations,
    virtualHours: Math.round(virtualMs / 360_000) / 10,
    seconds: Math.round(Number(process.hrtime.bigint() - start) / 1e8) / 10,
    longestMs: Object.fromEntries([...longestMs].sort()),
    outcomes: Object.fromEntries([...outcomes].sort()),
  }),
);
