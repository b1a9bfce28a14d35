/** `add-alias`: gives a directory a short name. */
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { addAlias, directoryNamed, newAliasName, readAliases } from '../aliases.js';
import type { CommandModule } from '../context.js';
import { SUCCESS } from '../exit-status.js';
import { withFileStoreOptions } from '../file-store-command.js';
import { writeLine } from '../output.js';

/** Adds aliases. */
export const command: CommandModule = {
  describe(command) {
    withFileStoreOptions(command)
      .usage('[options] ALIAS[:] CAPABILITY')
      .description('Makes ALIAS: a name for a directory. The capability is kept in private/aliases.')
      .argument('<alias>', 'a new name')
      .argument('<capability>', 'that of a directory');
  },

  async run(command, context) {
    const [word = '', capability = ''] = command.args;
    const name = newAliasName(word, await readAliases(context));
    await addAlias(context, name, dangerouslyFormatCapability(directoryNamed(capability.trim(), 'CAPABILITY')));
    await writeLine(context.stdout, `Alias '${name}' added`);
    return SUCCESS;
  },
};
