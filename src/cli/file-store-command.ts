/** What all commands share that work on the grid's files: their options, and the gateway that they talk to. */
import type { Command } from 'commander';
import { readAliases } from './aliases.js';
import type { Aliases } from './aliases.js';
import type { CommandContext } from './context.js';
import { openGateway } from './gateway-address.js';
import type { GatewayClient } from './gateway-client.js';
import { interruptible } from './interrupt.js';

/** Those options. */
export interface FileStoreWords {
  readonly nodeUrl?: string;
  readonly dirCap?: string;
}

/** What such a command works with. */
export interface FileStoreTools {
  readonly client: GatewayClient;
  readonly aliases: Aliases;
  readonly signal: AbortSignal;
}

/** Adds the options. */
export function withFileStoreOptions(command: Command): Command {
  return command
    .option(
      '-u, --node-url <url>',
      'the gateway, such as http://127.0.0.1:3456 (default: node.url of the node directory)',
    )
    .option('--dir-cap <capability>', "the directory that paths without an alias begin at (the alias 'tahoe')");
}

/**
 * Runs `action` with a gateway that is closed afterwards.
 * @param what - what an interrupt is said to have ended.
 * @throws what `action` throws; ERR_USAGE and ERR_FILE when no gateway is known.
 */
export async function withFileStore(
  what: string,
  command: Command,
  context: CommandContext,
  action: (tools: FileStoreTools) => Promise<number>,
): Promise<number> {
  const { nodeUrl, dirCap } = command.opts<FileStoreWords>();
  const aliases = await readAliases(context, dirCap);
  const client = await openGateway(nodeUrl, context);
  try {
    return await interruptible(what, (signal) => action({ client, aliases, signal }));
  } finally {
    await client.close();
  }
}
