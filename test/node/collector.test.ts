/** When a node gives back the memory that its work took. */
import t from 'tap';
import { collectEverything, collectorOfDiscarded, collectWhenIdle } from '#node/collector.js';
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

t.test('new garbage is collected every 8 MiB, and all of it when much has grown old and nothing rushes', (t) => {
  const collected: string[] = [];
  let [nowMs, arraySize] = [0, 10 * MEBIBYTE];
  const discarded = collectorOfDiscarded({
    nowMs: () => nowMs,
    arraySize: () => arraySize,
    collect: (what) => collected.push(what),
  });
  const at = (timeMs: number, size: number): string[] => {
    nowMs = timeMs;
    discarded(size);
    return collected.splice(0);
  };
  t.strictSame(at(0, 7 * MEBIBYTE), []);
  t.strictSame(at(0, MEBIBYTE), ['new']);
  arraySize = 17 * MEBIBYTE;
  t.strictSame(at(249, 8 * MEBIBYTE), ['new'], 'data rush through');
  t.strictSame(at(499, 8 * MEBIBYTE), ['new', 'all']);
  t.strictSame(at(10_498, 8 * MEBIBYTE), ['new'], 'not again so soon');
  t.strictSame(at(10_748, MEBIBYTE), []);
  t.strictSame(at(10_748, 7 * MEBIBYTE), ['new', 'all']);
  t.end();
});

/** So many arrays of 1 MiB, each as old as a collection makes what outlives two others. */
function oldArrays(count: number, discarded: (size: number) => void): Uint8Array[] {
  const arrays = Array.from({ length: count }, () => new Uint8Array(MEBIBYTE));
  for (let i = 0; i < 3; i++) discarded(8 * MEBIBYTE);
  return arrays;
}

t.test('arrays that have grown old are given back', async (t) => {
  let nowMs = 0;
  const discarded = collectorOfDiscarded({ nowMs: () => nowMs });
  discarded(8 * MEBIBYTE);
  const before = process.memoryUsage().arrayBuffers;
  t.equal(oldArrays(40, discarded).length, 40);
  nowMs = 10_000;
  discarded(8 * MEBIBYTE);
  await new Promise((resolve) => setImmediate(resolve));
  const left = process.memoryUsage().arrayBuffers - before;
  t.ok(left < 8 * MEBIBYTE, `${String(left)} bytes are left`);
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
