/** Power cuts on a simulated disk, as many as are asked for, over one seed after the other. */
import { modelOf, noCounts, simCommand, sweepSeed } from '#test/fixtures/sim-sweep.js';
import { countIn } from './part.js';
import type { TorturePart } from './part.js';

/** @see sim-sweep.ts */
export const simPart: TorturePart = {
  summary: 'power cuts on a simulated disk, which loses and tears what was not synced',
  options: { states: '1000000', seed: '1', model: '', enumerated: '256', sampled: '48' },
  async run(options, tell) {
    const wanted = countIn(options, 'states');
    const limits = { enumerated: countIn(options, 'enumerated'), sampled: countIn(options, 'sampled') };
    const counts = noCounts();
    for (let seed = countIn(options, 'seed'); counts.states < wanted && counts.faults.length === 0; seed++) {
      const model = modelOf(seed, options['model']);
      await sweepSeed(seed, { model, limits }, counts);
      for (const fault of counts.faults) tell(`seed ${String(seed)}, ${model}: ${fault}`);
      if (counts.faults.length > 0) tell(simCommand(seed, model, limits));
    }
    const { faults, ...numbers } = counts;
    const failed = Math.min(faults.length, 1);
    return { passed: numbers.distinct - failed, failed, counts: numbers };
  },
};
