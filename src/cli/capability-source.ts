/** Where a command gets its capability from: its words, a file, or standard input, which other users cannot see. */
import { readFile } from 'node:fs/promises';
import { requireCapability } from '#core/capability/parse.js';
import type { CommandContext } from './context.js';
import { resolveLocal } from './directory-choice.js';
import { localFileError } from './local-file.js';

/** For commands that take one path. */
export const CAP_FILE_OPTION = [
  '--cap-file <file>',
  'a file that holds the capability, instead of PATH; - for standard input',
] as const;

/** The longest capability that is read from a file or standard input, in bytes. */
const CAPABILITY_SIZE_MAX = 4096;

/**
 * A capability that was cut short in copying is better refused here than looked for in the grid.
 * @returns it without blanks around it. @throws ERR_CAPABILITY.
 */
export function checkedCapability(text: string): string {
  const capability = text.trim();
  requireCapability(capability);
  return capability;
}

/** The beginning of a file, as text. @throws ERR_FILE. */
export async function readCapabilityFile(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).slice(0, CAPABILITY_SIZE_MAX);
  } catch (error) {
    throw localFileError(path, error);
  }
}

/** The first line of standard input, or more. */
export async function readCapabilityInput(stdin: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const piece of stdin) {
    text += Buffer.from(piece).toString('latin1');
    if (text.includes('\n') || text.length > CAPABILITY_SIZE_MAX) break;
  }
  return text;
}

/**
 * The path that a command is about.
 * @param word - as it was typed; empty, the root of the default alias.
 * @param capFile - the value of --cap-file, which wins.
 * @throws ERR_FILE, ERR_CAPABILITY.
 */
export async function pathWord(
  word: string | undefined,
  capFile: string | undefined,
  context: CommandContext,
): Promise<string> {
  if (capFile === undefined) return word ?? '';
  if (capFile === '-') return checkedCapability(await readCapabilityInput(context.stdin));
  return checkedCapability(await readCapabilityFile(resolveLocal(capFile, context)));
}
