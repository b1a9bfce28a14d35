/** The waits between connections, on a clock that the test moves. */
import t from 'tap';
import { keepConnecting, RECONNECT_FIRST_MS, RECONNECT_MAX_MS } from '#client/keep-connecting.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';

/** A connection whose chance is always `byte`, each of which lasts as long as `lengths` says, or not at all. */
function connections(byte: number, lengths: number[] = []) {
  const clock = new ManualClock();
  const ended = new AbortController();
  const beginsMs: number[] = [];
  const random = { bytes: (size: number) => new Uint8Array(size).fill(byte) };
  let isWanted = true;
  const options = { clock, random, signal: ended.signal, isWanted: () => isWanted };
  const running = keepConnecting(options, () => {
    beginsMs.push(clock.monotonicMs());
    clock.advance(lengths.shift() ?? 0);
    return Promise.resolve();
  });
  const end = async (): Promise<void> => {
    ended.abort();
    await running;
  };
  /** How long the next waits are, without the connections between them. */
  const waits = async (count: number): Promise<number[]> => {
    const found: number[] = [];
    for (let i = 0; i < count; i++) {
      await settle();
      const fromMs = clock.monotonicMs();
      const before = beginsMs.length;
      while (beginsMs.length === before) {
        clock.advance(1);
        await settle(1);
      }
      found.push((beginsMs.at(-1) ?? 0) - fromMs);
    }
    return found;
  };
  const drop = (): void => void (isWanted = false);
  return { beginsMs, clock, drop, end, running, waits };
}

t.test('each wait is twice the one before, up to the longest, and half of it is chance', async (t) => {
  const least = connections(0);
  t.same(await least.waits(8), [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  await least.end();
  const most = connections(255);
  t.ok(((await most.waits(1))[0] ?? 0) > 990, 'chance can make it nearly as long again');
  await most.end();
});

t.test('after a connection that lasted they begin anew', async (t) => {
  const { end, waits } = connections(0, [0, 0, RECONNECT_MAX_MS, RECONNECT_MAX_MS + 1]);
  t.same(await waits(2), [500, 1000]);
  t.same(await waits(1), [2000], 'that one did not');
  t.same(await waits(1), [RECONNECT_FIRST_MS / 2]);
  await end();
});

t.test('it ends with its signal, in mid-wait too, and when it is not wanted', async (t) => {
  const stopped = connections(0);
  await settle();
  await stopped.end();
  t.equal(stopped.clock.pending, 0);
  const dropped = connections(0);
  await dropped.waits(1);
  dropped.drop();
  await settle();
  dropped.clock.advance(RECONNECT_MAX_MS);
  await dropped.running;
  t.equal(dropped.beginsMs.length, 2);
});
