/** Power cuts on ext4 under the load of several clients of a real node, and the control, whose syncs do nothing. */
import { whyNoLoopDisk } from '#test/fixtures/loop-disk.js';
import { cutPower } from '#test/fixtures/power-cuts.js';
import { countIn, tortureCommand } from './part.js';
import type { TorturePart } from './part.js';

const CONTROL_CUT_COUNT = 5;

/** @see power-cuts.ts */
export const powerPart: TorturePart = {
  summary: 'power cuts on ext4 under a real node with several clients; and a control without syncs',
  options: { cuts: '60', seed: '1' },
  async run(options, tell) {
    const reason = whyNoLoopDisk();
    if (reason !== undefined) throw new Error(`NO POWER WAS CUT: ${reason}`);
    const seed = countIn(options, 'seed');
    const { acknowledged, cuts, faults } = await cutPower({ cutCount: countIn(options, 'cuts'), seed, isLong: true });
    faults.forEach(tell);
    if (faults.length > 0) tell(`${tortureCommand('power', { cuts, seed })} (moments differ from run to run)`);
    const control = await cutPower({ cutCount: CONTROL_CUT_COUNT, seed, isForgetful: true });
    if (control.faults.length === 0) tell('the control lost nothing: this machine shows nothing');
    const failed = Math.min(faults.length, 1) + (control.faults.length === 0 ? 1 : 0);
    const controls = { 'control cuts': control.cuts, of: control.acknowledged, 'control lost': control.faults.length };
    return { passed: cuts + 1 - failed, failed, counts: { cuts, acknowledged, lost: faults.length, ...controls } };
  },
};
