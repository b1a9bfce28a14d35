/** Calls that are done at once for as long as that pays. */
import t from 'tap';
import { QuickCalls, SLOW_SHARE } from '#storage/quick-calls.js';
import { PAUSE_MS_MAX, PAUSE_MS_MIN, QuickTrials, WORTH_MS } from '#storage/quick-trials.js';
import { ManualClock } from '#test/fixtures/clock.js';

/** Calls that were done at once while `totalMs` passed, one asked for each millisecond, and how long they took together. */
function ask(trials: QuickTrials, clock: ManualClock, totalMs: number, tookMs: number): { count: number; ms: number } {
  let count = 0;
  const endMs = clock.monotonicMs() + totalMs;
  while (clock.monotonicMs() < endMs) {
    if (!trials.isPaused) {
      count += 1;
      trials.run(() => {
        clock.advance(tookMs);
      });
    }
    clock.advance(1);
  }
  return { count, ms: count * tookMs };
}

function newTrials(): { clock: ManualClock; trials: QuickTrials } {
  const clock = new ManualClock();
  return { clock, trials: new QuickTrials(new QuickCalls(clock)) };
}

t.test('quick calls are all done at once, also with a slow one among them', (t) => {
  const { clock, trials } = newTrials();
  t.equal(
    trials.run(() => 'result'),
    'result',
  );
  t.ok(ask(trials, clock, 1000, WORTH_MS).count >= 1000 / (1 + WORTH_MS));
  t.ok(ask(trials, clock, 1000, WORTH_MS / 8).count >= 1000 / (1 + WORTH_MS));
  for (let i = 0; i < 1000; i++) {
    if (trials.isPaused) t.fail(`call ${String(i)}`);
    trials.run(() => {
      clock.advance(i % 50 === 0 ? 2 : WORTH_MS / 8);
    });
    clock.advance(10);
  }
  t.end();
});

t.test('where calls are slow they are tried ever more rarely, and no less often than once in a while', (t) => {
  const { clock, trials } = newTrials();
  const hour = 3_600_000;
  const first = ask(trials, clock, hour, 10);
  t.ok(first.count > 10 && first.count < 100, String(first.count));
  t.ok(first.ms < hour * SLOW_SHARE);
  const later = ask(trials, clock, hour, 10);
  t.ok(later.count >= hour / (PAUSE_MS_MAX + 20) - 1 && later.count <= hour / PAUSE_MS_MAX + 1, String(later.count));
  clock.advance(PAUSE_MS_MAX);
  t.ok(ask(trials, clock, 1000, WORTH_MS / 8).count > 850, 'as soon as the disk is quick again all are');
  t.end();
});

t.test('a call that fails was slow all the same, and the first pause is short', (t) => {
  const { clock, trials } = newTrials();
  let count = 0;
  while (!trials.isPaused) {
    count += 1;
    t.throws(() => {
      trials.run(() => {
        clock.advance(1);
        throw new Error('EIO');
      });
    }, /EIO/);
  }
  t.ok(count > 1 && count < 10, String(count));
  clock.advance(PAUSE_MS_MIN - 0.5);
  t.equal(trials.isPaused, true);
  clock.advance(1);
  t.equal(trials.isPaused, false);
  t.end();
});
