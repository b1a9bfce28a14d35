/**
 * `health`: asks a running node whether it is ready, for the health checks of containers and service managers.
 */
import type { CommandModule } from '../context.js';
import { SUCCESS } from '../exit-status.js';
import { openGateway } from '../gateway-address.js';
import { writeLine } from '../output.js';

/** Who checks gives up after ten seconds or more, and should hear the reason before that. In milliseconds. */
const LIMITS = { connectMs: 4_000, answerMs: 4_000, idleMs: 4_000 } as const;

/** Tells whether a node is ready. */
export const command: CommandModule = {
  describe(command) {
    command
      .description('Says whether a running node is ready to be asked. The exit status is 0 when it is; else it is 1.')
      .option(
        '-u, --node-url <url>',
        'the gateway, such as http://127.0.0.1:3456 (default: node.url of the node directory)',
      );
  },

  async run(command, context) {
    const { nodeUrl } = command.opts<{ nodeUrl?: string }>();
    const client = await openGateway(nodeUrl, context, LIMITS);
    try {
      await client.checkReady();
      if (!context.isQuiet) await writeLine(context.stdout, 'the node is ready');
      return SUCCESS;
    } finally {
      await client.close();
    }
  },
};
