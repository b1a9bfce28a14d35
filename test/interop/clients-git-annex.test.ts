/**
 * git-annex with its special remote for Tahoe-LAFS, unchanged: it makes a node of its own with `tahoe create-client`, runs
 * it with `tahoe start`, and is told of the grid by an introducer.
 */
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { allocatePort } from '#node/endpoint.js';
import { findProgram, Home } from '#test/fixtures/foreign-programs.js';
import { allocatePorts, writeNodeDirectory } from '#test/fixtures/grid-node-directory.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { GridNode, runCommand } from '#test/fixtures/process-grid.js';

/** What it says of every attempt to remove something, and what it then finds is still there. */
const CANNOT_REMOVE = /^(removeKey when (not )?present|present False)$/;
/** A grid of one server takes no more. */
const SHARES = {
  TAHOE_CLIENT_SHARES_NEEDED: '1',
  TAHOE_CLIENT_SHARES_HAPPY: '1',
  TAHOE_CLIENT_SHARES_TOTAL: '1',
};

t.test('testremote, and a file that goes to the grid and back', { timeout: 400_000 }, async (t) => {
  const annex = findProgram(t, 'git-annex');
  const git = annex === undefined ? undefined : findProgram(t, 'git');
  if (git === undefined) return;
  const directory = await mkdtemp(join(tmpdir(), 'tallac-annex-'));
  t.teardown(async () => {
    // What it keeps it makes read-only.
    spawnSync('chmod', ['-R', 'u+w', directory]);
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  });
  const port = await allocatePort();
  const place = ['--port', `tcp:${String(port)}:interface=127.0.0.1`, '--location', `tcp:127.0.0.1:${String(port)}`];
  await runCommand('ours', ['create-introducer', ...place, join(directory, 'introducer')]);
  const introducer = new GridNode('ours', 'introducer', join(directory, 'introducer'), { tub: port, web: undefined });
  await introducer.start();
  t.teardown(() => introducer.stop('SIGKILL'));
  const furl = (await introducer.read('private/introducer.furl')).trim();
  const storage = new GridNode('ours', 'storage', join(directory, 'storage'), await allocatePorts('storage'));
  await writeNodeDirectory(storage, { needed: 1, happy: 1, total: 1 });
  await writeFile(join(storage.directory, 'private/introducers.yaml'), `introducers:\n  default:\n    furl: ${furl}\n`);
  await storage.start();
  t.teardown(() => storage.stop('SIGKILL'));

  const repository = join(directory, 'repository');
  await mkdir(repository);
  const home = await Home.make(repository, undefined, { ...SHARES, TAHOE_FURL: furl });
  t.teardown(async () => {
    const nodes = (await home.run('sh', '-c', 'ls -d "$HOME"/.tahoe-git-annex/*')).stdout.split('\n').filter(Boolean);
    for (const node of nodes) await home.run('tahoe', 'stop', node);
  });
  for (const [key, value] of [
    ['user.name', 'test'],
    ['user.email', 'test@example.org'],
  ]) {
    await home.expect(git, 'config', '--global', String(key), String(value));
  }
  await home.expect(git, 'init', '-q', '.');
  await home.expect(git, 'annex', 'init', 'test');
  await home.expect(git, 'annex', 'initremote', 'grid', 'type=tahoe', 'encryption=none', 'embedcreds=yes');

  await t.test('testremote', async (t) => {
    const { stdout } = await home.run(git, 'annex', 'testremote', 'grid', '--fast', '--size=100k');
    const results = [...stdout.matchAll(/^ *(\S.*?): +(?:.*\n)?(OK|FAIL)\b/gm)].map(([, name = '', result]) => ({
      name,
      result,
    }));
    const failed = results.filter(({ name, result }) => result === 'FAIL' && !CANNOT_REMOVE.test(name));
    t.ok(results.filter(({ result }) => result === 'OK').length >= 100, `${String(results.length)} were run`);
    t.strictSame(failed, [], 'but for removing, which it does not do with this remote');
    t.notMatch(stdout, /Exception: (?!content cannot be removed from tahoe remote)/);
  });

  await t.test('a file', async (t) => {
    const content = seededBytes('annex', 2_000_000);
    await writeFile(join(repository, 'film'), content);
    await home.expect(git, 'annex', 'add', 'film');
    await home.expect(git, 'commit', '-qm', 'film');
    await home.expect(git, 'annex', 'copy', '--to=grid', 'film');
    t.match(await home.expect(git, 'annex', 'fsck', '--from=grid', 'film'), /ok$/m);
    await home.expect(git, 'annex', 'drop', 'film');
    await t.rejects(readFile(join(repository, 'film')), 'it is here no more');
    await home.expect(git, 'annex', 'get', '--from=grid', 'film');
    t.ok((await readFile(join(repository, 'film'))).equals(content), 'and is back');
  });
});
