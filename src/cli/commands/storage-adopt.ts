/**
 * `storage adopt`: makes what is mounted at a node's storage directory that node's store, after a node has refused to
 * start on it. The node must not run, and no other may run on that store.
 */
import { silentLog } from '#core/environment.js';
import { quotePath } from '#node/quoted-path.js';
import { adoptStore } from '#node/volume/adopt.js';
import type { Adoption } from '#node/volume/adopt.js';
import type { CommandModule } from '../context.js';
import { chooseDirectory } from '../directory-choice.js';
import { SUCCESS } from '../exit-status.js';
import { writeLine } from '../output.js';

interface AdoptWords {
  readonly basedir?: string;
  readonly json?: boolean;
}

/** Adopts a store. */
export const command: CommandModule = {
  describe(command) {
    command
      .usage('[options] [NODEDIR]')
      .description(
        'Makes what is mounted at the storage directory of a node the store of that node from now on, be it empty or ' +
          'the store of another. A node that has had a store starts on no other without it.',
      )
      .argument('[nodedir]', 'the node directory (default: ~/.tahoe)')
      .option('-C, --basedir <dir>', 'the node directory')
      .option('--json', 'print what was found as JSON');
  },

  async run(command, context) {
    const { basedir, json } = command.opts<AdoptWords>();
    const directory = chooseDirectory({ argument: command.args[0], basedir }, context);
    const { environment, clock, stdout } = context;
    const adoption = await adoptStore({ directory, environment, clock, log: silentLog });
    if (json === true) await writeLine(stdout, JSON.stringify(adoption));
    else if (!context.isQuiet) for (const line of linesOf(adoption)) await writeLine(stdout, line);
    return SUCCESS;
  },
};

function linesOf({ storageDirectory, node, formerNode, indexCount }: Adoption): readonly string[] {
  const owner = formerNode === undefined ? 'no node' : formerNode === node ? 'this node' : `node ${formerNode}`;
  const shares = indexCount === 1 ? 'shares of 1 file' : `shares of ${String(indexCount)} files`;
  return [
    `${quotePath(storageDirectory)} belonged to ${owner} and holds ${indexCount === 0 ? 'no shares' : shares}.`,
    `It is the store of node ${node} from now on.`,
  ];
}
