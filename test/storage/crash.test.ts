/**
 * A store that is killed at any system call, or refused one, keeps what it acknowledged. A sample of all points;
 * `test/crash/full-sweep.test.ts` runs every one. And: in what order the system calls of an acknowledged share come.
 */
import t from 'tap';
import { checkPoint, pointsOf, runCrashChild, withStaleDirectory } from '#test/fixtures/crash-sweep.js';
import { shareNumbers } from '#test/fixtures/crash-workload.js';
import { straceWorks } from '#test/fixtures/strace.js';

/** Every so many points of the sweep are in the sample. */
const KILL_STRIDE = 9;
const ERROR_STRIDE = 17;
const always: readonly string[] = ['rename', 'fdatasync 1', 'fsync 5'];

const skip = straceWorks() ? false : 'STRACE IS MISSING OR MAY NOT ATTACH: NO CRASH WAS TESTED';

t.test(
  'a share is synced, then moved, then its directories are synced, then it is acknowledged',
  { skip },
  async (t) => {
    const { trace } = await withStaleDirectory((directory) => runCrashChild(directory));
    const calls = trace.filter((line) => !line.includes('eventfd') && !line.includes(' = -1 '));
    const indexOf = (pattern: RegExp, from = 0): number =>
      calls.findIndex((line, i) => i >= from && pattern.test(line));
    for (const shareNumber of shareNumbers) {
      const n = String(shareNumber);
      const moved = indexOf(new RegExp(`rename\\(".*/incoming/[a-z2-7]+.${n}", ".*/${n}"\\) = 0`));
      const lastWrite = calls
        .slice(0, moved)
        .findLastIndex((line) => new RegExp(`pwritev?(64)?\\(\\d+<.*/incoming/[a-z2-7]+.${n}>`).test(line));
      const synced = indexOf(new RegExp(`fdatasync\\(\\d+<.*/incoming/[a-z2-7]+.${n}>\\) += 0`), lastWrite);
      const directorySynced = indexOf(/fsync\(\d+<.*\/shares\/..\/[a-z2-7]{26}>\) += 0/, moved);
      const acknowledged = indexOf(new RegExp(`write\\(1<.*>, "ack ${n}`));
      t.ok(
        0 < lastWrite &&
          lastWrite < synced &&
          synced < moved &&
          moved < directorySynced &&
          directorySynced < acknowledged,
        `share ${n}: ${[lastWrite, synced, moved, directorySynced, acknowledged].join(' < ')}`,
      );
    }
    const made = indexOf(/mkdir\(".*\/shares\/..\/[a-z2-7]{26}".*\) = 0/);
    const firstAcknowledged = indexOf(/"ack /);
    for (const parent of [/fsync\(\d+<.*\/shares\/..>\) += 0/, /fsync\(\d+<.*\/shares>\) += 0/]) {
      const at = indexOf(parent, made);
      t.ok(0 < made && made < at && at < firstAcknowledged, 'the parents of new directories are synced too');
    }
  },
);

t.test('killed or refused at a sample of all system calls', { skip, timeout: 55_000 }, async (t) => {
  const kills = (await pointsOf('signal=KILL')).filter(
    ({ call, when }, i) => i % KILL_STRIDE === 0 || always.includes(call) || always.includes(`${call} ${String(when)}`),
  );
  const errors = (await pointsOf('error=EIO')).filter((_, i) => i % ERROR_STRIDE === 3);
  const full = (await pointsOf('error=ENOSPC')).filter(({ call }, i) => call.startsWith('pwrite') && i % 7 === 0);
  for (const point of [...kills, ...errors, ...full]) t.strictSame(await checkPoint(point), []);
  t.comment(`${String(kills.length)} kills, ${String(errors.length + full.length)} errors`);
});
