/**
 * `kill -9` at every file-system call of uploads, leases and reports, of mutable writes, of removals, at many of the
 * index's, and again at calls of the start after a kill.
 */
import {
  checkKill,
  describeKill,
  killPoints,
  killWorks,
  parseKill,
  recoveryPoints,
} from '#test/fixtures/kill-sweep.js';
import type { KillPoint } from '#test/fixtures/kill-sweep.js';
import { straceWorks } from '#test/fixtures/strace.js';
import { countIn } from './part.js';
import type { TorturePart } from './part.js';

/** Kills of the index: its calls are many, and much alike. */
const INDEX_KILL_COUNT = 150;

/** @see kill-sweep.ts */
export const killPart: TorturePart = {
  summary: 'kill -9 at each file-system call of a store and of its index, and again while they recover',
  options: { work: '', at: '', then: '', recoveries: '6', stride: '1' },
  async run(options, tell) {
    if (!straceWorks()) throw new Error('NOTHING WAS KILLED: strace is missing or may not attach');
    const works = killWorks.filter((work) => options['work'] === '' || work === options['work']);
    const counts: Record<string, number> = {};
    let [passed, failed] = [0, 0];
    const kill = async (point: KillPoint): Promise<void> => {
      const name = point.second === undefined ? point.work : `${point.work} again`;
      counts[name] = (counts[name] ?? 0) + 1;
      const faults = await checkKill(point);
      faults.forEach(tell);
      if (faults.length > 0) tell(`npm run torture -- kill ${describeKill(point)}`);
      if (faults.length > 0) failed += 1;
      else passed += 1;
    };
    for (const work of works) {
      if (options['at'] !== undefined && options['at'] !== '') {
        const second =
          options['then'] === undefined || options['then'] === '' ? {} : { second: parseKill(options['then']) };
        await kill({ work, first: parseKill(options['at']), ...second });
        continue;
      }
      const all = await killPoints(work);
      const stride = countIn(options, 'stride') * (work === 'index' ? Math.ceil(all.length / INDEX_KILL_COUNT) : 1);
      for (const point of all.filter((_, i) => i % stride === 0)) await kill(point);
      const every = Math.max(1, Math.floor(all.length / countIn(options, 'recoveries')));
      for (const point of all.filter((_, i) => i % every === every - 1)) {
        for (const second of await recoveryPoints(point)) await kill(second);
      }
    }
    return { passed, failed, counts };
  },
};
