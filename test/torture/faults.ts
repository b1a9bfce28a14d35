/** Every call of a simulated disk fails in every way that it can, and then the power does. */
import { sweepFaults } from '#test/fixtures/sim-fault-sweep.js';
import type { FaultCounts } from '#test/fixtures/sim-fault-sweep.js';
import { countIn, tortureCommand } from './part.js';
import type { TorturePart } from './part.js';

/** @see sim-fault-sweep.ts */
export const faultsPart: TorturePart = {
  summary: 'each call of a simulated disk fails with ENOSPC, EIO, EMFILE or EINTR, or does only a part',
  options: { seeds: '6', seed: '1' },
  async run(options, tell) {
    const counts: FaultCounts = { faults: 0, states: 0, problems: [] };
    const first = countIn(options, 'seed');
    for (let seed = first; seed < first + countIn(options, 'seeds'); seed++) {
      const known = counts.problems.length;
      await sweepFaults(seed, counts);
      counts.problems.slice(known).forEach(tell);
      if (counts.problems.length > known) tell(tortureCommand('faults', { seeds: 1, seed }));
    }
    const { faults, problems, states } = counts;
    return { passed: faults - problems.length, failed: problems.length, counts: { faults, states } };
  },
};
