/** `add-alias`: gives a directory a short name. */
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { addAlias, directoryNamed, newAliasName, readAliases } from '../aliases.js';
import { readCapabilityInput } from '../capability-source.js';
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
      .argument(
        '<capability>',
        'that of a directory; - to read it from standard input, where other users cannot see it',
      );
  },

  async run(command, context) {
    const [word = '', given = ''] = command.args;
    const capability = given === '-' ? await readCapabilityInput(context.stdin) : given;
    const name = newAliasName(word, await readAliases(context));
    await addAlias(context, name, dangerouslyFormatCapability(directoryNamed(capability.trim(), 'CAPABILITY')));
    await writeLine(context.stdout, `Alias '${name}' added`);
    return SUCCESS;
  },
};
