/** How far ahead of its reader a file is fetched. */
import t from 'tap';
import { ReadAhead } from '#client/download/read-ahead.js';
import { settle } from '#test/fixtures/clock.js';

/** Fetches that end when they are told to. */
function fetches() {
  const open = new Map<number, { resolve: (item: number) => void; reject: (error: Error) => void }>();
  let begun = 0;
  const fetch = (number: number): Promise<number> => {
    begun += 1;
    return new Promise((resolve, reject) => open.set(number, { resolve, reject }));
  };
  const end = (number: number): void => open.get(number)?.resolve(number);
  return { fetch, end, fail: (number: number) => open.get(number)?.reject(new Error('lost')), begun: () => begun };
}

t.test('for a slow reader it is ever less, and twice as much again each time that it waits', async (t) => {
  const { begun, end, fetch } = fetches();
  const reader = new ReadAhead(16, fetch).read(10, 99);
  const counts: number[] = [];
  const ask = async (number: number, there: number): Promise<void> => {
    const next = reader.next();
    await settle();
    counts.push(begun() - (number - 10));
    for (let i = number; i <= there; i++) end(i);
    t.equal((await next).value, number);
  };
  for (let number = 10; number < 18; number++) await ask(number, 99);
  t.strictSame(counts.splice(0), [8, 7, 6, 5, 4, 3, 2, 2], 'half of the most at first');
  await ask(18, 18);
  for (let number = 19; number < 23; number++) await ask(number, number);
  t.strictSame(counts, [2, 4, 8, 16, 16], 'the first of these was there');
});

t.test('it knows who waits for whom', async (t) => {
  const { end, fetch } = fetches();
  const ahead = new ReadAhead(4, fetch);
  const reader = ahead.read(0, 9);
  const found: boolean[] = [];
  for (const there of [1, 1, 5, 5, 5]) {
    const next = reader.next();
    await settle();
    for (let number = 0; number <= there; number++) end(number);
    await next;
    await settle();
    found.push(ahead.isAhead);
  }
  t.strictSame(found, [false, true, false, true, true]);
});

t.test('as long as some are under way it stays as it is', async (t) => {
  const { begun, end, fetch } = fetches();
  const reader = new ReadAhead(8, fetch).read(0, 99);
  for (let number = 0; number < 5; number++) {
    const next = reader.next();
    await settle();
    t.equal(begun() - number, 4);
    for (const there of [number, number + 1]) end(there);
    await next;
  }
});

t.test('no more is fetched than there is, and never fewer than two', async (t) => {
  const { begun, end, fetch } = fetches();
  const reader = new ReadAhead(0, fetch).read(3, 5);
  const numbers: number[] = [];
  for (let next = reader.next(); ; next = reader.next()) {
    await settle();
    for (const number of [3, 4, 5]) end(number);
    const { value, done } = await next;
    if (done === true) break;
    numbers.push(value);
  }
  t.strictSame(numbers, [3, 4, 5]);
  t.equal(begun(), 3);
});

t.test('what fails is thrown where the reader comes to it, and is no unhandled rejection', async (t) => {
  const { end, fail, fetch } = fetches();
  const reader = new ReadAhead(8, fetch).read(0, 9);
  const first = reader.next();
  await settle();
  for (const number of [1, 2, 3]) fail(number);
  await settle();
  end(0);
  t.equal((await first).value, 0);
  await t.rejects(reader.next(), { message: 'lost' });
  t.strictSame(await reader.next(), { value: undefined, done: true });
});
