/** The process that a command runs in: what it was given, and its streams. */
import { homedir } from 'node:os';
import { systemClock } from '#node/clock.js';
import type { Surroundings } from './context.js';

/**
 * Runs a command in this process.
 * @returns its exit status, when all that was said is written.
 */
export async function inOwnProcess(
  programName: string,
  run: (surroundings: Surroundings) => Promise<number>,
): Promise<number> {
  const { stdin, stdout, stderr } = process;
  // A stream that fails tells who writes to it; without a listener it would end the program instead.
  for (const stream of [stdin, stdout, stderr]) stream.on('error', () => undefined);
  const status = await run({
    programName,
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
