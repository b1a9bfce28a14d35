#!/usr/bin/env node
/**
 * The `tallac` command, also installed as `tahoe`.
 *
 * Programs ask for the version often and wait for it, so that question is answered before anything else is
 * loaded; the command line itself is in program.ts, and each command's code is loaded when it is used.
 */
import { homedir } from 'node:os';
import { basename } from 'node:path';
import { versionAndPath, versionLine } from './version-text.js';

/** What a lone word asks for and nothing else needs to be known for. */
const ANSWERS: Readonly<Record<string, () => string>> = {
  '-V': () => versionLine,
  '--version': () => versionLine,
  '--version-and-path': versionAndPath,
};

async function main(words: readonly string[]): Promise<number> {
  const { runCommandLine } = await import('./program.js');
  const { systemClock } = await import('#node/clock.js');
  const { stdin, stdout, stderr } = process;
  // A stream that fails tells who writes to it; without a listener it would end the program instead.
  for (const stream of [stdin, stdout, stderr]) stream.on('error', () => undefined);
  const status = await runCommandLine(words, {
    programName: basename(process.argv[1] ?? '') === 'tahoe' ? 'tahoe' : 'tallac',
    stdin,
    stdout,
    stderr,
    environment: process.env,
    workingDirectory: process.cwd(),
    homeDirectory: homedir(),
    clock: systemClock,
  });
  for (const stream of [stdout, stderr]) await new Promise((resolve) => stream.write('', resolve));
  return status;
}

const words = process.argv.slice(2);
const answer = words.length === 1 ? ANSWERS[words[0] ?? ''] : undefined;
if (answer !== undefined) process.stdout.write(`${answer()}\n`);
// Not process.exitCode: input that nobody reads to its end would keep the process alive.
else process.exit(await main(words));
