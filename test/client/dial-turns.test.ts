/** Turns of dialling: how many at a time, how many in a minute, whose turn it is. */
import t from 'tap';
import fc from 'fast-check';
import { DialTurns, defaultDialLimits, FAILED_DIALS_PER_MINUTE_MAX } from '#client/dial-turns.js';
import type { DialEnded, DialLane } from '#client/dial-turns.js';
import { ManualClock } from '#test/fixtures/clock.js';

const limits = { atOnce: 3, burst: 5, perSecond: 2 };

/** Notes who begins, and when; each waits until it is ended. */
class Scene {
  readonly clock = new ManualClock();
  readonly turns = new DialTurns(this.clock, limits);
  readonly begun: string[] = [];
  readonly ends = new Map<string, DialEnded>();

  ask(name: string, lane: DialLane = 'new', dialCount = 1): () => void {
    return this.turns.ask(lane, dialCount, (ended) => {
      this.begun.push(name);
      this.ends.set(name, ended);
    });
  }

  end(name: string, isAnswered: boolean): void {
    this.ends.get(name)?.(isAnswered);
  }
}

t.test('so many at a time; who ends makes room', (t) => {
  const scene = new Scene();
  for (const name of 'abcde') scene.ask(name);
  t.same(scene.begun, ['a', 'b', 'c']);
  t.equal(scene.turns.waitingCount, 2);
  scene.end('b', false);
  t.same(scene.begun, ['a', 'b', 'c', 'd']);
  scene.end('a', true);
  t.same(scene.begun, ['a', 'b', 'c', 'd', 'e']);
  t.end();
});

t.test('so many that fail, then some in each second; one that is answered costs nothing', (t) => {
  const scene = new Scene();
  const askAndEnd = (name: string, isAnswered: boolean): void => {
    scene.ask(name);
    scene.end(name, isAnswered);
  };
  for (const name of ['1', '2', '3', '4', '5', '6', '7']) askAndEnd(name, true);
  t.equal(scene.begun.length, 7, 'those that live are many');
  for (const name of 'abcdefg') askAndEnd(name, false);
  t.equal(scene.begun.length, 7 + limits.burst);
  scene.clock.advance(499);
  t.equal(scene.begun.length, 12);
  scene.clock.advance(1);
  t.equal(scene.begun.length, 13, 'one for half a second');
  scene.end('f', false);
  scene.clock.advance(60_000);
  t.equal(scene.begun.length, 14);
  scene.end('g', false);
  for (const name of 'ABCDEFG') askAndEnd(name, false);
  t.equal(scene.begun.length, 14 + limits.burst, 'what is not used is not saved up');
  t.end();
});

t.test('lanes take turns, each in its order', (t) => {
  const scene = new Scene();
  for (const name of ['x', 'y', 'z']) scene.ask(name);
  for (const name of ['new1', 'new2', 'new3', 'new4', 'new5', 'new6']) scene.ask(name, 'new');
  for (const name of ['silent1', 'silent2', 'silent3']) scene.ask(name, 'silent');
  scene.ask('met1', 'met');
  scene.clock.advance(60_000);
  for (let i = 0; i < 20; i++) {
    scene.end(scene.begun[i] ?? '', false);
    scene.clock.advance(1000);
  }
  const [first, second] = [
    ['new1', 'new2', 'new3'],
    ['new4', 'new5', 'new6'],
  ];
  // Three that are new have had theirs.
  t.same(scene.begun.slice(3), ['silent1', 'met1', ...first, 'silent2', ...second, 'silent3']);
  t.equal(scene.clock.pending, 0);
  t.end();
});

t.test('a turn that is given up is nobody’s, and leaves no timer', (t) => {
  const scene = new Scene();
  for (const name of 'abc') scene.ask(name);
  const leave = [scene.ask('d'), scene.ask('e')];
  leave[0]?.();
  scene.end('a', true);
  t.same(scene.begun, ['a', 'b', 'c', 'e']);
  leave[1]?.();
  for (const name of 'bce') scene.end(name, false);
  for (const name of 'fg') {
    scene.ask(name);
    scene.end(name, false);
  }
  const last = scene.ask('h');
  t.equal(scene.clock.pending, 1, 'it waits for the next second');
  last();
  t.equal(scene.clock.pending, 0);
  t.end();
});

t.test('whatever is asked, no more is dialled than may be, and everyone has a turn', (t) => {
  const request = fc.record({
    lane: fc.constantFrom<DialLane>('met', 'new', 'silent'),
    dialCount: fc.integer({ min: 1, max: 20 }),
    afterMs: fc.nat(2000),
    takesMs: fc.nat(5000),
  });
  fc.assert(
    fc.property(fc.array(request, { minLength: 1, maxLength: 60 }), (requests) => {
      const clock = new ManualClock();
      const turns = new DialTurns(clock, limits);
      const startsMs: number[] = [];
      let running = 0;
      let most = 0;
      let begun = 0;
      for (const { lane, dialCount, afterMs, takesMs } of requests) {
        turns.ask(lane, dialCount, (ended) => {
          const cost = Math.min(dialCount, limits.atOnce);
          begun += 1;
          running += cost;
          most = Math.max(most, running);
          for (let i = 0; i < cost; i++) startsMs.push(clock.monotonicMs());
          clock.schedule(takesMs, () => {
            running -= cost;
            ended(false);
          });
        });
        clock.advance(afterMs);
      }
      clock.advance(requests.length * 20_000);
      const isWithin = startsMs.every((startMs, i) => {
        const spanMs = (startsMs[i + limits.burst] ?? Infinity) - startMs;
        return spanMs * limits.perSecond >= 1000 - 1e-6;
      });
      return begun === requests.length && most <= limits.atOnce && isWithin && clock.pending === 0;
    }),
  );
  t.equal(FAILED_DIALS_PER_MINUTE_MAX, defaultDialLimits.burst + 60 * defaultDialLimits.perSecond);
  t.end();
});
