/** Random Banana and random negotiation. */
import { fuzzFoolscap } from '#test/fixtures/foolscap/fuzz.js';
import { countIn, tortureCommand } from './part.js';
import type { TorturePart } from './part.js';

/** @see fixtures/foolscap/fuzz.ts */
export const foolscapPart: TorturePart = {
  summary: 'bytes that are not quite Foolscap: none crashes, takes 50 ms or 64 MiB',
  options: { inputs: '1000000', seed: '1' },
  async run(options, tell) {
    const [inputs, seed] = [countIn(options, 'inputs'), countIn(options, 'seed')];
    const { faults, largestBytes, refused, slowestMs } = await fuzzFoolscap(seed, 0, inputs);
    faults.forEach(tell);
    if (faults.length > 0) tell(tortureCommand('foolscap', { inputs, seed }));
    const counts = { refused, 'slowest ms': Math.round(slowestMs), 'largest KiB': Math.round(largestBytes / 1024) };
    return { passed: inputs - faults.length, failed: faults.length, counts };
  },
};
