/**
 * Runs the words that this process was given as a command, on its own streams.
 */
import { homedir } from 'node:os';
import { basename } from 'node:path';
import { systemClock } from '#node/clock.js';
import { runCommandLine } from './program.js';

/** @returns the exit status, when all that was said is written. */
export async function runWords(words: readonly string[]): Promise<number> {
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
