/**
 * Versions that are older than one seen before. 200 simulated trials here, 10 000 in test/crash; TALLAC_ROLLBACK_SEED
 * and TALLAC_ROLLBACK_COUNT replay and lengthen them.
 */
import t from 'tap';
import { equalBytes } from '#core/bytes.js';
import type { Log } from '#core/environment.js';
import { silentLog } from '#core/environment.js';
import { MutableFile } from '#client/mutable/mutable-file.js';
import { createSeenVersions } from '#client/mutable/seen-versions.js';
import { SeenVersionsFile } from '#node/seen-versions-file.js';
import { settle } from '../../fixtures/clock.js';
import { crypto, seededBytes } from '../../fixtures/crypto.js';
import { MutableGrid, restore, sharesOn, substitute } from '../../fixtures/mutable-grid.js';
import { sweepRollbacks } from '../../fixtures/mutable-sweeps.js';
import { temporaryDirectory } from '../../node/fixtures/temporary-directory.js';

const seed = process.env.TALLAC_ROLLBACK_SEED ?? '1';
const count = Number(process.env.TALLAC_ROLLBACK_COUNT ?? '200');

t.test(`${String(count)} trials, seed ${seed}`, { timeout: 600_000 }, async (t) => {
  const outcomes = sweepRollbacks(seed, count);
  t.equal(outcomes.accepted, 0, 'no older version was taken');
  t.equal(outcomes.newest + outcomes.refused + outcomes.fresh, count);
  for (const each of [outcomes.newest, outcomes.refused, outcomes.fresh])
    t.ok(each > count / 20, JSON.stringify(outcomes));
});

/** A file of which all servers give version 1 again, when version 2 is the newest. */
async function rolledBack() {
  const grid = new MutableGrid();
  const first = seededBytes('first', 500);
  const file = await grid.create('sdmf', first);
  const old = await sharesOn(grid.servers, file.storageIndex);
  await file.overwrite(seededBytes('second', 500));
  const turnBack = (): void => {
    for (const server of grid.servers) substitute(server, old.get(server) ?? new Map());
  };
  const repent = (): void => {
    for (const server of grid.servers) restore(server);
  };
  return { grid, file, first, turnBack, repent };
}

t.test('a node that has seen the newer version says so, over its own restart', async (t) => {
  const { file, grid, repent, turnBack } = await rolledBack();
  const path = `${await temporaryDirectory(t)}/seen-versions`;
  const open = () => SeenVersionsFile.open({ path, crypto, secret: new Uint8Array(32), log: silentLog });
  const told: string[] = [];
  const log: Log = { ...silentLog, error: (event) => told.push(event) };
  const before = await open();
  await new MutableFile({ ...grid.node('node', log), seen: before }, file.capability).read();
  await before.close();
  turnBack();
  const after = await open();
  const node = new MutableFile({ ...grid.node('node', log), seen: after }, file.capability);
  await t.rejects(node.read(), { code: 'ERR_ROLLED_BACK', facts: { sequenceNumber: 1, highest: 2 } });
  await t.rejects(node.openVersion(), { code: 'ERR_ROLLED_BACK' });
  await t.rejects(
    node.modify(() => new Uint8Array(1)),
    { code: 'ERR_ROLLED_BACK' },
  );
  t.strictSame(new Set(told), new Set(['mutable file rolled back']));
  t.ok(
    equalBytes((await node.read(undefined, { acceptOlder: true })).bytes, seededBytes('first', 500)),
    'unless asked',
  );
  repent();
  t.ok(equalBytes((await node.read()).bytes, seededBytes('second', 500)));
  await after.close();
});

t.test('a slow server that has the newer version is waited for', async (t) => {
  const { file, grid, turnBack } = await rolledBack();
  const newer = await sharesOn(grid.servers, file.storageIndex);
  turnBack();
  for (const server of grid.permuted(file.storageIndex).slice(0, 3)) {
    substitute(server, newer.get(server) ?? new Map());
    const list = server.listMutableShares.bind(server);
    server.listMutableShares = async (...args) => {
      await new Promise<void>((resolve) => grid.clock.schedule(8_000, resolve));
      return list(...args);
    };
  }
  const { result, seconds } = await grid.pass(file.read());
  t.ok(equalBytes(result.bytes, seededBytes('second', 500)));
  t.ok(seconds >= 8 && seconds < 10, `${String(seconds)} s`);
});

t.test('what is written over an older version is above every number seen', async (t) => {
  const { file, grid } = await rolledBack();
  const seen = createSeenVersions();
  await seen.saw(file.storageIndex, { sequenceNumber: 7, rootHash: new Uint8Array(32) });
  const node = new MutableFile({ ...grid.node(), seen }, file.capability);
  await t.rejects(node.read(), { code: 'ERR_ROLLED_BACK' });
  t.equal((await node.overwrite(new Uint8Array(3))).sequenceNumber, 8);
  t.equal((await node.read()).bytes.length, 3);
  const modified = await node.modify(() => new Uint8Array(4), { acceptOlder: true });
  t.equal(modified.sequenceNumber, 9);
});

t.test('a memory that cannot be written stops nothing', async (t) => {
  const grid = new MutableGrid();
  const told: string[] = [];
  const seen = { ...createSeenVersions(), saw: () => Promise.reject(new Error('no disk')) };
  const context = { ...grid.node('node', { ...silentLog, error: (event) => told.push(event) }), seen };
  const file = await grid.create('sdmf', Uint8Array.of(1));
  const node = new MutableFile(context, file.capability);
  await node.overwrite(Uint8Array.of(2));
  t.strictSame([...(await node.read()).bytes], [2]);
  t.strictSame(told, ['seen version not kept', 'seen version not kept']);
});

t.test('only so many files are remembered', async (t) => {
  const seen = createSeenVersions(2);
  for (const i of [1, 2, 1, 3]) {
    await seen.saw(new Uint8Array(16).fill(i), { sequenceNumber: i, rootHash: new Uint8Array(32) });
  }
  t.equal(await seen.highest(new Uint8Array(16).fill(2)), undefined);
  t.equal((await seen.highest(new Uint8Array(16).fill(1)))?.sequenceNumber, 1);
});

t.test('the highest is kept, whatever comes after it', async (t) => {
  const seen = createSeenVersions();
  const index = new Uint8Array(16);
  const saw = (sequenceNumber: number, root: number) =>
    seen.saw(index, { sequenceNumber, rootHash: new Uint8Array(32).fill(root) });
  await saw(5, 1);
  await saw(3, 2);
  t.match(await seen.highest(index), { sequenceNumber: 5, rootHash: new Uint8Array(32).fill(1) });
  await saw(5, 9);
  t.match(
    await seen.highest(index),
    { sequenceNumber: 5, rootHash: new Uint8Array(32).fill(9) },
    'another of its number',
  );
  await saw(6, 1);
  t.equal((await seen.highest(index))?.sequenceNumber, 6);
});

t.test('a write of this node during a look is no rollback', async (t) => {
  const grid = new MutableGrid();
  const file = await grid.create('sdmf', seededBytes('first', 500));
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  let isHolding = true;
  for (const server of grid.servers) {
    const readMutable = server.readMutable.bind(server);
    server.readMutable = async (...args) => {
      const isHeld = isHolding;
      const answer = await readMutable(...args);
      if (isHeld) await gate;
      return answer;
    };
  }
  const reading = new MutableFile(grid.context, file.capability).read();
  await settle();
  isHolding = false;
  const second = seededBytes('second', 500);
  await grid.pass(file.overwrite(second));
  release();
  const { result } = await grid.pass(reading);
  const contents = [seededBytes('first', 500), second];
  t.ok(
    contents.some((bytes) => equalBytes(bytes, result.bytes)),
    'one of the two versions',
  );
});
