/** In what order the system calls of an acknowledged share come. `full-sweep.test.ts` fails each of them. */
import t from 'tap';
import { runCrashChild, withStaleDirectory } from '#test/fixtures/crash-sweep.js';
import { shareNumbers } from '#test/fixtures/crash-workload.js';
import { straceWorks } from '#test/fixtures/strace.js';

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
