/**
 * Checks and repairs by both programs on one grid of both programs' storage nodes: the same figures, the same lines on
 * the terminal, and what one has repaired the other finds healthy, byte for byte what it was.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { formatBase32 } from '#core/base32.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { hasReference, ProcessGrid, runCommand } from '#test/fixtures/process-grid.js';
import type { GridNode, Program } from '#test/fixtures/process-grid.js';
import { ask, getFile, pathOf, putFile } from './gateway-talk.js';
import { inOrder, readShares, storageIndexOfText } from './share-files.js';
import type { StoredShare } from './share-files.js';

const SIZE = 2_500_000;
const HEADER_SIZE = 12;
const programs: readonly Program[] = ['ours', 'reference'];

interface CheckData {
  readonly summary: string;
  readonly results: Readonly<Record<string, unknown>>;
}

interface RepairData {
  readonly 'repair-attempted': boolean;
  readonly 'repair-successful': boolean;
  readonly 'pre-repair-results': CheckData;
  readonly 'post-repair-results': CheckData;
}

t.test('check and repair', { skip: hasReference ? false : 'no reference', timeout: 300_000 }, async (t) => {
  const grid = await ProcessGrid.start({
    storage: ['ours', 'reference', 'ours', 'reference', 'ours'],
    gateways: ['ours', 'reference'],
    encoding: { needed: 2, happy: 4, total: 5 },
  });
  t.teardown(() => grid.stop());
  const store = async (program: Program, what: string): Promise<{ capability: string; shares: StoredShare[] }> => {
    const capability = await putFile(grid.gateway(program), seededBytes(what, SIZE));
    return { capability, shares: await readShares(grid.storage, capability) };
  };

  for (const writer of programs) {
    await t.test(`the same figures for a file by ${writer}`, async (t) => {
      const { capability, shares } = await store(writer, `figures ${writer}`);
      await sameFigures(t, grid, capability, 'whole');
      const [lost, spoiled, cut] = shares;
      if (!lost || !spoiled || !cut) throw new Error('five shares');
      await rm(pathOfShare(lost, capability));
      await sameFigures(t, grid, capability, 'one lost');
      await change(spoiled, capability, (data) => data.fill(0, 1000, 1100));
      const { results } = await sameFigures(t, grid, capability, 'one lost, one changed');
      t.match(results, { 'count-shares-good': 3, 'count-corrupt-shares': 1, healthy: false, recoverable: true });
      await change(cut, capability, (data) => data.fill(9, 0, 4));
      await sameFigures(t, grid, capability, 'one of an unknown version besides');
    });

    await t.test(`a file by ${writer}, of which shares are lost, repaired by either`, async (t) => {
      for (const repairer of programs) {
        const what = `lost ${writer} ${repairer}`;
        const { capability, shares } = await store(writer, what);
        for (const share of shares.slice(0, 3)) await rm(pathOfShare(share, capability));
        await repairedBy(t, grid, repairer, capability, shares);
        t.ok((await getFile(grid.gateway(writer), capability)).equals(Buffer.from(seededBytes(what, SIZE))));
      }
    });

    await t.test(`a file by ${writer}, of which shares are damaged, repaired by ours`, async (t) => {
      const { capability, shares } = await store(writer, `damaged ${writer}`);
      const [first, second] = shares;
      if (!first || !second) throw new Error('five shares');
      await change(first, capability, (data) => data.fill(0, 500, 600));
      await rm(pathOfShare(second, capability));
      await repairedBy(t, grid, 'ours', capability, shares, first);
    });
  }

  await t.test('what cannot be recovered', async (t) => {
    const { capability, shares } = await store('ours', 'beyond repair');
    for (const share of shares.slice(1)) await rm(pathOfShare(share, capability));
    await sameFigures(t, grid, capability, 'one share of two needed');
    for (const program of programs) {
      const path = `${pathOf(capability)}?t=check&repair=true&output=JSON`;
      t.equal((await ask(grid.gateway(program), path, { method: 'POST' })).status, 410, program);
    }
  });

  await t.test('a literal', async (t) => {
    const literal = await putFile(grid.gateway('ours'), seededBytes('literal', 40));
    for (const query of ['', '&verify=true', '&repair=true&add-lease=true']) {
      const path = `${pathOf(literal)}?t=check&output=JSON${query}`;
      const [ours, reference] = await Promise.all(
        programs.map((program) => ask(grid.gateway(program), path, { method: 'POST' })),
      );
      t.equal(ours?.body.toString(), reference?.body.toString());
      t.equal(ours?.headers['content-type'], reference?.headers['content-type']);
    }
  });

  await t.test('the command prints the same lines', async (t) => {
    const literal = await putFile(grid.gateway('ours'), seededBytes('literal', 40));
    const { capability, shares } = await store('reference', 'on the terminal');
    await sameLines(t, grid, [
      [literal],
      [capability],
      ['--verify', '--add-lease', capability],
      ['--repair', capability],
    ]);
    const [lost, spoiled] = shares;
    if (!lost || !spoiled) throw new Error('five shares');
    await change(spoiled, capability, (data) => data.fill(0, 1000, 1100));
    await sameLines(t, grid, [
      ['--verify', capability],
      ['--verify', capability, literal],
    ]);
    await rm(pathOfShare(lost, capability));
    await sameLines(t, grid, [[capability]]);
    const repair = await runCommand('ours', await commandWords(grid.gateway('ours'), ['--repair', capability]));
    t.match(repair, /^Summary: not healthy\n storage index: .*\n good-shares: 4 \(.*\)\n.*\n repair successful\n$/);
  });
});

/** Both programs' reports of a file are equal, with and without reading all of it. @returns that of the latter. */
async function sameFigures(t: Test, grid: ProcessGrid, capability: string, what: string): Promise<CheckData> {
  const results: CheckData[] = [];
  for (const query of ['', '&add-lease=true', '&verify=true']) {
    const [ours, reference] = await Promise.all(
      programs.map((program) => checkBy<CheckData>(grid.gateway(program), capability, query)),
    );
    if (ours === undefined || reference === undefined) throw new Error('two programs');
    t.strictSame(inAnyOrder(ours), inAnyOrder(reference), `${what}${query}`);
    results.push(ours);
  }
  return results.at(-1) ?? { summary: '', results: {} };
}

/** Has the file repaired, and looks at it from all sides. `spoiled` is a share that stays damaged where it is. */
async function repairedBy(
  t: Test,
  grid: ProcessGrid,
  repairer: Program,
  capability: string,
  shares: readonly StoredShare[],
  spoiled?: StoredShare,
): Promise<void> {
  const outcome = await checkBy<RepairData>(grid.gateway(repairer), capability, '&verify=true&repair=true');
  t.match(outcome, { 'repair-attempted': true, 'repair-successful': true }, `repaired by ${repairer}`);
  t.match(outcome['pre-repair-results'].results, { healthy: false });
  t.match(outcome['post-repair-results'], { summary: 'healthy', results: { healthy: true, 'count-shares-good': 5 } });
  for (const program of programs) {
    const { results } = await checkBy<CheckData>(grid.gateway(program), capability, '&verify=true');
    t.match(results, { healthy: true, 'count-shares-good': 5 }, `healthy by ${program}`);
    t.equal(results['count-corrupt-shares'], spoiled === undefined ? 0 : 1);
  }
  const after = await readShares(grid.storage, capability);
  t.equal(new Set(after.map(({ shareNumber }) => shareNumber)).size, shares.length, 'every share is there');
  for (const share of after) {
    const { node, shareNumber } = share;
    if (node === spoiled?.node && shareNumber === spoiled.shareNumber) continue;
    const original = shares.find((other) => other.shareNumber === shareNumber);
    t.ok(
      original && inOrder(share).equals(inOrder(original)),
      `share ${String(shareNumber)} on ${node.name}, as it was`,
    );
    t.ok(share.leases.length > 0, 'with a lease');
  }
}

async function checkBy<Data>(gateway: GridNode, capability: string, query: string): Promise<Data> {
  const reply = await ask(gateway, `${pathOf(capability)}?t=check&output=JSON${query}`, { method: 'POST' });
  if (reply.status !== 200) throw new Error(`${gateway.name}: ${String(reply.status)} ${reply.body.toString()}`);
  return JSON.parse(reply.body.toString()) as Data;
}

/** The lists of a report whose order says nothing, sorted. */
function inAnyOrder(data: CheckData): CheckData {
  const sorted = (value: unknown): unknown =>
    Array.isArray(value) ? value.map((entry) => JSON.stringify(entry)).sort() : value;
  const results = Object.fromEntries(Object.entries(data.results).map(([name, value]) => [name, sorted(value)]));
  return { ...data, results };
}

function pathOfShare({ node, shareNumber }: StoredShare, capability: string): string {
  const name = formatBase32(storageIndexOfText(capability));
  return join(node.directory, 'storage/shares', name.slice(0, 2), name, String(shareNumber));
}

/** Changes the data of a share on the disk. */
async function change(share: StoredShare, capability: string, edit: (data: Buffer) => void): Promise<void> {
  const path = pathOfShare(share, capability);
  const file = await readFile(path);
  edit(file.subarray(HEADER_SIZE));
  await writeFile(path, file);
}

async function sameLines(t: Test, grid: ProcessGrid, cases: readonly (readonly string[])[]): Promise<void> {
  for (const words of cases) {
    const [ours, reference] = await Promise.all(
      programs.map(async (program) => runCommand(program, await commandWords(grid.gateway(program), words))),
    );
    t.equal(ours, reference, `check ${words.filter((word) => word.startsWith('--')).join(' ')}`);
  }
}

async function commandWords(gateway: GridNode, words: readonly string[]): Promise<string[]> {
  return ['-d', gateway.directory, 'check', '--node-url', (await gateway.url()).replace(/\/$/, ''), ...words];
}
