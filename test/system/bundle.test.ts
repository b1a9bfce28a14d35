/**
 * The everyday commands in one file: used while it is no older than the modules it was made of.
 */
import { execFile } from 'node:child_process';
import { copyFile, cp, mkdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { ModuleArchive } from '#cli/module-archive.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));
const main = join(root, 'dist/src/cli/main.js');
const bundler = join(root, 'dist/scripts/bundle-commands.js');
const bundleOf = (commands: string): string => join(commands, 'bundle/commands.bundle');

t.test('the newer of both is loaded', async (t) => {
  const directory = t.testdir({ 'package.json': '{"type":"module"}' });
  const commands = join(directory, 'dist/src/cli');
  await mkdir(join(commands, 'bundle'), { recursive: true });
  for (const name of ['main.js', 'module-archive.js']) await copyFile(join(main, '..', name), join(commands, name));
  const says = (name: string): string => `runWords = async () => { process.stdout.write('${name}'); return 0; };`;
  await writeFile(join(commands, 'command-line.js'), `export const ${says('modules')}`);
  const bundle = bundleOf(commands);
  new ModuleArchive(bundle, new Map([['command-line.cjs', { text: `exports.${says('bundle')}` }]]), {}).write();
  const loaded = async (): Promise<string> => (await run(process.execPath, [join(commands, 'main.js'), 'ls'])).stdout;

  t.equal(await loaded(), 'bundle', 'the bundle, where nothing says when the modules were compiled');
  const compiled = join(directory, 'dist/.tsbuildinfo');
  await writeFile(compiled, '');
  await utimes(compiled, 1_000, 1_000);
  t.equal(await loaded(), 'bundle');
  await utimes(bundle, 999, 999);
  t.equal(await loaded(), 'modules', 'not one that is older than them');
  await rm(bundle);
  t.equal(await loaded(), 'modules', 'and not one that is missing');
});

/** Whether a bundle is as long as its first line says. */
function isWhole(bytes: Buffer): boolean {
  const end = bytes.indexOf('\n');
  if (end < 0) return false;
  const { modules } = JSON.parse(bytes.toString('utf8', 0, end)) as { modules: [string, number, number][] };
  return bytes.length === modules.reduce((sum, [, text, code]) => sum + text + code, end + 1);
}

t.test('a command that starts while it is made anew finds the old one or the new one', async (t) => {
  const bundle = bundleOf(join(main, '..'));
  await run(process.execPath, [bundler]);
  const { ino } = await stat(bundle);
  let bundling = true;
  const bundled = run(process.execPath, [bundler]).finally(() => (bundling = false));
  let whole = true;
  while (bundling && whole) whole = isWhole(await readFile(bundle).catch(() => Buffer.alloc(0)));
  t.ok(whole, 'never gone, and never a part of it');
  await bundled;
  t.not((await stat(bundle)).ino, ino, 'and it was made anew');
});

t.test('the commands in it are whole, and others are found', async (t) => {
  const directory = t.testdir();
  for (const name of ['package.json', 'dist/src', 'dist/storage', 'dist/introducer']) {
    await cp(join(root, name), join(directory, name), { recursive: true, preserveTimestamps: true });
  }
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
  const commands = join(directory, 'dist/src/cli');
  for (const name of ['command-line.js', 'program.js', 'commands/backup.js', 'backup']) {
    await rm(join(commands, name), { recursive: true });
  }
  const answer = async (...words: string[]) =>
    (await run(process.execPath, [join(commands, 'main.js'), ...words])).stdout;
  t.match(await answer('backup', '--help'), 'Usage: tallac backup', 'from the bundle');
  t.match(await answer('create-node', '--help'), 'Usage: tallac create-node', 'from its module');
  await rm(bundleOf(commands));
  await t.rejects(answer('backup', '--help'), /ERR_MODULE_NOT_FOUND/, 'which is gone with it');
});

t.test('a failure in a command that is not in it is one sentence, not a bug', async (t) => {
  const failed = run(process.execPath, [main, '-d', t.testdir(), 'storage', 'usage']);
  const { stderr } = (await failed.then(
    () => t.fail('it fails'),
    (error: unknown) => error,
  )) as { readonly stderr: string };
  t.match(stderr, /^tallac: [^\n]+\n$/);
});
