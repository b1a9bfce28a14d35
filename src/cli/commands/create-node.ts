/** `create-node`: makes the directory of a node that stores for others and has a gateway. */
import { TahoeError } from '#core/errors.js';
import { createNode } from '#node/create.js';
import type { CreateNodeOptions } from '#node/create.js';
import { allocatePort } from '#node/endpoint.js';
import type { CommandModule } from '../context.js';
import { describeCreation, runCreation } from '../creation.js';
import type { CreationWords } from '../creation.js';

/** commander reads `--no-storage` as a `storage` that is false. */
interface NodeWords extends CreationWords, Omit<CreateNodeOptions, 'noStorage' | 'join'> {
  readonly storage: boolean;
  readonly torExecutable?: string;
  readonly i2pExecutable?: string;
}

/** Makes a node. */
export const command: CommandModule = {
  describe(command) {
    describeCreation(command);
    command
      .usage('[options] [NODEDIR]')
      .description('Makes the directory of a node that stores for others and has a gateway.')
      .option('--hostname <host>', 'the name or address by which others reach this machine, for --listen=tcp')
      .option('--listen <list>', 'how others may connect, comma-separated: tcp, none (default: tcp)')
      .option('--port <endpoints>', 'where to listen for other nodes, with --location')
      .option('--location <hints>', 'what to tell them, with --port: tcp:example.org:12345')
      .option('--no-storage', 'store nothing for others')
      .option('--storage-dir <dir>', 'where shares are kept (default: storage, in the node directory)')
      .option('--helper', 'help clients on slow lines to upload')
      .option('--tor-launch', 'not available in this version')
      .option('--tor-control-port <endpoint>', 'not available in this version')
      .option('--tor-executable <file>', 'not available in this version')
      .option('--i2p-launch', 'not available in this version')
      .option('--i2p-sam-port <endpoint>', 'not available in this version')
      .option('--i2p-executable <file>', 'not available in this version');
  },

  run(command, context) {
    const { storage, torExecutable, i2pExecutable, ...options } = command.opts<NodeWords>();
    refuse('--tor-executable', torExecutable);
    refuse('--i2p-executable', i2pExecutable);
    return runCreation(command, context, (path, join) =>
      createNode(path, { ...options, join, noStorage: !storage }, allocatePort),
    );
  },
};

function refuse(option: string, value: string | undefined): void {
  if (value === undefined) return;
  throw new TahoeError('ERR_USAGE', { reason: `${option}: Tor and I2P are not available in this version` });
}
