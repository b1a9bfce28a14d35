/**
 * What the commands that look after a store have in common: their options, which node directory they mean, and how
 * they print.
 */
import type { Command } from 'commander';
import { silentLog } from '#core/environment.js';
import type { StorageTask } from '#node/storage-tasks.js';
import type { CommandContext } from './context.js';
import { chooseDirectory } from './directory-choice.js';
import { writeLine } from './output.js';

interface StorageWords {
  readonly basedir?: string;
  readonly json?: boolean;
}

/** Adds the options and the argument. */
export function describeStorageTask(command: Command, description: string): Command {
  return command
    .usage('[options] [NODEDIR]')
    .description(description)
    .argument('[nodedir]', 'the node directory (default: ~/.tahoe)')
    .option('-C, --basedir <dir>', 'the node directory')
    .option('--json', 'print what was found as JSON');
}

/** The store that a command line names. @throws ERR_USAGE when it is named twice. */
export function storageTask(command: Command, context: CommandContext): StorageTask {
  const { basedir } = command.opts<StorageWords>();
  const { environment, clock } = context;
  const directory = chooseDirectory({ argument: command.args[0], basedir }, context);
  return { directory, environment, clock, log: silentLog };
}

/** Prints what was found: as JSON in one line, or else as the lines. */
export async function printFound(
  command: Command,
  context: CommandContext,
  found: unknown,
  lines: readonly string[],
): Promise<void> {
  if (command.opts<StorageWords>().json === true) return writeLine(context.stdout, JSON.stringify(found));
  for (const line of lines) await writeLine(context.stdout, line);
}

/** `1 share`, `12 shares`. */
export function countShares(count: number): string {
  return count === 1 ? '1 share' : `${String(count)} shares`;
}
