/** Servers that hang at one phase or another: what can be done is done in half a minute, what cannot is said in one. */
import t from 'tap';
import { concat, equalBytes } from '#core/bytes.js';
import { isTahoeError } from '#core/errors.js';
import type { MutableFile } from '#client/mutable/mutable-file.js';
import { OPEN_SIZE } from '#client/mutable/share-reader.js';
import { seededBytes } from '../../fixtures/crypto.js';
import { settle } from '../../fixtures/clock.js';
import { hang } from '../../fixtures/memory-server.js';
import type { MemoryServer } from '../../fixtures/memory-server.js';
import { MutableGrid, restore } from '../../fixtures/mutable-grid.js';

const SIZE = 40_000;
const contents = seededBytes('contents', SIZE);

/** What hangs. */
const phases: Readonly<Record<string, (server: MemoryServer) => void>> = {
  list: (server) => {
    server.listMutableShares = (_index, options) => hang(options);
  },
  'opening a share': (server) => {
    server.readMutable = (_index, _number, _range, options) => hang(options);
  },
  'reading on in a share': (server) => {
    const read = server.readMutable.bind(server);
    server.readMutable = (index, number, range, options) =>
      range.end > OPEN_SIZE ? hang(options) : read(index, number, range, options);
  },
  write: (server) => {
    server.readTestWrite = () => new Promise(() => undefined);
  },
};

const changed = concat(Uint8Array.of(9), contents.subarray(1));
const operations: Readonly<Record<string, (file: MutableFile) => Promise<Uint8Array>>> = {
  read: async (file) => (await file.read()).bytes,
  overwrite: async (file) => {
    await file.overwrite(changed);
    return changed;
  },
  modify: async (file) => {
    await file.modify((old) => concat(Uint8Array.of(9), old.subarray(1)));
    return changed;
  },
  update: async (file) => {
    await file.update(0, Uint8Array.of(9));
    return changed;
  },
};

async function hungGrid(format: 'sdmf' | 'mdmf', phase: string, count: number) {
  const grid = new MutableGrid({ segmentSize: 15_000, happy: 3 });
  const file = await grid.create(format, contents);
  const hung = grid.permuted(file.storageIndex).slice(0, count);
  for (const server of hung) phases[phase]?.(server);
  return { grid, file: grid.open(file), hung };
}

for (const phase of Object.keys(phases)) {
  for (const format of ['sdmf', 'mdmf'] as const) {
    t.test(`7 of 10 hang: ${phase}, ${format}`, async (t) => {
      for (const [name, operation] of Object.entries(operations)) {
        const { file, grid, hung } = await hungGrid(format, phase, 7);
        const { result, seconds } = await grid.pass(operation(file));
        t.ok(seconds <= 30, `${name}: ${String(seconds)} s`);
        await settle();
        for (const server of hung) restore(server);
        // Who was hung has the old version still; this node has seen the new one and looks until it finds it.
        const { result: read } = await grid.pass(file.read());
        t.ok(equalBytes(read.bytes, result), `${name}: right contents when they are back`);
        await settle();
        grid.clock.advance(60_000);
        t.equal(grid.clock.pending, 0, `${name}: no timer is left`);
      }
    });

    if (phase === 'write') continue;
    t.test(`8 of 10 hang: ${phase}, ${format}`, async (t) => {
      for (const [name, operation] of Object.entries(operations)) {
        if (phase === 'reading on in a share' && name === 'overwrite') continue; // it needs no contents
        const { file, grid } = await hungGrid(format, phase, 8);
        const outcome = operation(file).then(
          () => 'done',
          (error: unknown) => error,
        );
        const { result, seconds } = await grid.pass(outcome);
        const isNamed = isTahoeError(result, 'ERR_NOT_ENOUGH_SHARES', 'ERR_NO_SHARES', 'ERR_UNHAPPY');
        t.ok(isNamed, `${name}: ${String(result)}`);
        t.ok(seconds <= 60, `${name}: ${String(seconds)} s`);
      }
    });
  }
}

t.test('creating, with 7 of 10 that hang', async (t) => {
  const grid = new MutableGrid({ happy: 3 });
  for (const server of grid.servers.slice(0, 7)) phases.write?.(server);
  const { result: file, seconds } = await grid.pass(grid.create('sdmf', contents));
  t.ok(seconds <= 30, `${String(seconds)} s`);
  const { result } = await grid.pass(file.read());
  t.ok(equalBytes(result.bytes, contents));
});

t.test('8 of 10 that hang while they are written to: too few have the file', async (t) => {
  const grid = new MutableGrid({ happy: 3 });
  for (const server of grid.servers.slice(0, 8)) phases.write?.(server);
  const outcome = grid.create('sdmf', contents).catch((error: unknown) => error);
  const { result, seconds } = await grid.pass(outcome);
  t.match(result, { code: 'ERR_UNHAPPY', facts: { reached: 2, happy: 3 } });
  t.ok(seconds <= 60, `${String(seconds)} s`);
});

t.test('a cancelled operation ends at once', async (t) => {
  for (const [name, operation] of Object.entries({
    read: (file: MutableFile, signal: AbortSignal) => file.read(undefined, { signal }),
    overwrite: (file: MutableFile, signal: AbortSignal) => file.overwrite(changed, { signal }),
    modify: (file: MutableFile, signal: AbortSignal) => file.modify(() => changed, { signal }),
    update: (file: MutableFile, signal: AbortSignal) => file.update(0, Uint8Array.of(1), { signal }),
  })) {
    for (const phase of Object.keys(phases)) {
      if (name === 'read' && phase === 'write') continue;
      if (name === 'overwrite' && phase === 'reading on in a share') continue; // MDMF has its key at the beginning
      const { file, grid } = await hungGrid('mdmf', phase, 10);
      const controller = new AbortController();
      const outcome = operation(file, controller.signal).catch((error: unknown) => error);
      await settle();
      controller.abort();
      await settle();
      t.match(
        await Promise.race([outcome, settle().then(() => 'late')]),
        { code: 'ERR_CANCELLED' },
        `${name}, ${phase}`,
      );
      t.equal(grid.clock.pending, 0, `${name}, ${phase}: no timer is left`);
    }
  }
});
