/**
 * Puts the everyday commands into a few files, dist/src/cli/bundle: a command that loads sixty small modules spends more time
 * on that than on its work. The files are CommonJS, which Node.js loads at once and without asking for each name.
 *
 *     node dist/scripts/bundle-commands.js
 *
 * What the commands share is a file of its own; packages and the other commands are loaded from where they are.
 * @see src/cli/main.ts, which uses them while they are no older than the modules
 */
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rollup } from '@rollup/wasm-node';
import type { Plugin } from '@rollup/wasm-node';

/** The commands that only talk to a gateway, by the names of their modules. */
const EVERYDAY = new Set(
  [
    'add-alias backup check cp create-alias deep-check get list-aliases ln ls',
    'manifest mkdir mv put stats status unlink watch webopen',
  ].flatMap((names) => names.split(' ')),
);

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

/** Puts a file there whole: a command that starts meanwhile finds the old one or the new one. */
function place(name: string, text: string): void {
  const draft = join(directory, `${name}.${String(process.pid)}.new`);
  writeFileSync(draft, text);
  renameSync(draft, join(directory, name));
}

// What the entry asks for is there before the entry is, and what the old one asked for goes after it.
mkdirSync(directory, { recursive: true });
const parts = output.filter((part) => part.type === 'chunk').sort((a, b) => Number(a.isEntry) - Number(b.isEntry));
for (const { fileName, code } of parts) place(fileName, code);
const names = new Set(parts.map(({ fileName }) => fileName));
const old = readdirSync(directory).filter((name) => name.endsWith('.cjs') && !names.has(name));
for (const name of old) rmSync(join(directory, name), { force: true });
