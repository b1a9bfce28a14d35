#!/usr/bin/env node
/**
 * The `tallac` command, also installed as `tahoe`.
 *
 * Programs ask for the version often and wait for it, so that question is answered before anything else is loaded. The
 * command line itself is in command-line.ts; the everyday commands come in one file, which loads in a quarter of the time
 * (scripts/bundle-commands.ts), and all of them as the modules that they are.
 */
import type * as CommandLine from './command-line.js';

const BUNDLE = './bundle/commands.bundle';
/** In the bundle. */
const ENTRY = 'command-line.cjs';
/** What the compiler writes when a module has changed; not there where the program is installed. */
const COMPILED = '../../.tsbuildinfo';

function changedMs(name: string): number | undefined {
  const { statSync } = process.getBuiltinModule('node:fs');
  return statSync(new URL(name, import.meta.url), { throwIfNoEntry: false })?.mtimeMs;
}

/** The bundle, unless it was made of older modules. */
async function loadCommandLine(): Promise<typeof CommandLine> {
  const bundledMs = changedMs(BUNDLE);
  if (bundledMs === undefined || bundledMs < (changedMs(COMPILED) ?? 0)) return import('./command-line.js');
  const { ModuleArchive } = await import('./module-archive.js');
  const { fileURLToPath } = process.getBuiltinModule('node:url');
  return ModuleArchive.read(fileURLToPath(new URL(BUNDLE, import.meta.url))).load(ENTRY) as typeof CommandLine;
}

/** What a lone word asks for and nothing else needs to be known for. */
async function versionAnswer(word: string | undefined): Promise<string | undefined> {
  if (word !== '-V' && word !== '--version' && word !== '--version-and-path') return undefined;
  const { versionAndPath, versionLine } = await import('./version-text.js');
  return word === '--version-and-path' ? versionAndPath() : versionLine;
}

const words = process.argv.slice(2);
const answer = words.length === 1 ? await versionAnswer(words[0]) : undefined;
if (answer !== undefined) process.stdout.write(`${answer}\n`);
// Not process.exitCode: input that nobody reads to its end would keep the process alive.
else process.exit(await (await loadCommandLine()).runWords(words));
