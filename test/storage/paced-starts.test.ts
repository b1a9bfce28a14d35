/** Crowds are let in a few at a time, the newest and the oldest in turns. */
import t from 'tap';
import { PacedStarts } from '#storage/paced-starts.js';
import { settle } from '#test/fixtures/clock.js';

interface Guest {
  readonly number: number;
  destroyed: boolean;
  destroy(): void;
}

function guest(number: number): Guest {
  return {
    number,
    destroyed: false,
    destroy() {
      this.destroyed = true;
    },
  };
}

t.test('a few start at once, the rest turn by turn, from both ends', async (t) => {
  const started: number[] = [];
  const starts = new PacedStarts<Guest>({ perTurn: 2, waiting: 10 }, ({ number }) => started.push(number));
  const guests = Array.from({ length: 7 }, (_, i) => guest(i));
  for (const one of guests) starts.add(one);
  t.strictSame(started, [0, 1]);
  guests[5]?.destroy();
  await settle(1);
  t.strictSame(started, [0, 1, 6, 2], 'the newest and the oldest');
  await settle(5);
  t.strictSame(started, [0, 1, 6, 2, 4, 3], 'who has gone is passed over');
  starts.add(guest(7));
  t.equal(started.at(-1), 7, 'after the crowd all is as before');
});

t.test('who has waited longest is sent away when too many wait', async (t) => {
  const starts = new PacedStarts<Guest>({ perTurn: 1, waiting: 3 }, () => undefined);
  const guests = Array.from({ length: 6 }, (_, i) => guest(i));
  for (const one of guests) starts.add(one);
  t.strictSame(
    guests.filter(({ destroyed }) => destroyed).map(({ number }) => number),
    [1, 2],
  );
});
