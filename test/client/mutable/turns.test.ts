/**
 * Large files are read, written and changed in turns, so that whatever else waits has its own between them. What counts
 * is how much is hashed and enciphered between two rounds of the event loop, not how long that takes here. The servers
 * are in memory and answer within the round: nothing but the code itself lets others in.
 */
import t from 'tap';
import { equalBytes } from '#core/bytes.js';
import type { Clock } from '#core/environment.js';
import type { MutableFormat } from '#core/capability/types.js';
import { MutableFile } from '#client/mutable/mutable-file.js';
import { TURN_SIZE, Turns } from '#client/mutable/take-steps.js';
import { countingCrypto } from '../../fixtures/counting-crypto.js';
import { seededBytes } from '../../fixtures/crypto.js';
import { MutableGrid } from '../../fixtures/mutable-grid.js';

const MIB = 1_048_576;
const crypto = countingCrypto();
const sizes: readonly [MutableFormat, number][] = [
  ['sdmf', 2 * MIB],
  ['mdmf', 8 * MIB],
];

/** On this clock every step takes long enough. */
function slowClock(clock: Clock): Clock {
  let stepsMs = 0;
  return {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs() + (stepsMs += 20),
    schedule: (delayMs, action) => clock.schedule(delayMs, action),
  };
}

/** How much was done in the busiest round, and in all, in bytes. */
async function busiest(work: () => Promise<unknown>): Promise<{ most: number; all: number }> {
  const begun = crypto.size;
  let [last, most, isDone] = [begun, 0, false];
  const round = (): void => {
    most = Math.max(most, crypto.size - last);
    last = crypto.size;
    if (!isDone) setImmediate(round);
  };
  setImmediate(round);
  await work();
  isDone = true;
  round();
  return { most, all: last - begun };
}

async function largeFile(format: MutableFormat, contents: Uint8Array) {
  const grid = new MutableGrid({ segmentSize: 131_073 });
  const context = { ...grid.node(), crypto, clock: slowClock(grid.clock) };
  const file = await grid.create(format, contents);
  return new MutableFile(context, file.capability);
}

for (const [format, size] of sizes) {
  const contents = seededBytes(format, size);
  const what = `${String(size / MIB)} MiB of ${format}`;

  t.test(`${what} are read`, async (t) => {
    const file = await largeFile(format, contents);
    const { all, most } = await busiest(async () => {
      t.ok(equalBytes((await file.read()).bytes, contents));
    });
    t.ok(most <= 3 * MIB, `${String(most)} bytes at most of ${String(all)}`);
  });

  t.test(`${what} are written`, async (t) => {
    const file = await largeFile(format, new Uint8Array(0));
    const { all, most } = await busiest(() => file.overwrite(contents));
    t.ok(most <= 2 * MIB, `${String(most)} bytes at most of ${String(all)}`);
    t.ok(all > 4 * size);
  });

  t.test(`${what} are changed`, async (t) => {
    const file = await largeFile(format, contents);
    const changed = seededBytes('changed', size / 2);
    const { all, most } = await busiest(() => file.update(1000, changed));
    t.ok(most <= 3 * MIB, `${String(most)} bytes at most of ${String(all)}`);
    t.ok(all > 2 * size);
  });
}

t.test('turns are taken one after the other, and an error ends its own work alone', async (t) => {
  const turns = new Turns();
  const done: string[] = [];
  function* work(name: string, steps: number): Generator<undefined, string> {
    for (let i = 0; i < steps; i++) {
      done.push(name);
      yield;
    }
    if (name === 'bad') throw new Error(name);
    return name;
  }
  let rounds = 0;
  const round = (): void => {
    if (rounds++ < 1000) setImmediate(round);
  };
  setImmediate(round);
  const outcomes = await Promise.allSettled([
    turns.take(work('a', 6), TURN_SIZE / 2),
    turns.take(work('bad', 1), TURN_SIZE / 2),
    turns.take(work('b', 3), TURN_SIZE / 2),
  ]);
  t.strictSame(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  t.equal(done.join(''), 'aaaaaabadbbb');
  t.ok(rounds >= 4, `${String(rounds)} rounds`);
  rounds = 1000;
});
