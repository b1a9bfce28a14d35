/**
 * Both programs' nodes over Foolscap alone: gateways that use it with servers that offer HTTPS too, and storage nodes that
 * offer nothing else. Each reads what the other has written, of every kind, and both find every share sound.
 */
import t from 'tap';
import type { Test } from 'tap';
import { seededBytes } from '#test/fixtures/crypto.js';
import { hasReference, inPairs, ProcessGrid } from '#test/fixtures/process-grid.js';
import type { GridNode, Program } from '#test/fixtures/process-grid.js';
import {
  getFile,
  isHealthy,
  makeDirectory,
  namesIn,
  overwrite,
  putChild,
  putFile,
  putMutable,
} from './gateway-talk.js';

const skip = hasReference ? false : 'no reference';
const storage: readonly Program[] = ['ours', 'reference', 'ours', 'reference'];
const encoding = { needed: 2, happy: 3, total: 4 };
const sizes = [30, 100, 5_000, 3_000_000];

async function startGrid(t: Test, forceFoolscap: 'storage' | 'gateways'): Promise<ProcessGrid> {
  const convergenceSecret = seededBytes('convergence', 32);
  const plan = { storage, gateways: ['ours', 'reference'], encoding, convergenceSecret, forceFoolscap } as const;
  const grid = await ProcessGrid.start(plan);
  t.teardown(() => grid.stop());
  return grid;
}

/** Every pair of a writer and a reader, the writer's own among them. */
async function eachWay(grid: ProcessGrid, visit: (writer: GridNode, readers: readonly GridNode[]) => Promise<void>) {
  for (const writer of grid.gateways) await visit(writer, grid.gateways);
}

for (const forced of ['gateways', 'storage'] as const) {
  t.test(`Foolscap alone, forced by ${forced}`, { skip, timeout: 300_000 }, async (t) => {
    const grid = await startGrid(t, forced);
    const states = await statesOf(grid);
    t.ok(
      states.reference?.every((state) => /^Connected to /.test(state)),
      'the reference says that it is Foolscap',
    );
    await t.test('immutable files', (t) => immutable(t, grid));
    for (const format of ['sdmf', 'mdmf'] as const) await t.test(format, (t) => mutable(t, grid, format));
    await t.test('directories', (t) => directories(t, grid));
    for (const node of grid.storage) t.notMatch(node.output, /Traceback|foolscap-connection-dropped/, node.name);
  });
}

async function statesOf(grid: ProcessGrid): Promise<Partial<Record<Program, string[]>>> {
  const states: Partial<Record<Program, string[]>> = {};
  for (const node of grid.gateways) {
    const reply = await fetch(`${await node.url()}?t=json`);
    const { servers } = (await reply.json()) as { servers: { connection_status: string }[] };
    states[node.program] = servers.map((server) => server.connection_status);
  }
  return states;
}

async function immutable(t: Test, grid: ProcessGrid): Promise<void> {
  await inPairs(sizes, async (size) => {
    await eachWay(grid, async (writer, readers) => {
      const content = seededBytes(`${writer.name} ${String(size)}`, size);
      const capability = await putFile(writer, content);
      for (const reader of readers) {
        const what = `${String(size)} bytes, ${writer.program} → ${reader.program}`;
        t.ok((await getFile(reader, capability)).equals(content), what);
        if (size > 55) t.ok(await isHealthy(reader, capability), `${what}: every share verified`);
        t.equal(await putFile(reader, content), capability, `${what}: put again`);
      }
    });
  });
}

async function mutable(t: Test, grid: ProcessGrid, format: 'sdmf' | 'mdmf'): Promise<void> {
  await eachWay(grid, async (writer, readers) => {
    const first = seededBytes(`${writer.name} ${format}`, 300_000);
    const capability = await putMutable(writer, first, format);
    const contents = [first];
    for (const reader of readers) {
      const what = `${format}, ${writer.program} → ${reader.program}`;
      t.ok((await getFile(reader, capability)).equals(contents.at(-1) ?? first), what);
      const next = seededBytes(`${what} again`, 200_000);
      await overwrite(reader, capability, next);
      contents.push(next);
      for (const other of readers) t.ok((await getFile(other, capability)).equals(next), `${what}, overwritten`);
      t.ok(await isHealthy(reader, capability), `${what}: every share verified`);
    }
  });
}

async function directories(t: Test, grid: ProcessGrid): Promise<void> {
  await eachWay(grid, async (writer, readers) => {
    const directory = await makeDirectory(writer, 'sdmf');
    for (const reader of readers) await putChild(reader, directory, reader.name, seededBytes(reader.name, 5_000));
    for (const reader of readers) {
      const names = await namesIn(reader, directory);
      t.strictSame([...names].sort(), readers.map(({ name }) => name).sort(), `${writer.program} → ${reader.program}`);
    }
  });
}
