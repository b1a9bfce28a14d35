/** The waits between attempts, on a clock that the test moves. */
import t from 'tap';
import { BACK_OFF_FIRST_MS, BACK_OFF_MAX_MS, BackOff } from '#client/back-off.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';

const forever = new AbortController().signal;

/** Waits whose chance is always `byte`, and how long the next of them is. */
function waits(byte: number): { clock: ManualClock; backOff: BackOff; next: () => Promise<number> } {
  const clock = new ManualClock();
  const backOff = new BackOff(clock, { bytes: (size) => new Uint8Array(size).fill(byte) });
  const next = async (): Promise<number> => {
    const beginMs = clock.monotonicMs();
    let isOver = false;
    const over = backOff.wait(forever).then(() => (isOver = true));
    await settle();
    while (!isOver) {
      clock.advance(1);
      await settle(1);
    }
    await over;
    return clock.monotonicMs() - beginMs;
  };
  return { clock, backOff, next };
}

t.test('each wait is twice the one before, up to the longest, and half of it is chance', async (t) => {
  const { backOff, next } = waits(0);
  const lengths: number[] = [];
  for (let i = 0; i < 8; i++) {
    backOff.begin();
    lengths.push(await next());
  }
  t.same(lengths, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  t.ok((await waits(255).next()) > 990, 'chance can make it nearly as long again');
});

t.test('after a connection that lasted they begin anew', async (t) => {
  const { backOff, clock, next } = waits(0);
  backOff.begin();
  await next();
  await next();
  backOff.begin();
  clock.advance(BACK_OFF_MAX_MS);
  t.equal(await next(), 2000, 'it did not last');
  backOff.begin();
  clock.advance(BACK_OFF_MAX_MS + 1);
  t.equal(await next(), BACK_OFF_FIRST_MS / 2);
});

t.test('a wait can be ended', async (t) => {
  const { backOff, clock } = waits(0);
  const stopped = new AbortController();
  const waiting = t.rejects(backOff.wait(stopped.signal), { code: 'ERR_CANCELLED' });
  stopped.abort();
  await waiting;
  t.equal(clock.pending, 0);
});
