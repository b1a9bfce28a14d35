/**
 * A storage node's directory changes hands: our nodes' directories are run by the reference and the reference's by us,
 * and back again. Addresses, names and shares stay, and both gateways read every file at every stage; all four nodes
 * are needed for it.
 */
import { createHash } from 'node:crypto';
import t from 'tap';
import type { Test } from 'tap';
import { seededBytes } from '#test/fixtures/crypto.js';
import { readAnnouncement } from '#test/fixtures/grid-node-directory.js';
import { hasReference, inPairs, ProcessGrid } from '#test/fixtures/process-grid.js';
import type { GridNode, Program } from '#test/fixtures/process-grid.js';
import { getFile, putFile, renewLeases } from './gateway-talk.js';
import { readShares } from './share-files.js';

const identityFiles = ['my_nodeid', 'node.pubkey', 'permutation-seed', 'private/node.pem', 'private/storage.furl'];

interface StoredFile {
  readonly capability: string;
  readonly content: Uint8Array;
  readonly what: string;
  readonly writer: GridNode;
}

t.test('storage directories', { skip: hasReference ? false : 'no reference', timeout: 180_000 }, async (t) => {
  const grid = await ProcessGrid.start({
    storage: ['ours', 'reference', 'ours', 'reference'],
    gateways: ['ours', 'reference'],
    encoding: { needed: 4, happy: 4, total: 4 },
  });
  t.teardown(() => grid.stop());
  const files: StoredFile[] = [];
  await store(grid, 'at first', files);
  await checkAll(t, grid, files);

  for (const stage of ['with programs exchanged', 'with programs changed back']) {
    await t.test(stage, async (t) => {
      const before = await Promise.all(grid.storage.map(identityOf));
      const shares = await sharesOf(grid, files);
      await inPairs(grid.storage, async (node) => {
        await node.stop();
        await node.start(otherOf(node.program));
      });
      await grid.reconnected();
      t.strictSame(await Promise.all(grid.storage.map(identityOf)), before, 'each node is who it was');
      t.strictSame(await sharesOf(grid, files), shares, 'every share and lease is as it was');
      await checkAll(t, grid, files);
      for (const { capability, content, writer } of files) await renewLeases(writer, capability, content);
      t.strictSame(
        await leaseCounts(grid, files),
        shares.map(() => 1),
        'each writer renews its lease',
      );
      await store(grid, stage, files);
      await checkAll(t, grid, files);
    });
  }
});

function otherOf(program: Program): Program {
  return program === 'ours' ? 'reference' : 'ours';
}

async function store(grid: ProcessGrid, stage: string, files: StoredFile[]): Promise<void> {
  for (const writer of grid.gateways) {
    const what = `stored ${stage} by ${writer.program}`;
    const content = seededBytes(what, 1_048_577);
    files.push({ what, content, writer, capability: await putFile(writer, content) });
  }
}

async function checkAll(t: Test, grid: ProcessGrid, files: readonly StoredFile[]): Promise<void> {
  for (const { capability, content, what } of files) {
    for (const gateway of grid.gateways) {
      t.ok((await getFile(gateway, capability)).equals(content), `${what}, read by ${gateway.program}`);
    }
  }
}

/** What others know the node by: its own files, and what would be announced. */
async function identityOf(node: GridNode): Promise<object> {
  const { furl, nurls, permutationSeed, serverId } = await readAnnouncement(node);
  const texts = await Promise.all(identityFiles.map((name) => node.read(name)));
  return { furl, nurls: nurls.map((nurl) => nurl.port), permutationSeed: [...permutationSeed], serverId, texts };
}

/** Every share of every file: where it is, and a digest of its bytes with its leases. */
async function sharesOf(grid: ProcessGrid, files: readonly StoredFile[]): Promise<string[]> {
  const shares = await Promise.all(files.map(({ capability }) => readShares(grid.storage, capability)));
  return shares.flat().map(({ data, leases, node, shareNumber }) => {
    const digest = createHash('sha256').update(data).update(JSON.stringify(leases)).digest('hex');
    return `${node.name} ${String(shareNumber)} ${digest}`;
  });
}

async function leaseCounts(grid: ProcessGrid, files: readonly StoredFile[]): Promise<number[]> {
  const shares = await Promise.all(files.map(({ capability }) => readShares(grid.storage, capability)));
  return shares.flat().map(({ leases }) => leases.length);
}
