/** The Debian package: built twice to the same bytes, installed into an empty root, used there, and gone after its purge. */
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { root } from '../house/sources.js';
import { temporaryDirectory } from '../cli/fixtures/program.js';

t.setTimeout(300_000);

const run = promisify(execFile);
const isHere = existsSync('/usr/bin/dpkg-deb') && process.getuid?.() === 0;
const skip = isHere ? false : 'dpkg-deb and the right to install are needed';

async function build(into: string): Promise<string> {
  await mkdir(into);
  const environment = { ...process.env, SOURCE_DATE_EPOCH: '1700000000' };
  const { stdout } = await run(process.execPath, ['dist/scripts/build-deb.js', into], { cwd: root, env: environment });
  return join(into, stdout.trim());
}

/** What the programs that make accounts keep for themselves, on every machine. */
const ACCOUNT_FILES = /^etc\/(\.pwd\.lock|g?shadow-?|passwd-|group-)$/;

/** Everything under a root but dpkg's own records. */
async function filesOf(directory: string): Promise<readonly string[]> {
  const all = await readdir(directory, { recursive: true });
  return all.filter((path) => !/^var\/(lib\/dpkg|log)/.test(path) && !ACCOUNT_FILES.test(path)).sort();
}

t.test('built, installed, used, purged', { skip }, async (t) => {
  const directory = await temporaryDirectory(t);
  const [first, second] = await Promise.all([build(join(directory, 'a')), build(join(directory, 'b'))]);
  const digest = async (path: string): Promise<string> =>
    createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
  t.equal(await digest(first), await digest(second), 'the same bytes twice');

  const target = join(directory, 'root');
  for (const folder of ['updates', 'info']) await mkdir(join(target, 'var/lib/dpkg', folder), { recursive: true });
  for (const file of ['status', 'available']) await writeFile(join(target, 'var/lib/dpkg', file), '');
  await mkdir(join(target, 'etc'));
  const accounts = { passwd: 'root:x:0:0:root:/root:/bin/sh\n', group: 'root:x:0:\n' };
  for (const [name, text] of Object.entries(accounts)) await writeFile(join(target, 'etc', name), text);
  const before = await filesOf(target);
  // Its scripts run here, on that root: nothing is in it that they could run.
  const options = [`--root=${target}`, '--force-script-chrootless', '--force-depends', '--force-not-root'];
  const dpkg = (...words: string[]) =>
    execFileSync('dpkg', [...options, ...words], { encoding: 'utf8', stdio: 'pipe' });

  dpkg('--install', first);
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const environment = { PATH: `/nowhere:${process.env['PATH'] ?? ''}`, HOME: directory };
  const use = async (program: string, ...words: string[]): Promise<string> =>
    (await run(join(target, program), words, { cwd: directory, env: environment })).stdout;
  t.match(await use('usr/bin/tallac', '--version'), version);
  t.match(await use('usr/lib/tallac/bin/tahoe', '--version-and-path'), `${target}/usr/lib/tallac/`, 'it is that one');
  t.match(await use('usr/lib/tallac/bin/grid-manager', '--help'), 'grid-manager');
  await t.test('its dependencies are complete: a node stores, serves, is asked and stops', async (t) => {
    const node = join(directory, 'node');
    const web = '--webport=tcp:0:interface=127.0.0.1';
    await use('usr/bin/tallac', 'create-node', '--listen=tcp', '--hostname=127.0.0.1', web, node);
    t.match(await use('usr/bin/tallac', 'start', node), 'runs as process');
    try {
      t.match(await use('usr/bin/tallac', '-d', node, 'health'), 'ready');
    } finally {
      t.match(await use('usr/bin/tallac', 'stop', node), 'has stopped');
    }
  });
  const files = await filesOf(target);
  for (const path of ['usr/lib/systemd/system/tallac@.service', 'usr/share/bash-completion/completions/tallac'])
    t.ok(files.includes(path), path);
  t.notOk(files.includes('usr/bin/tahoe') || files.includes('usr/bin/grid-manager'), "they are tahoe-lafs's");
  const pages = await readdir(join(root, 'docs/man'));
  for (const page of pages) t.ok(files.includes(`usr/share/man/man1/${page}.gz`), page);
  t.notOk(existsSync(join(target, 'usr/lib/tallac/node_modules/typescript')), 'nothing of the development is in it');
  t.match(await readFile(join(target, 'etc/passwd'), 'utf8'), /^tallac:.*:\/var\/lib\/tallac:.*nologin$/m);
  t.equal(
    execFileSync('gzip', ['-l', join(target, 'usr/share/man/man1/tallac.1.gz')], { encoding: 'utf8' }).split('\n')
      .length,
    3,
  );

  await writeFile(join(target, 'var/lib/tallac/node'), 'shares of others');
  dpkg('--remove', 'tallac');
  t.equal(await readFile(join(target, 'var/lib/tallac/node'), 'utf8'), 'shares of others');
  dpkg('--install', first);
  t.match(dpkg('--purge', 'tallac'), 'are kept');
  t.ok(existsSync(join(target, 'var/lib/tallac/node')), 'no purge takes a node');
  execFileSync('rm', [join(target, 'var/lib/tallac/node')]);
  dpkg('--install', first);
  dpkg('--purge', 'tallac');
  t.strictSame(await filesOf(target), before);
  for (const [name, text] of Object.entries(accounts))
    t.equal(await readFile(join(target, 'etc', name), 'utf8'), text, name);
});
