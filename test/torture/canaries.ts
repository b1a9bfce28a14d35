/** Defects that are put into the product one by one, and the test that must notice each of them. */
import { CanaryCage } from '#test/fixtures/canaries.js';
import { canaries } from '#test/fixtures/canary-list.js';
import type { TorturePart } from './part.js';

const EVIDENCE_LENGTH_MAX = 120;

/** @see canary-list.ts */
export const canariesPart: TorturePart = {
  summary: 'one defect at a time in a copy of the product, and a test that must fail over it',
  options: { only: '' },
  async run({ only }, tell) {
    const chosen = canaries.filter(({ name }) => only === '' || name === only);
    const cage = new CanaryCage();
    const unsound = new Map<string, boolean>();
    let caught = 0;
    try {
      for (const canary of chosen) {
        const check = canary.check.join(' ');
        if (!unsound.has(check)) unsound.set(check, !(await cage.isSound(canary.check)));
        const isUnsound = unsound.get(check) === true;
        const { evidence, fate } = isUnsound
          ? { fate: 'its check fails without it', evidence: '' }
          : await cage.tryOne(canary);
        if (fate === 'caught') caught += 1;
        tell(`${fate}: ${canary.name} (${canary.file}; ${check}): ${evidence.slice(0, EVIDENCE_LENGTH_MAX)}`);
        if (fate !== 'caught') tell(`npm run torture -- canaries --only '${canary.name}'`);
      }
    } finally {
      cage.close();
    }
    tell(`${String(caught)} caught of ${String(chosen.length)}`);
    const checks = unsound.size;
    return { passed: caught, failed: chosen.length - caught, counts: { caught, of: chosen.length, checks } };
  },
};
