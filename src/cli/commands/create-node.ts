/** `create-node`: makes the directory of a node that stores for others and has a gateway. */
import { createNode } from '#node/create.js';
import type { CreateNodeOptions } from '#node/create.js';
import { allocatePort } from '#node/endpoint.js';
import type { CommandModule } from '../context.js';
import { describeCreation, describeHidden, addressMakers, runCreation } from '../creation.js';
import type { CreationWords } from '../creation.js';

/** commander reads `--no-storage` as a `storage` that is false. */
interface NodeWords extends CreationWords, Omit<CreateNodeOptions, 'noStorage' | 'join'> {
  readonly storage: boolean;
}

/** Makes a node. */
export const command: CommandModule = {
  describe(command) {
    describeCreation(command);
    command
      .usage('[options] [NODEDIR]')
      .description('Makes the directory of a node that stores for others and has a gateway.')
      .option('--hostname <host>', 'the name or address by which others reach this machine, for --listen=tcp')
      .option('--listen <list>', 'how others may connect, comma-separated: tcp, tor, i2p, none (default: tcp)')
      .option('--port <endpoints>', 'where to listen for other nodes, with --location')
      .option('--location <hints>', 'what to tell them, with --port: tcp:example.org:12345')
      .option('--no-storage', 'store nothing for others')
      .option('--storage-dir <dir>', 'where shares are kept (default: storage, in the node directory)')
      .option('--helper', 'help clients on slow lines to upload');
    describeHidden(command);
  },

  run(command, context) {
    const { storage, ...options } = command.opts<NodeWords>();
    const more = { noStorage: !storage, ...addressMakers(context) };
    return runCreation(command, context, (path, join) => createNode(path, { ...options, ...more, join }, allocatePort));
  },
};
