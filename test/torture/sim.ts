/**
 * Power cuts on a simulated disk, as many as are asked for.
 *
 *     node dist/test/torture/sim.js [--states N] [--seed S] [--model adversarial|ordered]
 *
 * Seeds are taken one after the other from S on, by turns of both models unless one is named, until N states have
 * been made. A violation prints the command that repeats it.
 */
import { parseArgs } from 'node:util';
import { noCounts, sweepSeed } from '#test/fixtures/sim-sweep.js';
import type { CrashModel } from '#test/fixtures/sim-states.js';

const { values } = parseArgs({
  options: {
    states: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    model: { type: 'string' },
    enumerated: { type: 'string', default: '256' },
    sampled: { type: 'string', default: '48' },
  },
});
const models: readonly CrashModel[] = ['adversarial', 'adversarial', 'adversarial', 'ordered'];

function modelOf(seed: number): CrashModel {
  if (values.model === 'adversarial' || values.model === 'ordered') return values.model;
  return models[seed % models.length] ?? 'adversarial';
}

const wanted = Number(values.states);
const limits = { enumerated: Number(values.enumerated), sampled: Number(values.sampled) };
const counts = noCounts();
const start = process.hrtime.bigint();
for (let seed = Number(values.seed); counts.states < wanted && counts.faults.length === 0; seed++) {
  const model = modelOf(seed);
  await sweepSeed(seed, { model, limits }, counts);
  for (const fault of counts.faults) {
    console.log(`seed ${String(seed)}, ${model}: ${fault}`);
    console.log(`npm run torture -- --states 1 --seed ${String(seed)} --model ${model}`);
    process.exitCode = 1;
  }
}
const seconds = Number(process.hrtime.bigint() - start) / 1e9;
const { faults, ...numbers } = counts;
console.log(JSON.stringify({ torture: 'sim', ...numbers, violations: faults.length, seconds: Math.round(seconds) }));
