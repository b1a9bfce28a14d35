/** `create-alias`: makes a directory and a short name for it. */
import { addAlias, newAliasName } from '../aliases.js';
import type { CommandModule } from '../context.js';
import { SUCCESS } from '../exit-status.js';
import { withFileStore, withFileStoreOptions } from '../file-store-command.js';
import { writeLine } from '../output.js';

/** Makes aliases with their directories. */
export const command: CommandModule = {
  describe(command) {
    withFileStoreOptions(command)
      .usage('[options] ALIAS[:]')
      .description('Makes a directory that ALIAS: names from now on. Its capability is kept in private/aliases.')
      .argument('<alias>', 'a new name');
  },

  async run(command, context) {
    return withFileStore('making the directory', command, context, async ({ client, aliases, signal }) => {
      const name = newAliasName(command.args[0] ?? '', aliases);
      const { text } = await client.call('POST', 'uri?t=mkdir', { signal });
      await addAlias(context, name, text.trim());
      await writeLine(context.stdout, `Alias '${name}' created`);
      return SUCCESS;
    });
  },
};
