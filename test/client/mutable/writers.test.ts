/**
 * Several writers of one file on one grid, each a node of its own, with delays between all of them that a seed repeats.
 * The long version is in test/crash.
 */
import t from 'tap';
import { equalBytes } from '#core/bytes.js';
import { isTahoeError } from '#core/errors.js';
import { backOffMs } from '#client/mutable/back-off.js';
import { MutableFile } from '#client/mutable/mutable-file.js';
import { WRITERS_WAITING_MAX } from '#client/mutable/writer-queue.js';
import { seededBytes, seededRandom } from '../../fixtures/crypto.js';
import { settle } from '../../fixtures/clock.js';
import { hang } from '../../fixtures/memory-server.js';
import { MutableGrid } from '../../fixtures/mutable-grid.js';
import { race, slowDown } from '../../fixtures/mutable-race.js';

t.test('writers who meet leave at every moment enough shares of one version', async (t) => {
  // Four servers and two shares needed: were all to write everywhere at once, each server might have another version.
  for (const format of ['sdmf', 'mdmf'] as const) {
    for (let seed = 1; seed <= 4; seed++) {
      const { lost, least } = await race({ format, writers: 8, changes: 1, seed });
      t.ok(least >= 2, `${format}, seed ${String(seed)}: ${String(least)}`);
      t.strictSame(lost, []);
    }
  }
});

for (const writers of [2, 4, 8, 16]) {
  for (const format of ['sdmf', 'mdmf'] as const) {
    t.test(`${String(writers)} writers, ${format}: the union survives`, async (t) => {
      const { lost, met } = await race({ format, writers, changes: Math.floor(24 / writers), seed: 1 });
      t.strictSame(lost, [], 'every acknowledged change is there');
      t.ok(met > 0, `they met ${String(met)} times`);
    });
  }
}

t.test('writers who do not try again are told', async (t) => {
  for (const format of ['sdmf', 'mdmf'] as const) {
    let told = 0;
    for (let seed = 0; seed < 10; seed++) {
      const grid = new MutableGrid({ needed: 2, total: 5, servers: 5, seed: String(seed) });
      const file = await grid.create(format, seededBytes('start', 100));
      slowDown(grid, seed);
      const contents = [seededBytes('a', 100), seededBytes('b', 100)];
      const writes = contents.map((bytes, i) =>
        new MutableFile(grid.node(String(i)), file.capability).overwrite(bytes),
      );
      const { result } = await grid.pass(Promise.allSettled(writes));
      const refusals = result.filter(({ status }) => status === 'rejected');
      for (const each of refusals) {
        t.ok(each.status === 'rejected' && isTahoeError(each.reason, 'ERR_UNCOORDINATED_WRITE'));
      }
      told += refusals.length;
      if (refusals.length === 2) continue; // what is there now is one of them, or still to be mended
      const { result: read } = await grid.pass(new MutableFile(grid.node('reader'), file.capability).read());
      // A refused write may be there in part, on top of one that was acknowledged; never beside it.
      const number = read.version.sequenceNumber;
      for (const [i, each] of result.entries()) {
        if (each.status === 'rejected') continue;
        const isThere = equalBytes(contents[i] ?? new Uint8Array(0), read.bytes);
        const { sequenceNumber } = each.value;
        t.ok(isThere ? number === sequenceNumber : number > sequenceNumber, 'it is there, or was overtaken');
      }
    }
    t.ok(told >= 5, `${format}: ${String(told)} were told`);
  }
});

t.test('writers inside one node take turns, and never meet', async (t) => {
  const grid = new MutableGrid({ needed: 2, total: 3, servers: 3 });
  const file = await grid.create('sdmf', new Uint8Array(0));
  slowDown(grid, 1);
  const node = grid.node();
  const add = (i: number) =>
    new MutableFile(node, file.capability).modify((old, isFirst) => {
      t.ok(isFirst);
      return Uint8Array.of(...old, i);
    });
  await grid.pass(Promise.all(Array.from({ length: 20 }, (_, i) => add(i))));
  const { result } = await grid.pass(file.read());
  t.strictSame(
    [...result.bytes].sort((a, b) => a - b),
    Array.from({ length: 20 }, (_, i) => i),
  );
  t.equal(result.version.sequenceNumber, 21);
});

t.test('no more wait for one file than there are places', async (t) => {
  const grid = new MutableGrid();
  const file = await grid.create('sdmf', new Uint8Array(0));
  for (const server of grid.servers) server.listMutableShares = (_index, options) => hang(options);
  const controller = new AbortController();
  const { signal } = controller;
  const waiting = Array.from({ length: WRITERS_WAITING_MAX }, () =>
    file.overwrite(new Uint8Array(1), { signal }).catch((error: unknown) => error),
  );
  await t.rejects(file.overwrite(new Uint8Array(1)), { code: 'ERR_BUSY' });
  controller.abort();
  await settle(40);
  for (const outcome of await Promise.all(waiting)) t.match(outcome, { code: 'ERR_CANCELLED' });
});

t.test('who gives up while waiting is told at once, and the others have their turns', async (t) => {
  const grid = new MutableGrid();
  const file = await grid.create('sdmf', Uint8Array.of(1));
  const controller = new AbortController();
  let letGo: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const first = file.modify(async () => {
    await held;
    return Uint8Array.of(2);
  });
  const second = file.overwrite(Uint8Array.of(3), { signal: controller.signal });
  const third = file.modify((old) => Uint8Array.of(...old, 4));
  controller.abort();
  await t.rejects(second, { code: 'ERR_CANCELLED' });
  letGo();
  await first;
  await third;
  t.strictSame([...(await file.read()).bytes], [2, 4]);
});

t.test('a change that is not wanted writes nothing; after a meeting it is written all the same', async (t) => {
  const grid = new MutableGrid();
  const file = await grid.create('sdmf', Uint8Array.of(1));
  t.equal((await file.modify(() => undefined)).sequenceNumber, 1);
  t.equal((await file.modify((old) => old)).sequenceNumber, 1);
  const other = grid.open(file);
  const turns: boolean[] = [];
  const work = file.modify(async (old, isFirst) => {
    turns.push(isFirst);
    if (isFirst) await other.overwrite(Uint8Array.of(2));
    return isFirst ? Uint8Array.of(...old, 3) : undefined;
  });
  const { result, seconds } = await grid.pass(work);
  t.strictSame(turns, [true, false]);
  t.equal(result.sequenceNumber, 3);
  t.ok(seconds > 1 && seconds < 5, `it waited ${String(seconds)} s`);
  t.strictSame([...(await file.read()).bytes], [2]);
});

t.test('after four attempts a change gives up', async (t) => {
  const grid = new MutableGrid();
  const file = await grid.create('sdmf', Uint8Array.of(1));
  const other = grid.open(file);
  let turns = 0;
  const work = file.modify(async (old) => {
    turns += 1;
    await other.overwrite(Uint8Array.of(100 + turns));
    return Uint8Array.of(...old, 3);
  });
  const { result, seconds } = await grid.pass(work.catch((error: unknown) => error));
  t.match(result, { code: 'ERR_UNCOORDINATED_WRITE', family: 'conflict' });
  t.equal(turns, 4);
  t.ok(seconds > 15 && seconds < 60, `${String(seconds)} s`);
  t.strictSame([...(await other.read()).bytes], [104]);
});

t.test('the waits are about e, e² and e³ seconds', async (t) => {
  const random = seededRandom('waits');
  for (const attempt of [1, 2, 3]) {
    const waits = Array.from({ length: 500 }, () => backOffMs(random, attempt) / 1000);
    const mean = waits.reduce((sum, wait) => sum + wait, 0) / waits.length;
    const spread = Math.sqrt(waits.reduce((sum, wait) => sum + (wait - mean) ** 2, 0) / waits.length);
    t.ok(Math.abs(mean / Math.exp(attempt) - 1) < 0.03, String(mean));
    t.ok(Math.abs(spread / mean - 0.1196) < 0.02, String(spread));
    t.ok(waits.every((wait) => wait >= 0));
  }
});
