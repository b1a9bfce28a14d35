/** Runs the words that this process was given as a command. */
import { basename } from 'node:path';
import { inOwnProcess } from './own-process.js';
import { runCommandLine } from './program.js';

/** @returns the exit status, when all that was said is written. */
export function runWords(words: readonly string[]): Promise<number> {
  const programName = basename(process.argv[1] ?? '') === 'tahoe' ? 'tahoe' : 'tallac';
  return inOwnProcess(programName, (surroundings) => runCommandLine(words, surroundings));
}
