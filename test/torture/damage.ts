/** Flipped bits in the files of an index. */
import { rm } from 'node:fs/promises';
import { silentLog } from '#core/environment.js';
import { flipBits, makeIndexFiles } from '#test/fixtures/index-flips.js';
import { indexSubjectIn, makeIndexDirectory } from '#test/fixtures/index-subject.js';
import { countIn, tortureCommand } from './part.js';
import type { TorturePart } from './part.js';

/** @see index-flips.ts */
export const damagePart: TorturePart = {
  summary: 'random bits flipped in the files of an index, which is made anew where that matters',
  options: { flips: '5000', seed: '1' },
  async run(options, tell) {
    const directory = await makeIndexDirectory();
    const seed = countIn(options, 'seed');
    let remade = 0;
    const log = { ...silentLog, warn: () => (remade += 1), error: () => (remade += 1) };
    try {
      const subject = await indexSubjectIn(directory);
      const files = await makeIndexFiles(subject);
      const flips = countIn(options, 'flips');
      const faults = await flipBits(subject, files, { count: flips, seed: `flips ${String(seed)}`, log });
      faults.forEach(tell);
      if (faults.length > 0) tell(tortureCommand('damage', { flips, seed }));
      return { passed: flips - faults.length, failed: faults.length, counts: { flips, 'made anew': remade } };
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
};
