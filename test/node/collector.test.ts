/** When a node gives back the memory that its work took. */
import t from 'tap';
import { collectEverything, collectWhenIdle } from '#node/collector.js';
import { ManualClock } from '#test/fixtures/clock.js';

const LOOK_MS = 2_000;
const LOOKS_IDLE = 15;
const MEBIBYTE = 1 << 20;

t.test('everything is collected when the node has started, and when it is idle after work that took much', (t) => {
  const clock = new ManualClock();
  let isBusy = false;
  let size = 100 * MEBIBYTE;
  let count = 0;
  const stop = collectWhenIdle({
    clock,
    isBusy: () => isBusy,
    residentSize: () => size,
    collect: () => {
      count += 1;
      size = 80 * MEBIBYTE;
    },
  });
  const after = (looks: number): number => {
    for (let i = 0; i < looks; i++) clock.advance(LOOK_MS);
    return count;
  };
  const work = (takes: number): void => {
    isBusy = true;
    after(1);
    isBusy = false;
    size += takes * MEBIBYTE;
  };
  t.equal(after(1), 1, 'what loading left');
  t.equal(after(LOOKS_IDLE), 1, 'and not again');
  work(100);
  t.equal(after(LOOKS_IDLE - 1), 1, 'it may go on');
  work(0);
  t.equal(after(LOOKS_IDLE - 1), 1);
  t.equal(after(1), 2);
  work(31);
  t.equal(after(LOOKS_IDLE), 2, 'not worth it');
  work(1);
  t.equal(after(LOOKS_IDLE), 3);
  work(100);
  stop();
  t.equal(after(LOOKS_IDLE), 3, 'nor when it has stopped');
  t.end();
});

t.test('what is free goes back to the system', async (t) => {
  let rubbish: unknown[] = [];
  for (let i = 0; i < 400_000; i++) rubbish.push({ i, text: `text ${String(i)}` });
  const before = process.memoryUsage().heapTotal;
  rubbish = [];
  await collectEverything();
  const after = process.memoryUsage().heapTotal;
  t.equal(rubbish.length, 0);
  t.ok(after <= before / 2, `${String(after)} of ${String(before)} bytes are left`);
});
