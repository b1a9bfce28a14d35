/**
 * Puts the everyday commands into one file, dist/src/cli/bundle/commands.bundle, with the code that V8 makes of them: a command
 * that loads sixty small modules spends more time on that than on its work.
 *
 *     node dist/scripts/bundle-commands.js
 *
 * Other commands and all packages but the one that parses words are loaded from where they are.
 * @see src/cli/main.ts, which uses it while it is no older than the modules; src/cli/module-archive.ts, its form
 */
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rollup } from '@rollup/wasm-node';
import type { Plugin } from '@rollup/wasm-node';
import type * as CommandLine from '#cli/command-line.js';
import { ModuleArchive } from '#cli/module-archive.js';
import type { ArchivedModule } from '#cli/module-archive.js';

/** The commands that only talk to a gateway, by the names of their modules. */
const EVERYDAY = new Set(
  [
    'add-alias backup check cp create-alias deep-check get list-aliases ln ls',
    'manifest mkdir mv put stats status unlink watch webopen',
  ].flatMap((names) => names.split(' ')),
);

/** The package whose modules come along: every command loads it. */
const PARSER = 'commander';

const root = fileURLToPath(new URL('../..', import.meta.url));
const directory = join(root, 'dist/src/cli/bundle');
const { imports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { imports: Record<string, string> };

/** Where a module of ours is; undefined for a package. */
function pathOf(name: string, importer: string | undefined): string | undefined {
  if (importer === undefined) return name;
  if (name.startsWith('.')) return join(dirname(importer), name);
  const folder = Object.entries(imports).find(([pattern]) => name.startsWith(pattern.slice(0, -1)));
  return folder && join(root, folder[1].slice(0, -1), name.slice(folder[0].length - 1));
}

const ours: Plugin = {
  name: 'ours',
  resolveId(name, importer) {
    const path = pathOf(name, importer);
    if (path === undefined) return { id: name, external: true };
    const [, command] = /\/cli\/commands\/([^/]+)\.js$/.exec(path) ?? [];
    return { id: path, external: command !== undefined && !EVERYDAY.has(command) && 'absolute' };
  },
  renderDynamicImport: () => ({ left: 'require.import(', right: ')' }),
  // A module that looks for a file beside it still finds it.
  resolveImportMeta(property, { moduleId }) {
    if (property !== 'url') return null;
    const place = JSON.stringify(relative(directory, moduleId));
    return `require('node:url').pathToFileURL(require('node:path').join(__dirname, ${place})).href`;
  },
};

const bundle = await rollup({
  input: join(root, 'dist/src/cli/command-line.js'),
  plugins: [ours],
  onwarn: ({ message }) => {
    throw new Error(message);
  },
});
const { output } = await bundle.generate({
  dir: directory,
  format: 'cjs',
  entryFileNames: '[name].cjs',
  chunkFileNames: '[name]-[hash].cjs',
  paths: (id) => (id.startsWith(root) ? relative(directory, id) : id),
});
await bundle.close();

const modules = new Map<string, ArchivedModule>();
for (const part of output) if (part.type === 'chunk') modules.set(part.fileName, { text: part.code });
const parser = createRequire(import.meta.url).resolve(PARSER);
const parserFiles = ['index.js', ...readdirSync(join(dirname(parser), 'lib')).map((name) => `lib/${name}`)];
for (const name of parserFiles) {
  modules.set(`${PARSER}/${name}`, { text: readFileSync(join(dirname(parser), name), 'utf8') });
}

// What the last one was made of goes, or what earlier versions of this script left.
mkdirSync(directory, { recursive: true });
for (const name of readdirSync(directory).filter((each) => each.endsWith('.cjs'))) rmSync(join(directory, name));
const archive = new ModuleArchive(join(directory, 'commands.bundle'), modules, { [PARSER]: `${PARSER}/index.js` });

// V8 has code of what was run: here each command's description, and whatever reads it.
const { stdout, stderr, stdin } = process;
for (const stream of [stdin, stdout, stderr]) stream.setMaxListeners(Infinity);
const write = stdout.write.bind(stdout);
stdout.write = (_text: unknown, encoding?: unknown, written?: unknown) => {
  for (const told of [encoding, written]) if (typeof told === 'function') (told as () => void)();
  return true;
};
const { runWords } = archive.load('command-line.cjs') as typeof CommandLine;
for (const name of EVERYDAY) await runWords([name, '--help']);
stdout.write = write;
archive.write();
