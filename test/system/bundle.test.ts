/**
 * The everyday commands in a few files: used while they are no older than the modules they were made of.
 */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';

const run = promisify(execFile);
const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const bundler = fileURLToPath(new URL('../../scripts/bundle-commands.js', import.meta.url));

t.test('the newer of both is loaded', async (t) => {
  const directory = t.testdir({ 'package.json': '{"type":"module"}' });
  const commands = join(directory, 'dist/src/cli');
  await mkdir(join(commands, 'bundle'), { recursive: true });
  await copyFile(main, join(commands, 'main.js'));
  const says = (name: string): string => `runWords = async () => { process.stdout.write('${name}'); return 0; };`;
  await writeFile(join(commands, 'command-line.js'), `export const ${says('modules')}`);
  const bundle = join(commands, 'bundle/command-line.cjs');
  await writeFile(bundle, `exports.${says('bundle')}`);
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

t.test('a command that starts while it is made anew finds the old one or the new one', async (t) => {
  await run(process.execPath, [bundler]);
  const entry = fileURLToPath(new URL('../../src/cli/bundle/command-line.cjs', import.meta.url));
  const { ino } = await stat(entry);
  const text = await readFile(entry, 'utf8');
  let bundling = true;
  const bundled = run(process.execPath, [bundler]).finally(() => (bundling = false));
  let whole = true;
  while (bundling && whole) whole = (await readFile(entry, 'utf8').catch(() => '')) === text;
  t.ok(whole, 'never gone, and never a part of it');
  await bundled;
  t.not((await stat(entry)).ino, ino, 'and it was made anew');
});

t.test('the commands in it are whole, and others are found', async (t) => {
  const answer = async (...words: string[]): Promise<{ stdout: string; stderr: string }> =>
    run(process.execPath, [main, ...words], { env: { ...process.env, NODE_DEBUG: 'module' } });
  const { stdout, stderr } = await answer('backup', '--help');
  t.match(stdout, 'Usage: tallac backup');
  t.match(stderr, 'bundle/backup-', 'from the bundle');
  const other = await answer('create-node', '--help');
  t.match(other.stdout, 'Usage: tallac create-node');
  t.notMatch(other.stderr, 'bundle/create-node', 'from its module');
});

t.test('a failure in a command that is not in it is one sentence, not a bug', async (t) => {
  const failed = run(process.execPath, [main, '-d', t.testdir(), 'storage', 'usage']);
  const { stderr } = (await failed.then(
    () => t.fail('it fails'),
    (error: unknown) => error,
  )) as { readonly stderr: string };
  t.match(stderr, /^tallac: [^\n]+\n$/);
});
