/**
 * Programs that people use with Tahoe-LAFS or with any web server, unchanged, with our gateway and our command in the
 * place of the reference's: curl, promtool, rclone, duplicity.
 */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { utf8 } from '#core/bytes.js';
import { allocatePort } from '#node/endpoint.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { findProgram, Home } from '#test/fixtures/foreign-programs.js';
import { GridNode, ProcessGrid } from '#test/fixtures/process-grid.js';

const SIZE = 5_000_000;
const grid = await ProcessGrid.start({
  storage: ['ours', 'ours'],
  gateways: ['ours'],
  encoding: { needed: 1, happy: 2, total: 2 },
});
t.teardown(() => grid.stop());
const gateway = grid.gateway('ours');
const url = await gateway.url();

async function homeOf(t: Test): Promise<Home> {
  const directory = await mkdtemp(join(tmpdir(), 'tallac-clients-'));
  t.teardown(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
  return Home.make(directory, gateway.directory);
}

async function aliasOf(home: Home, name: string): Promise<string> {
  await home.expect('tahoe', 'create-alias', name);
  const aliases = await gateway.read('private/aliases');
  return new RegExp(`^${name}: (.*)$`, 'm').exec(aliases)?.[1] ?? '';
}

t.test('curl goes on with a download that was cut, and knows a whole one', { timeout: 60_000 }, async (t) => {
  const curl = findProgram(t, 'curl');
  if (curl === undefined) return;
  const home = await homeOf(t);
  const content = seededBytes('curl', SIZE);
  const local = join(home.directory, 'local');
  const original = join(home.directory, 'original');
  await writeFile(original, content);
  const capability = await home.expect(curl, '-sS', '--fail', '-T', original, `${url}uri`);
  t.match(capability, /^URI:CHK:/);
  const address = `${url}uri/${capability.trim()}`;
  for (const there of [0, 1, 131_072, 1_234_567, SIZE - 1]) {
    await writeFile(local, content.subarray(0, there));
    const report = await home.expect(
      curl,
      '-sS',
      '--fail',
      '-C',
      '-',
      '-o',
      local,
      '-w',
      '%{http_code} %{size_download}',
      address,
    );
    t.equal(report, `${there === 0 ? '200' : '206'} ${String(SIZE - there)}`, `from ${String(there)}`);
    t.ok((await readFile(local)).equals(content), 'the same bytes');
  }
  await home.run(curl, '-sS', '-C', '-', '-o', local, address);
  t.ok((await readFile(local)).equals(content), 'a whole file stays as it is');
  const ranges = await home.expect(curl, '-sS', '--fail', '-r', '100-199', address, '-o', local, '-D', '-');
  t.match(ranges, new RegExp(`^content-range: bytes 100-199/${String(SIZE)}\r$`, 'mi'));
  t.ok((await readFile(local)).equals(Buffer.from(content.subarray(100, 200))));
});

t.test('promtool finds nothing wrong with the metrics', { timeout: 60_000 }, async (t) => {
  const promtool = findProgram(t, 'promtool');
  if (promtool === undefined) return;
  const home = await homeOf(t);
  const store = join(home.directory, 'store');
  const port = String(await allocatePort());
  const place = ['--port', `tcp:${port}:interface=127.0.0.1`, '--location', `tcp:127.0.0.1:${port}`];
  await home.expect('tahoe', 'create-node', ...place, '--webport', 'tcp:0:interface=127.0.0.1', store);
  const storage = new GridNode('ours', 'store', store, { tub: Number(port), web: undefined });
  await storage.start();
  t.teardown(() => storage.stop());
  for (const [name, address] of [
    ['gateway', `${url}metrics`],
    ['storage', `${await storage.url()}metrics`],
  ] as const) {
    const reply = await fetch(address);
    t.equal(reply.status, 200, name);
    const text = await reply.text();
    t.ok(text.length > 1000, `${name} tells something`);
    const { status, stdout, stderr } = spawnSync(promtool, ['check', 'metrics'], { input: text, encoding: 'utf8' });
    t.match({ status, stdout, stderr }, { status: 0, stdout: '', stderr: '' }, name);
  }
  const { status } = spawnSync(promtool, ['check', 'metrics'], { input: 'x_total{ 1\n', encoding: 'utf8' });
  t.not(status, 0, 'it would say so');
});

t.test('rclone reads a directory through its http remote', { timeout: 120_000 }, async (t) => {
  const rclone = findProgram(t, 'rclone');
  if (rclone === undefined) return;
  const home = await homeOf(t);
  const root = await aliasOf(home, 'rclone');
  const files = new Map<string, Uint8Array>([
    ['large', seededBytes('rclone', SIZE)],
    ['empty', new Uint8Array()],
    ['a b & c%41?#.txt', seededBytes('odd', 100)],
    ['sub/deeper/ärger "quoted" <b>', seededBytes('deep', 200)],
    ['sub/small', utf8('hello world')],
  ]);
  const source = join(home.directory, 'source');
  for (const [name, content] of files) {
    await mkdir(join(source, name, '..'), { recursive: true });
    await writeFile(join(source, name), content);
  }
  await home.expect('tahoe', 'cp', '-r', source, 'rclone:');
  const options = ['--http-url', `${url}uri/${root}/source/`, '--config', '/dev/null'];
  const remote = [...options, ':http:'];
  const listing = await home.expect(rclone, 'lsf', '-R', '--files-only', '--format', 'ps', ...remote);
  const expected = [...files].map(([name, { length }]) => `${name};${String(length)}`);
  const lines = listing
    .trimEnd()
    .split('\n')
    .map((line) =>
      line.replace(/^"(.*)"(;[0-9]+)$/, (_whole, name: string, size: string) => name.replaceAll('""', '"') + size),
    );
  t.strictSame(lines.sort(), expected.sort());
  await home.expect(rclone, 'copy', ...remote, join(home.directory, 'copy'));
  for (const [name, content] of files) {
    t.ok((await readFile(join(home.directory, 'copy', name))).equals(content), name);
  }
  t.equal(await home.expect(rclone, 'cat', '--offset=6', '--count=5', ...options, ':http:sub/small'), 'world');
  t.equal(await home.expect(rclone, 'check', '--download', ...remote, source), '', 'no difference');
});

t.test('duplicity: full, incremental, verify, restore', { timeout: 300_000 }, async (t) => {
  const duplicity = findProgram(t, 'duplicity');
  if (duplicity === undefined) return;
  const home = await homeOf(t);
  await aliasOf(home, 'duplicity');
  await home.expect('tahoe', 'mkdir', 'duplicity:backups');
  const target = 'tahoe://duplicity/backups';
  const source = join(home.directory, 'source');
  await mkdir(join(source, 'sub'), { recursive: true });
  await writeFile(join(source, 'letter'), 'first\n');
  await writeFile(join(source, 'sub/picture'), seededBytes('picture', 300_000));
  const run = (...words: string[]): Promise<string> => home.expect(duplicity, ...words);
  t.match(await run('full', '--no-encryption', source, target), /^Errors 0$/m);
  await writeFile(join(source, 'letter'), 'first\nsecond\n');
  await writeFile(join(source, 'new'), 'new\n');
  const before = await home.run(duplicity, 'verify', '--compare-data', '--no-encryption', target, source);
  t.match(
    before,
    { status: 1, stdout: /Difference found: .*letter.*Difference found: New file new/s },
    'what has changed since is seen',
  );
  t.match(await run('incremental', '--no-encryption', source, target), /^Errors 0$/m);
  // As on a new machine: all that it knows of the backup comes from the grid.
  await rm(join(home.directory, '.cache'), { recursive: true, force: true });
  t.match(await run('verify', '--compare-data', '--no-encryption', target, source), /\b0 differences found/);
  t.match(await run('collection-status', '--no-encryption', target), /Incremental/);
  const restored = join(home.directory, 'restored');
  await run('restore', '--no-encryption', target, restored);
  for (const name of ['letter', 'new', 'sub/picture']) {
    t.ok((await readFile(join(restored, name))).equals(await readFile(join(source, name))), `${name} is back`);
  }
  t.strictSame((await readdir(restored)).sort(), (await readdir(source)).sort());
  await run('restore', '--no-encryption', '--file-to-restore', 'letter', target, join(home.directory, 'one'));
  t.equal(await readFile(join(home.directory, 'one'), 'utf8'), 'first\nsecond\n');
  t.match(await run('remove-all-but-n-full', '1', '--force', '--no-encryption', target), /\S/);
  const names = (await home.expect('tahoe', 'ls', 'duplicity:backups')).trimEnd().split('\n');
  await run('full', '--no-encryption', source, target);
  await run('remove-all-but-n-full', '1', '--force', '--no-encryption', target);
  const left = (await home.expect('tahoe', 'ls', 'duplicity:backups')).trimEnd().split('\n');
  t.equal(left.length, 3, 'one full backup is left, of three files');
  t.strictSame(
    left.filter((name) => names.includes(name)),
    [],
    'and nothing of the older ones',
  );
});
