/**
 * Which node directory a command means: the argument NODEDIR, --basedir, the global --node-directory, or ~/.tahoe;
 * no two of them at once.
 */
import { resolve } from 'node:path';
import { TahoeError } from '#core/errors.js';
import type { CommandContext } from './context.js';

/** What a command line said; undefined what it did not. */
export interface DirectoryWords {
  readonly argument?: string | undefined;
  readonly basedir?: string | undefined;
}

/**
 * @returns an absolute path.
 * @throws ERR_USAGE when the directory is named twice.
 */
export function chooseDirectory({ argument, basedir }: DirectoryWords, context: CommandContext): string {
  const global = context.nodeDirectory;
  const refuse = (what: string): TahoeError => new TahoeError('ERR_USAGE', { reason: `${what} cannot both be used.` });
  if (global !== undefined && basedir !== undefined) {
    throw refuse('The --node-directory (or -d) and --basedir (or -C) options');
  }
  if (global !== undefined && argument !== undefined) {
    throw refuse('The --node-directory (or -d) option and a basedir argument');
  }
  if (basedir !== undefined && argument !== undefined) {
    throw refuse('The --basedir (or -C) option and a basedir argument');
  }
  return resolveLocal(argument ?? basedir ?? global ?? '~/.tahoe', context);
}

/** A path as it was typed, made absolute; `~` is the home directory also where no shell has seen it. */
export function resolveLocal(
  path: string,
  { workingDirectory, homeDirectory }: Pick<CommandContext, 'workingDirectory' | 'homeDirectory'>,
): string {
  const expanded = path === '~' || path.startsWith('~/') ? homeDirectory + path.slice(1) : path;
  return resolve(workingDirectory, expanded);
}
