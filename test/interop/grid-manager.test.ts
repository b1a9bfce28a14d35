/**
 * Grid managers of both programs: each reads, lists and signs with the files of the other, and clients of each put new
 * shares only where certificates of either say so, in node directories that differ in nothing.
 */
import { execFile } from 'node:child_process';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { dangerouslyFormatServersYaml } from '#wire/announcement.js';
import { parseCertificate } from '#wire/grid-certificate.js';
import { readAnnouncement } from '#test/fixtures/grid-node-directory.js';
import { ProcessGrid, hasReference, referenceCommand } from '#test/fixtures/process-grid.js';
import type { GridNode, Program } from '#test/fixtures/process-grid.js';

const ours = fileURLToPath(import.meta.resolve('#cli/grid-manager.js'));
const programs: readonly Program[] = ['ours', 'reference'];

/** Runs one of the two programs. @returns what it prints. */
async function manage(program: Program, directory: string, ...words: string[]): Promise<string> {
  const file = program === 'ours' ? process.execPath : join(dirname(referenceCommand), 'grid-manager');
  const args = ['--config', directory, ...words];
  const { stdout } = await promisify(execFile)(file, program === 'ours' ? [ours, ...args] : args);
  return stdout;
}

/** The lists without what the programs tell in other units: spans, and microseconds. */
const withoutSpans = (list: string): string => list.replaceAll(/ \([^)]*\)|\.[0-9]{6}/g, '');

t.test('either program goes on with what the other wrote', { skip: !hasReference && 'no reference' }, async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'tallac-manager-'));
  t.teardown(() => rm(root, { recursive: true, force: true }));
  const key = (
    await manage('reference', join(root, 'key'), 'create').then(() =>
      manage('reference', join(root, 'key'), 'public-identity'),
    )
  ).trim();
  for (const [first, second] of [programs, [...programs].reverse()] as [Program, Program][]) {
    const directory = join(root, first);
    await manage(first, directory, 'create');
    await manage(first, directory, 'add', 'alice', key);
    await manage(second, directory, 'add', 'Zoë', key);
    await manage(first, directory, 'sign', 'alice', '30');
    await manage(second, directory, 'sign', 'alice', '31');
    await manage(second, directory, 'sign', 'Zoë', '1');
    for (const words of [['public-identity'], ['list']]) {
      const [a, b] = await Promise.all(programs.map((program) => manage(program, directory, ...words)));
      t.equal(withoutSpans(a ?? ''), withoutSpans(b ?? ''), `${first} created it: ${words.join(' ')}`);
    }
    t.match(await manage('ours', directory, 'list'), /cert 1: valid until/);
    await manage(second, directory, 'remove', 'alice');
    t.notMatch(await manage(first, directory, 'list'), /alice/);
  }
});

/** Stops the gateway, names the manager, tells it of the servers with their certificates, and starts it. */
async function manageGateway(
  gateway: GridNode,
  identity: string,
  servers: Parameters<typeof dangerouslyFormatServersYaml>[0],
): Promise<void> {
  await gateway.stop();
  await appendFile(join(gateway.directory, 'tahoe.cfg'), `\n[grid_managers]\nmanager = ${identity}\n`);
  await writeFile(join(gateway.directory, 'private/servers.yaml'), dangerouslyFormatServersYaml(servers));
  await gateway.start();
}

async function upload(gateway: GridNode, contents: string): Promise<{ status: number; text: string }> {
  const reply = await fetch(`${await gateway.url()}uri`, {
    method: 'PUT',
    body: contents,
    signal: AbortSignal.timeout(60_000),
  });
  return { status: reply.status, text: await reply.text() };
}

/** How many shares lie on each storage node. */
async function shareCounts(grid: ProcessGrid): Promise<number[]> {
  return Promise.all(
    grid.storage.map(async ({ directory }) => {
      const { stdout } = await promisify(execFile)('find', [join(directory, 'storage/shares'), '-type', 'f']).catch(
        () => ({ stdout: '' }),
      );
      return stdout.split('\n').filter((line) => line !== '').length;
    }),
  );
}

t.test(
  'certificates of either manager bind clients of either program',
  { skip: !hasReference && 'no reference' },
  async (t) => {
    const encoding = { needed: 1, happy: 1, total: 2 };
    const grid = await ProcessGrid.start({
      storage: ['ours', 'reference', 'ours'],
      gateways: ['ours', 'reference'],
      encoding,
    });
    t.teardown(() => grid.stop());
    const before = await upload(grid.gateway('ours'), 'before there was a manager, '.repeat(100));
    const announced = await Promise.all(grid.storage.map(readAnnouncement));
    for (const manager of programs) {
      const directory = join(grid.directory, `manager-${manager}`);
      await manage(manager, directory, 'create');
      const identity = (await manage(manager, directory, 'public-identity')).trim();
      await manage(manager, directory, 'add', 'one', `pub-${announced[1]?.serverId ?? ''}`);
      const certificate = parseCertificate(await manage(manager, directory, 'sign', 'one', '30'));
      const servers = announced.map((server, i) => ({ ...server, certificates: i === 1 ? [certificate] : [] }));
      for (const client of programs) {
        const gateway = grid.gateway(client);
        const config = await readFile(join(gateway.directory, 'tahoe.cfg'), 'utf8');
        await manageGateway(gateway, identity, servers);
        await grid.connected(gateway);
        const counts = await shareCounts(grid);
        const { status } = await upload(gateway, `${client} under ${manager}, `.repeat(100));
        const [a, b, c] = (await shareCounts(grid)).map((count, i) => count - (counts[i] ?? 0));
        t.same(
          [Math.floor(status / 100), a, (b ?? 0) > 0, c],
          [2, 0, true, 0],
          `${client} under a manager of ${manager}`,
        );
        const read = await fetch(`${await gateway.url()}uri/${encodeURIComponent(before.text)}`);
        t.equal(await read.text(), 'before there was a manager, '.repeat(100), 'reads ask nobody');
        await gateway.stop();
        await writeFile(join(gateway.directory, 'tahoe.cfg'), config);
      }
    }
    const gateway = grid.gateway('ours');
    const identity = (await manage('ours', join(grid.directory, 'manager-ours'), 'public-identity')).trim();
    await manageGateway(gateway, identity, announced);
    await grid.connected(gateway);
    const refused = await upload(gateway, 'nobody is certified, '.repeat(100));
    t.equal(refused.status, 503);
    t.match(refused.text, /has a valid certificate|valid certificate; ask the grid manager/);
  },
);
