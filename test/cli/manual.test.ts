/** Help, manual pages and completion come from one source: each command is in all of them, with an example. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { commandsPage, helpText } from '#cli/commands-page.js';
import { completionScript } from '#cli/completion.js';
import { examples } from '#cli/examples.js';
import { mainManPage, manPage, manPageName } from '#cli/man-page.js';
import { describeCommands } from '#cli/whole-program.js';
import { runInPlace, temporaryDirectory } from './fixtures/program.js';

const manual = fileURLToPath(new URL('../../../docs/man/', import.meta.url));
const commands = await describeCommands();

t.test('docs/man is what scripts/man-pages.ts writes', async (t) => {
  const pages = new Map(commands.map((command) => [manPageName(command), manPage(command)]));
  pages.set('tallac.1', mainManPage(commands));
  t.strictSame((await readdir(manual)).sort(), [...pages.keys()].sort());
  for (const [name, text] of pages) t.equal(await readFile(join(manual, name), 'utf8'), text, name);
});

t.test('docs/commands.md is what scripts/man-pages.ts writes, and what --help prints', async (t) => {
  t.equal(await readFile(join(manual, '../commands.md'), 'utf8'), commandsPage(commands));
  const directory = await temporaryDirectory(t);
  for (const command of commands) {
    const { stdout } = await runInPlace([...command.name.split(' '), '--help'], directory);
    t.equal(stdout.replaceAll(/\s+/g, ' '), helpText(command).replaceAll(/\s+/g, ' '), command.name);
  }
});

t.test('every command has an example that names it, and its help shows it', async (t) => {
  const names = commands.map(({ name }) => name);
  t.strictSame(
    names.filter((name) => examples[name] === undefined),
    [],
  );
  t.strictSame(
    Object.keys(examples).filter((name) => !names.includes(name)),
    [],
  );
  const directory = await temporaryDirectory(t);
  for (const { name, command } of commands) {
    for (const example of examples[name] ?? []) {
      const options = [...example.matchAll(/ (--[a-z][a-z-]*)/g)].map(([, option]) => option);
      if (!example.startsWith('tallac')) continue;
      t.match(example, name, `${example} is of ${name}`);
      for (const option of options) {
        const isKnown = command.options.some(({ long }) => long === option);
        t.ok(isKnown || example.includes('|'), `${name} has ${String(option)}`);
      }
    }
    const { stdout, status } = await runInPlace([...name.split(' '), '--help'], directory);
    t.equal(status, 0);
    for (const example of examples[name] ?? []) t.ok(stdout.includes(example), `the help of ${name} shows ${example}`);
  }
});

t.test('the scripts for shells know commands and options', async (t) => {
  const directory = await temporaryDirectory(t);
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    const { stdout, status } = await runInPlace(['completion', shell], directory);
    t.equal(status, 0);
    t.equal(stdout, completionScript(shell, commands));
    for (const word of ['deep-check', 'add-lease', 'adopt']) t.match(stdout, word, `${shell} knows ${word}`);
  }
  t.match(await runInPlace(['completion', 'tcsh'], directory), { status: 1, stderr: /bash, zsh, fish/ });
});

t.test('bash completes', { skip: hasBash() ? false : 'no bash' }, async (t) => {
  const directory = await temporaryDirectory(t);
  const script = join(directory, 'completion');
  await writeFile(script, completionScript('bash', commands));
  const complete = (...words: string[]): string[] => {
    const quoted = words.map((word) => `'${word}'`).join(' ');
    const program = `. ${script}; COMP_WORDS=(${quoted}); COMP_CWORD=${String(words.length - 1)}; _tallac 2>/dev/null; echo "\${COMPREPLY[*]}"`;
    return execFileSync('bash', ['-c', program], { encoding: 'utf8', env: { ...process.env, HOME: directory } })
      .trim()
      .split(' ');
  };
  t.strictSame(complete('tallac', 'deep'), ['deep-check']);
  t.strictSame(complete('tallac', '-d', 'x', 'deep'), ['deep-check']);
  t.strictSame(complete('tallac', 'storage', 'ad'), ['adopt']);
  t.strictSame(complete('tallac', 'deep-check', '--add'), ['--add-lease']);
  t.strictSame(complete('tahoe', 'storage', 'scrub', '--he'), ['--help']);
});

function hasBash(): boolean {
  return spawnSync('bash', ['-c', 'true']).status === 0;
}
