/**
 * Two grids, one of our storage nodes and one of the reference's, each with a gateway of either program. The same file
 * stored through one gateway here and the other there gives the same capability and, byte for byte, the same shares.
 * Each is read by the gateway that did not write it: with the mixed grid of the exchange, every combination of
 * writer, servers and reader.
 */
import t from 'tap';
import type { Test } from 'tap';
import { seededBytes } from '#test/fixtures/crypto.js';
import type { GridEncoding } from '#test/fixtures/grid-node-directory.js';
import { hasReference, inPairs, ProcessGrid } from '#test/fixtures/process-grid.js';
import type { Program } from '#test/fixtures/process-grid.js';
import { encodingsFor, nameOf, sizes } from './encodings.js';
import { getFile, putFile } from './gateway-talk.js';
import { inOrder, readShares } from './share-files.js';
import type { StoredShare } from './share-files.js';

const SERVER_COUNT = 4;

/** The two grids by the program of their storage nodes. */
type Grids = Readonly<Record<Program, ProcessGrid>>;

t.test('two grids', { skip: hasReference ? false : 'no reference', timeout: 300_000 }, async (t) => {
  const encodings = encodingsFor(SERVER_COUNT);
  const [encoding = { needed: 1, happy: 1, total: 1 }] = encodings;
  const grids: Grids = {
    ours: await startGrid(t, 'ours', encoding),
    reference: await startGrid(t, 'reference', encoding),
  };
  for (const each of encodings) {
    await t.test(nameOf(each), async (t) => {
      if (each !== encoding) {
        await grids.ours.changeEncoding(each);
        await grids.reference.changeEncoding(each);
      }
      await inPairs(sizes, async (size) => {
        await storeInBoth(t, grids, { encoding: each, size, writers: { ours: 'ours', reference: 'reference' } });
        await storeInBoth(t, grids, { encoding: each, size, writers: { ours: 'reference', reference: 'ours' } });
      });
    });
  }
});

async function startGrid(t: Test, program: Program, encoding: GridEncoding): Promise<ProcessGrid> {
  const storage = Array<Program>(SERVER_COUNT).fill(program);
  const convergenceSecret = seededBytes('convergence', 32);
  const grid = await ProcessGrid.start({ storage, gateways: ['ours', 'reference'], encoding, convergenceSecret });
  t.teardown(() => grid.stop());
  return grid;
}

/** `writers` says which gateway writes into the grid of which storage nodes. */
async function storeInBoth(
  t: Test,
  grids: Grids,
  plan: {
    readonly encoding: GridEncoding;
    readonly size: number;
    readonly writers: Readonly<Record<Program, Program>>;
  },
): Promise<void> {
  const { encoding, size, writers } = plan;
  const what = `${String(size)} bytes, by ${writers.ours} to our nodes and by ${writers.reference} to the reference's`;
  const content = seededBytes(`${nameOf(encoding)} ${what}`, size);
  const store = async (servers: Program): Promise<{ capability: string; shares: StoredShare[] }> => {
    const grid = grids[servers];
    const capability = await putFile(grid.gateway(writers[servers]), content);
    const reader = writers[servers] === 'ours' ? 'reference' : 'ours';
    t.ok((await getFile(grid.gateway(reader), capability)).equals(content), `${what}: read by ${reader}`);
    return { capability, shares: capability.startsWith('URI:LIT:') ? [] : await readShares(grid.storage, capability) };
  };
  const ours = await store('ours');
  const reference = await store('reference');
  t.equal(ours.capability, reference.capability, `${what}: the same capability`);
  const shareCount = ours.capability.startsWith('URI:LIT:') ? 0 : encoding.total;
  t.equal(ours.shares.length, shareCount, `${what}: all shares on our nodes`);
  t.equal(reference.shares.length, shareCount, `${what}: all shares on the reference's`);
  const different = ours.shares.filter((share) => !hasTwin(share, reference.shares));
  t.strictSame(
    different.map((share) => share.shareNumber),
    [],
    `${what}: the same shares`,
  );
}

function hasTwin(share: StoredShare, others: readonly StoredShare[]): boolean {
  const twin = others.find((other) => other.shareNumber === share.shareNumber);
  if (twin === undefined) return false;
  return twin.version === share.version && twin.dataLength === share.dataLength && inOrder(twin).equals(inOrder(share));
}
