/**
 * One grid of both programs' storage nodes, used by both programs' gateways: each reads what the other has written,
 * in every encoding and size, and both give the same file the same capability.
 */
import t from 'tap';
import type { Test } from 'tap';
import { seededBytes } from '#test/fixtures/crypto.js';
import type { GridEncoding } from '#test/fixtures/grid-node-directory.js';
import { hasReference, inPairs, ProcessGrid } from '#test/fixtures/process-grid.js';
import type { GridPlan, Program } from '#test/fixtures/process-grid.js';
import { encodingsFor, nameOf, sizes } from './encodings.js';
import { getFile, isHealthy, putFile } from './gateway-talk.js';
import { readShares } from './share-files.js';

const storage: readonly Program[] = [
  'ours',
  'reference',
  'ours',
  'reference',
  'ours',
  'reference',
  'ours',
  'reference',
];
/** Larger files take the reference long to verify. */
const VERIFIED_SIZE_MAX = 2_000_000;
const directions = [
  { writer: 'ours', reader: 'reference' },
  { writer: 'reference', reader: 'ours' },
] as const;

t.test('a grid of both', { skip: hasReference ? false : 'no reference', timeout: 300_000 }, async (t) => {
  const encodings = encodingsFor(storage.length);
  const [encoding = { needed: 1, happy: 1, total: 1 }] = encodings;
  const convergenceSecret = seededBytes('convergence', 32);
  const plan: GridPlan = { storage, gateways: ['ours', 'reference'], encoding, convergenceSecret };
  const grid = await ProcessGrid.start(plan);
  t.teardown(() => grid.stop());
  for (const each of encodings) {
    await t.test(nameOf(each), async (t) => {
      if (each !== encoding) await grid.changeEncoding(each);
      await inPairs(sizes, (size) => exchange(t, grid, each, size));
    });
  }
});

async function exchange(t: Test, grid: ProcessGrid, encoding: GridEncoding, size: number): Promise<void> {
  for (const { writer, reader } of directions) {
    const what = `${String(size)} bytes written by ${writer}`;
    const content = seededBytes(`${nameOf(encoding)} ${what}`, size);
    const capability = await putFile(grid.gateway(writer), content);
    await checkPlacement(t, grid, { encoding, capability, what });
    t.ok((await getFile(grid.gateway(reader), capability)).equals(content), `${what}, read by ${reader}`);
    if (writer === 'ours' && size <= VERIFIED_SIZE_MAX) {
      t.ok(await isHealthy(grid.gateway('reference'), capability), `${what}: the reference verifies every share`);
    }
    t.equal(await putFile(grid.gateway(reader), content), capability, `${what}: ${reader} gives the same capability`);
    // The reference stores shares anew that are there already, its own as well as ours; we leave them in their place.
    if (reader === 'ours') await checkPlacement(t, grid, { encoding, capability, what: `${what} and again by ours` });
  }
}

async function checkPlacement(
  t: Test,
  grid: ProcessGrid,
  file: { readonly encoding: GridEncoding; readonly capability: string; readonly what: string },
): Promise<void> {
  const { capability, encoding, what } = file;
  if (capability.startsWith('URI:LIT:')) return;
  const shares = await readShares(grid.storage, capability);
  t.equal(new Set(shares.map((share) => share.shareNumber)).size, encoding.total, `${what}: all shares are stored`);
  t.equal(shares.length, encoding.total, `${what}: none is stored twice`);
  const holders = new Set(shares.map((share) => share.node.name)).size;
  t.ok(holders >= encoding.happy, `${what}: on ${String(holders)} servers`);
}
