/**
 * Every pairing of the two programs, as introducer, storage nodes, writer and reader, over HTTPS and over Foolscap: small
 * files, immutable and mutable ones, directories, and repair of what has lost a share. What has passed is the table in
 * docs/transition.md, which must be the same; with TALLAC_WRITE_DOCS=1 it is written there.
 *
 * Nodes that differ in nothing are shared between cells: four grids, of each introducer with each kind of storage node,
 * and four gateways to each. Where ours meets ours the introducer is spoken to over HTTPS, but by one storage node and
 * by the gateways that are to speak Foolscap.
 */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { formatBase32 } from '#core/base32.js';
import { compareClocks } from '#node/clock-comparison.js';
import type { GridReport } from '#node/grid-report.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { hasReference, inPairs } from '#test/fixtures/process-grid.js';
import type { GridNode, Program } from '#test/fixtures/process-grid.js';
import { root } from '../house/sources.js';
import {
  ask,
  getFile,
  isHealthy,
  makeDirectory,
  namesIn,
  overwrite,
  pathOf,
  putChild,
  putFile,
  putMutable,
} from './gateway-talk.js';
import { connected, startIntroducer, startNode, temporaryGrid } from './introduced-nodes.js';
import { storageIndexOfText } from './share-files.js';

const skip = hasReference ? false : 'no reference';
const programs: readonly Program[] = ['ours', 'reference'];
const dialects = ['HTTPS', 'Foolscap'] as const;
const encoding = { needed: 1, happy: 2, total: 2 };
const PAGE = join(root, 'docs/transition.md');
const [BEGIN, END] = ['<!-- matrix -->\n', '<!-- end of matrix -->\n'];
const names: Readonly<Record<Program, string>> = { ours: 'Tallac', reference: 'tahoe-lafs' };

type Dialect = (typeof dialects)[number];

/** Who writes, who reads, and where the shares lie. */
interface Cell {
  readonly writer: GridNode;
  readonly reader: GridNode;
  readonly storage: readonly GridNode[];
  /** Makes contents of no other cell. */
  readonly seed: string;
}

/** What is done in each cell; it throws where something is not as it should be. */
const trials: Readonly<Record<string, (cell: Cell) => Promise<void>>> = {
  LIT: (cell) => immutable(cell, 'URI:LIT:', 30),
  CHK: (cell) => immutable(cell, 'URI:CHK:', 200_000),
  SDMF: (cell) => mutable(cell, 'sdmf'),
  MDMF: (cell) => mutable(cell, 'mdmf'),
  directories: directory,
  repair,
};

function require(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

async function requireContent(gateway: GridNode, capability: string, content: Uint8Array): Promise<void> {
  require((await getFile(gateway, capability)).equals(content), `${gateway.name} reads something else`);
}

async function immutable({ reader, seed, writer }: Cell, prefix: string, size: number): Promise<void> {
  const content = seededBytes(seed, size);
  const capability = await putFile(writer, content);
  require(capability.startsWith(prefix), capability.slice(0, prefix.length));
  await requireContent(reader, capability, content);
}

async function mutable({ reader, seed, writer }: Cell, format: 'sdmf' | 'mdmf'): Promise<void> {
  const content = seededBytes(seed, 300_000);
  const capability = await putMutable(writer, content, format);
  await requireContent(reader, capability, content);
  const part = seededBytes(`${seed} part`, 1_000);
  const changed = Buffer.concat([content.subarray(0, 150_000), part, content.subarray(151_000)]);
  await overwrite(reader, capability, part, 150_000);
  await requireContent(writer, capability, changed);
  await overwrite(reader, capability, part);
  await requireContent(writer, capability, part);
}

async function directory({ reader, seed, writer }: Cell): Promise<void> {
  for (const format of ['sdmf', 'mdmf'] as const) {
    const capability = await makeDirectory(writer, format);
    await putChild(writer, capability, 'of the writer', seededBytes(seed, 5_000));
    await putChild(reader, capability, 'of the reader', seededBytes(seed, 30));
    const found = await namesIn(writer, capability);
    require(found.join() === 'of the reader,of the writer', found.join());
    const reply = await ask(reader, `${pathOf(capability)}/of%20the%20writer`);
    require(reply.body.equals(seededBytes(seed, 5_000)), 'the file in it is another');
  }
}

async function repair({ reader, seed, storage, writer }: Cell): Promise<void> {
  const content = seededBytes(`${seed} repair`, 20_000);
  for (const store of [putFile, (...of: Parameters<typeof putFile>) => putMutable(...of, 'mdmf')]) {
    const capability = await store(writer, content);
    require(await isHealthy(reader, capability), 'a share is missing from the beginning');
    await loseShare(storage, capability);
    require(!(await isHealthy(reader, capability)), 'the loss is not noticed');
    const path = `${pathOf(capability)}?t=check&repair=true&output=JSON`;
    const { body } = await ask(reader, path, { method: 'POST' });
    require((JSON.parse(body.toString()) as Record<string, unknown>)['repair-successful'] === true, body.toString());
    require(await isHealthy(writer, capability), 'a share is missing after the repair');
    await requireContent(writer, capability, content);
  }
}

/** One share, of one of them. */
async function loseShare(storage: readonly GridNode[], capability: string): Promise<void> {
  const name = formatBase32(storageIndexOfText(capability));
  for (const { directory } of storage) {
    const place = join(directory, 'storage/shares', name.slice(0, 2), name);
    const [share] = await readdir(place).catch(() => []);
    if (share !== undefined) return rm(join(place, share));
  }
  throw new Error('there is no share');
}

/** What has passed: for each row what for each kind. */
const passed = new Map<string, Map<string, Dialect[]>>();

async function tryCell(t: Test, row: string, dialect: Dialect, cell: Cell): Promise<void> {
  const kinds = passed.get(row) ?? new Map<string, Dialect[]>();
  passed.set(row, kinds);
  for (const [kind, trial] of Object.entries(trials)) {
    try {
      await trial({ ...cell, seed: `${cell.seed} ${kind}` });
      kinds.set(kind, [...(kinds.get(kind) ?? []), dialect]);
      t.pass(`${cell.seed}: ${kind}`);
    } catch (error) {
      t.fail(`${cell.seed}: ${kind}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

/** That a gateway uses its servers in this way and in no other. */
async function requireDialect(t: Test, gateway: GridNode, dialect: Dialect, states: readonly string[]): Promise<void> {
  if (gateway.program === 'reference') {
    t.ok(
      states.every((state) => state.startsWith('Connected to') === (dialect === 'Foolscap')),
      `${gateway.name} over ${dialect}: ${states.join(', ')}`,
    );
    return;
  }
  const report = await fetch(`${await gateway.url()}tallac/v1/grid`);
  const { servers } = (await report.json()) as Pick<GridReport, 'servers'>;
  t.ok(
    servers.every((server) => server.dialect === dialect.toLowerCase()),
    `${gateway.name} over ${dialect}`,
  );
  if (dialect === 'HTTPS')
    t.strictSame(compareClocks(servers).length, 1, 'each tells its time, which is this machine’s');
}

async function tryGrid(t: Test, introducedBy: Program, storedBy: Program): Promise<void> {
  const place = await temporaryGrid(t);
  const introducer = await startIntroducer(t, introducedBy, join(place, 'introducer'));
  const furl = (await introducer.read('private/introducer.furl')).trim();
  const nurl = introducedBy === 'ours' ? (await introducer.read('private/introducer.nurl')).trim() : furl;
  const storage: GridNode[] = [];
  await inPairs(['first', 'second'], async (name) => {
    const address = storedBy === 'ours' && name === 'first' ? nurl : furl;
    storage.push(
      await startNode(t, { kind: 'storage', program: storedBy, directory: join(place, name), address, encoding }),
    );
  });
  for (const dialect of dialects) {
    const forceFoolscap = dialect === 'Foolscap';
    const gateways: GridNode[] = [];
    await inPairs(programs, async (program) => {
      const address = program === 'ours' && !forceFoolscap ? nurl : furl;
      const directory = join(place, `gateway-${program}-${dialect}`);
      const gateway = await startNode(t, { program, kind: 'gateway', directory, address, encoding, forceFoolscap });
      await requireDialect(t, gateway, dialect, await connected(gateway, storage.length));
      gateways.push(gateway);
    });
    for (const writer of gateways) {
      for (const reader of gateways) {
        const row = [introducedBy, storedBy, writer.program, reader.program].map((program) => names[program]);
        await tryCell(t, row.join(' | '), dialect, { writer, reader, storage, seed: `${row.join(', ')}, ${dialect}` });
      }
    }
    for (const gateway of gateways) await gateway.stop('SIGKILL');
  }
  for (const node of storage) await node.stop('SIGKILL');
}

/** The table as the page has it. */
function tableOf(rows: typeof passed): string {
  const kinds = Object.keys(trials);
  const head = `| introducer | storage nodes | writer | reader | ${kinds.join(' | ')} |`;
  const rule = '|---'.repeat(4 + kinds.length);
  const lines = [...rows].sort().map(([row, of]) => {
    const cells = kinds.map((kind) => [...(of.get(kind) ?? [])].sort().reverse().join(', '));
    return `| ${row} | ${cells.join(' | ')} |`;
  });
  return `${[head, `${rule}|`, ...lines].join('\n')}\n`;
}

t.test('every cell of the matrix', { skip, timeout: 600_000 }, async (t) => {
  for (const introducedBy of programs) {
    for (const storedBy of programs) {
      const name = `introduced by ${names[introducedBy]}, stored by ${names[storedBy]}`;
      await t.test(name, { timeout: 300_000 }, (t) => tryGrid(t, introducedBy, storedBy));
    }
  }
  const page = await readFile(PAGE, 'utf8');
  const [begin, end] = [page.indexOf(BEGIN) + BEGIN.length, page.indexOf(END)];
  const table = tableOf(passed);
  if (process.env['TALLAC_WRITE_DOCS'] === '1') await writeFile(PAGE, page.slice(0, begin) + table + page.slice(end));
  else t.equal(page.slice(begin, end), table, 'the table in docs/transition.md');
});
