/** `create-client`: makes the directory of a node that stores nothing for others and does not listen for them. */
import { createClient } from '#node/create.js';
import type { CommandModule } from '../context.js';
import { describeCreation, runCreation } from '../creation.js';
import type { CreationWords } from '../creation.js';

/** Makes a client. */
export const command: CommandModule = {
  describe(command) {
    describeCreation(command);
    command.usage('[options] [NODEDIR]').description('Makes the directory of a node that only has a gateway.');
  },

  run(command, context) {
    return runCreation(command, context, (path, join) =>
      createClient(path, { ...command.opts<CreationWords>(), join }),
    );
  },
};
