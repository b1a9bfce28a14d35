/**
 * How long does the command take to say its version, beside the reference's and beside Node doing nothing?
 *
 *     node dist/bench/startup.js [--rounds N]
 *
 * Whole processes, from spawn to exit, in turns. Prints one JSON line a program: seconds (median, least, most).
 */
import { spawnSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { commandOf, hasReference } from '#test/fixtures/process-grid.js';
import { median, printResult } from './report.js';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '15' } } });
const commands: Record<string, [string, string[]]> = {
  ours: commandOf('ours', ['--version']),
  ...(hasReference ? { reference: commandOf('reference', ['--version']) } : {}),
  'node -e 0': [process.execPath, ['-e', '0']],
};

const seconds = new Map<string, number[]>(Object.keys(commands).map((name) => [name, []]));
for (let round = 0; round <= Number(values.rounds); round++) {
  for (const [name, [file, args]] of Object.entries(commands)) {
    const start = performance.now();
    const { status } = spawnSync(file, args, { env: { ...process.env, NODE_OPTIONS: '' } });
    if (status !== 0) throw new Error(`${name} ended with ${String(status)}`);
    // The first round fills the file cache; it is not counted.
    if (round > 0) seconds.get(name)?.push((performance.now() - start) / 1000);
  }
}
for (const [program, times] of seconds) {
  const figures = { seconds: median(times), least: Math.min(...times), most: Math.max(...times) };
  printResult({ question: 'startup', program, ...figures });
}
const [ours, reference] = ['ours', 'reference'].map((name) => median(seconds.get(name) ?? []));
if (ours !== undefined && reference !== undefined && hasReference) {
  printResult({ question: 'startup', timesAsFast: reference / ours });
}
