/**
 * What create-node and create-client have in common: their options, and how they report.
 */
import type { Command } from 'commander';
import { silentLog } from '#core/environment.js';
import { isTahoeError } from '#core/errors.js';
import type { CreateClientOptions } from '#node/create.js';
import { notEmptyLines } from '#node/create.js';
import { allocatePort } from '#node/endpoint.js';
import { nodeRandom } from '#node/keypair.js';
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

/** Adds the options of nodes that are reached through Tor or I2P. */
export function describeHidden(command: Command): void {
  command
    .option('--tor-launch', 'start a Tor of the node, with --listen=tor')
    .option('--tor-control-port <endpoint>', "Tor's control port: tcp:127.0.0.1:9051 or unix:/var/run/tor/control")
    .option('--tor-executable <file>', 'the tor program to start (default: the one on the PATH)')
    .option('--i2p-sam-port <endpoint>', 'the SAM port of the I2P router (default: tcp:127.0.0.1:7656)')
    .option('--i2p-launch', 'not possible: start the router yourself')
    .option('--i2p-executable <file>', 'not used');
}

/** How addresses in Tor and I2P are made; the steps are told on standard output, as they are done. */
export function addressMakers(context: CommandContext): Pick<CreateClientOptions, 'allocateOnion' | 'allocateI2p'> {
  const report = (line: string) => (context.isQuiet ? Promise.resolve() : writeLine(context.stdout, line));
  // An interrupted process takes a Tor that it started with it.
  const { signal } = new AbortController();
  const { clock } = context;
  return {
    allocateOnion: async (words) => {
      const { allocateOnion } = await import('#node/network/onion-allocation.js');
      return allocateOnion({ words, allocatePort, report, clock, random: nodeRandom, log: silentLog, signal });
    },
    allocateI2p: async (samPort) => {
      const { allocateI2p } = await import('#node/network/i2p-allocation.js');
      return allocateI2p({ samPort, report, clock, signal });
    },
  };
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
  const { basedir, hideIp, join: code } = command.opts<CreationWords>();
  const path = chooseDirectory({ argument: command.args[0], basedir }, context);
  try {
    const make = async (join: CreateClientOptions['join']): Promise<number> => {
      const lines = await create(path, join);
      if (!context.isQuiet) for (const line of lines) await writeLine(context.stdout, line);
      return SUCCESS;
    };
    if (code === undefined) return await make(undefined);
    return await interruptible('the invitation', (signal) =>
      make(() => joinWith(code, context, hideIp === true, signal)),
    );
  } catch (error) {
    if (!isTahoeError(error, 'ERR_DIRECTORY_NOT_EMPTY')) throw error;
    for (const line of notEmptyLines(path)) await writeLine(context.stderr, line);
    return exitStatusOf(error);
  }
}
