/**
 * The reference's gateways make, change and read mutable files and directories on our storage nodes as on the
 * reference's own, and leave files of the same structure there; and storage directories with mutable shares change
 * hands, there and back.
 */
import { generateKeyPairSync } from 'node:crypto';
import t from 'tap';
import type { Test } from 'tap';
import { seededBytes } from '#test/fixtures/crypto.js';
import { hasReference, inPairs, ProcessGrid } from '#test/fixtures/process-grid.js';
import type { GridNode, Program } from '#test/fixtures/process-grid.js';
import {
  addLease,
  getFile,
  isHealthy,
  makeDirectory,
  namesIn,
  overwrite,
  putChild,
  putMutable,
} from './gateway-talk.js';
import { readMutableShares } from './mutable-share-files.js';

const skip = hasReference ? false : 'no reference';
const LEASE_DURATION_SECONDS = 31 * 24 * 3600;

/** What one server's shares look like, without what is random in them. */
async function structureOf(grid: ProcessGrid, capability: string): Promise<object[]> {
  const shares = await readMutableShares(grid.storage, capability);
  return shares.map(({ dataLength, extraOffset, fileSize, leases, magic, shareNumber }) => {
    return { dataLength, extraOffset, fileSize, magic, shareNumber, owners: leases.map(({ owner }) => owner) };
  });
}

/** Each node names itself in what it recorded; a gateway has one write enabler for each server and one lease. */
async function checkRecords(t: Test, grid: ProcessGrid, capability: string, leaseCount: number): Promise<void> {
  for (const { leases, node, nodeId } of await readMutableShares(grid.storage, capability)) {
    const own = (await node.read('my_nodeid')).trim();
    t.strictSame([nodeId, ...leases.map((lease) => lease.nodeId)], Array<string>(leaseCount + 1).fill(own));
    for (const { expiry } of leases) {
      const ageSeconds = Date.now() / 1000 + LEASE_DURATION_SECONDS - expiry;
      t.ok(ageSeconds > -2 && ageSeconds < 120, `a lease ${String(ageSeconds)} s old`);
    }
  }
}

/** The same life of a file on each grid, step by step. */
async function live(t: Test, grids: readonly ProcessGrid[], format: 'sdmf' | 'mdmf'): Promise<void> {
  const first = seededBytes(format, 150_000);
  // With one key both files have one name and parts of one length: the salts alone are random.
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const der = privateKey.export({ type: 'pkcs8', format: 'der' });
  const capabilities = await Promise.all(grids.map((grid) => putMutable(gatewayOf(grid), first, format, der)));
  t.equal(capabilities[0], capabilities[1]);
  let content = Buffer.from(first);
  const check = async (what: string): Promise<void> => {
    const structures: object[][] = [];
    for (const [i, grid] of grids.entries()) {
      const capability = capabilities[i] ?? '';
      for (const gateway of grid.gateways) {
        t.ok((await getFile(gateway, capability)).equals(content), `${format} ${what}, read by ${gateway.name}`);
      }
      structures.push(await structureOf(grid, capability));
    }
    t.strictSame(structures[0], structures[1], `${format} ${what}: files of the same structure`);
  };
  const change = async (what: string, next: Uint8Array, offset?: number): Promise<void> => {
    for (const [i, grid] of grids.entries()) await overwrite(gatewayOf(grid), capabilities[i] ?? '', next, offset);
    const size = offset === undefined ? next.length : Math.max(content.length, offset + next.length);
    const changed = Buffer.alloc(size);
    if (offset !== undefined) changed.set(content);
    changed.set(next, offset ?? 0);
    content = changed;
    await check(what);
  };
  await check('made');
  await change('grown', seededBytes('grown', 400_000));
  await change('shrunk', seededBytes('shrunk', 5000));
  await change('grown inside its container', seededBytes('again', 300_000));
  await change('changed in its middle', seededBytes('part', 1000), 140_000);
  await change('appended to', seededBytes('end', 20_000), 300_000);
  for (const [i, grid] of grids.entries()) {
    const capability = capabilities[i] ?? '';
    await checkRecords(t, grid, capability, 1);
    for (const gateway of grid.gateways) await addLease(gateway, capability);
    await checkRecords(t, grid, capability, grid.gateways.length);
    t.ok(await isHealthy(gatewayOf(grid), capability), `${format}: healthy`);
  }
  await check('leased');
}

function gatewayOf(grid: ProcessGrid): GridNode {
  return grid.gateway('reference');
}

async function startGrid(t: Test, program: Program): Promise<ProcessGrid> {
  const grid = await ProcessGrid.start({
    storage: Array<Program>(3).fill(program),
    gateways: ['reference', 'reference'],
    encoding: { needed: 2, happy: 3, total: 3 },
  });
  t.teardown(() => grid.stop());
  return grid;
}

t.test('mutable files and directories', { skip, timeout: 500_000 }, async (t) => {
  const grids = [await startGrid(t, 'ours'), await startGrid(t, 'reference')];
  for (const format of ['sdmf', 'mdmf'] as const) {
    await t.test(`the life of a file: ${format}`, (t) => live(t, grids, format));
  }

  await t.test('directories', async (t) => {
    for (const format of ['sdmf', 'mdmf'] as const) {
      for (const grid of grids) {
        const directory = await makeDirectory(gatewayOf(grid), format);
        const names = Array.from({ length: 6 }, (_, i) => `file ${String(i)}`);
        for (const [i, name] of names.entries()) {
          await putChild(grid.gateways[i % 2] ?? gatewayOf(grid), directory, name, seededBytes(name, 10));
        }
        for (const gateway of grid.gateways) t.strictSame(await namesIn(gateway, directory), names);
        const shares = await readMutableShares(grid.storage, directory);
        const found = shares.map(({ leases, shareNumber }) => [shareNumber, leases.length]);
        t.strictSame(
          found,
          [0, 1, 2].map((shareNumber) => [shareNumber, 2]),
          'a lease of each who wrote',
        );
      }
    }
  });

  await t.test('a large file in one request for each share', async (t) => {
    const [grid] = grids;
    if (grid === undefined) return;
    const content = seededBytes('large', 20_000_000);
    const capability = await putMutable(gatewayOf(grid), content, 'mdmf');
    t.ok((await getFile(gatewayOf(grid), capability)).equals(content));
    const lengths = (await readMutableShares(grid.storage, capability)).map(
      ({ dataLength }) => dataLength > 10_000_000,
    );
    t.strictSame(lengths, [true, true, true]);
  });
});

t.test('storage directories with mutable shares', { skip, timeout: 300_000 }, async (t) => {
  const grid = await ProcessGrid.start({
    storage: ['ours', 'reference'],
    gateways: ['reference', 'reference'],
    encoding: { needed: 2, happy: 2, total: 2 },
  });
  t.teardown(() => grid.stop());
  const [writer, other] = grid.gateways;
  if (writer === undefined || other === undefined) throw new Error('there are no gateways');
  const files = await Promise.all(
    (['sdmf', 'mdmf'] as const).map((format) => putMutable(writer, seededBytes(format, 200_000), format)),
  );
  const directory = await makeDirectory(writer, 'sdmf');
  const wanted = new Map(files.map((file, i) => [file, Buffer.from(seededBytes(i === 0 ? 'sdmf' : 'mdmf', 200_000))]));
  const names: string[] = [];

  for (const stage of ['exchanged', 'changed back']) {
    await t.test(`with programs ${stage}`, async (t) => {
      const before = await Promise.all(files.map((file) => contentsOf(grid, file)));
      await inPairs(grid.storage, async (node) => {
        await node.stop();
        await node.start(node.program === 'ours' ? 'reference' : 'ours');
      });
      await grid.reconnected();
      t.strictSame(await Promise.all(files.map((file) => contentsOf(grid, file))), before, 'every byte is as it was');
      for (const file of files) {
        for (const gateway of grid.gateways)
          t.ok((await getFile(gateway, file)).equals(wanted.get(file) ?? Buffer.of()));
        for (const gateway of grid.gateways) await addLease(gateway, file);
        await checkLeases(t, grid, file, 2);
        const next = Buffer.from(seededBytes(`${file} ${stage}`, stage === 'exchanged' ? 300_000 : 100_000));
        await overwrite(other, file, next);
        wanted.set(file, next);
        t.ok((await getFile(writer, file)).equals(next), 'written on');
        await checkLeases(t, grid, file, 2);
        t.ok(await isHealthy(writer, file));
      }
      names.push(stage);
      await putChild(other, directory, stage, seededBytes(stage, 100));
      t.strictSame(await namesIn(writer, directory), [...names].sort());
    });
  }
});

async function contentsOf(grid: ProcessGrid, capability: string): Promise<object[]> {
  const shares = await readMutableShares(grid.storage, capability);
  return shares.map(({ data, leases, shareNumber, writeEnabler }) => ({ data, leases, shareNumber, writeEnabler }));
}

async function checkLeases(t: Test, grid: ProcessGrid, capability: string, count: number): Promise<void> {
  const shares = await readMutableShares(grid.storage, capability);
  t.strictSame(
    shares.map(({ leases }) => leases.length),
    [count, count],
  );
}
