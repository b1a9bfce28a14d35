/**
 * What create-node and create-client have in common: their options, and how they report.
 */
import type { Command } from 'commander';
import { isTahoeError } from '#core/errors.js';
import type { CreateClientOptions } from '#node/create.js';
import { notEmptyLines } from '#node/create.js';
import type { CommandContext } from './context.js';
import { chooseDirectory } from './directory-choice.js';
import { SUCCESS, exitStatusOf } from './exit-status.js';
import { interruptible } from './interrupt.js';
import { joinWith } from './invitation.js';
import { writeLine } from './output.js';

/** Option values as commander collects them; texts as they were typed. */
export interface CreationWords extends Omit<CreateClientOptions, 'join'> {
  readonly basedir?: string;
  readonly join?: string;
}

/** Adds the options and the argument of both commands. */
export function describeCreation(command: Command): void {
  command
    .argument('[nodedir]', 'the directory to make (default: ~/.tahoe)')
    .option('-C, --basedir <dir>', 'the directory to make')
    .option('-n, --nickname <name>', 'what people are shown of this node')
    .option('-i, --introducer <furl>', 'an introducer of the grid')
    .option(
      '-p, --webport <endpoint>',
      'where the gateway listens; none for no gateway (default: tcp:3456:interface=127.0.0.1)',
    )
    .option('--servers <count>', 'how many storage servers the grid has; shares are made to fit them')
    .option('--shares-needed <count>', 'how many shares a file can be read from (default: 3)')
    .option('--shares-happy <count>', 'over how many servers an upload must spread (default: 7)')
    .option('--shares-total <count>', 'how many shares are made of a file (default: 10)')
    .option('--hide-ip', 'never show the address of this machine')
    .option('--join <code>', 'the code of an invitation; - to read it from standard input');
}

/**
 * Makes the directory with `create`, which is given its path, and how to join where the command line has a code.
 * @returns the exit status.
 */
export async function runCreation(
  command: Command,
  context: CommandContext,
  create: (path: string, join: CreateClientOptions['join']) => Promise<readonly string[]>,
): Promise<number> {
  const { basedir, join: code } = command.opts<CreationWords>();
  const path = chooseDirectory({ argument: command.args[0], basedir }, context);
  try {
    const make = async (join: CreateClientOptions['join']): Promise<number> => {
      const lines = await create(path, join);
      if (!context.isQuiet) for (const line of lines) await writeLine(context.stdout, line);
      return SUCCESS;
    };
    if (code === undefined) return await make(undefined);
    return await interruptible('the invitation', (signal) => make(() => joinWith(code, context, signal)));
  } catch (error) {
    if (!isTahoeError(error, 'ERR_DIRECTORY_NOT_EMPTY')) throw error;
    for (const line of notEmptyLines(path)) await writeLine(context.stderr, line);
    return exitStatusOf(error);
  }
}
