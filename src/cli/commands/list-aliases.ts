/** `list-aliases`: prints the short names of directories with their capabilities. */
import { readCapabilityOf } from '#core/capability/attenuate.js';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { compareNames } from '#core/directory/names.js';
import { createNativeCrypto } from '#core/native-crypto.js';
import { directoryNamed, readAliases } from '../aliases.js';
import type { CommandModule } from '../context.js';
import { SUCCESS } from '../exit-status.js';
import { withFileStoreOptions } from '../file-store-command.js';
import { writeLine } from '../output.js';

/** Lists aliases. */
export const command: CommandModule = {
  describe(command) {
    withFileStoreOptions(command)
      .usage('[options]')
      .description('Prints every alias with its capability, a secret.')
      .option('--readonly-uri', 'the capabilities that only read')
      .option('--json', 'as JSON');
  },

  async run(command, context) {
    const { readonlyUri, json } = command.opts<{ readonly readonlyUri?: boolean; readonly json?: boolean }>();
    const crypto = await createNativeCrypto();
    const aliases = [...(await readAliases(context))].sort(([a], [b]) => compareNames(a, b));
    const details = aliases.map(([name, text]) => {
      const capability = directoryNamed(text, `what the alias '${name}' holds`);
      const readOnly = readCapabilityOf(crypto, capability) ?? capability;
      return {
        name,
        readwrite: dangerouslyFormatCapability(capability),
        readonly: dangerouslyFormatCapability(readOnly),
      };
    });
    if (json === true) {
      const object = details.map(({ name, readwrite, readonly }) => [name, { readwrite, readonly }] as const);
      await writeLine(context.stdout, JSON.stringify(Object.fromEntries(object), null, 4));
      return SUCCESS;
    }
    // As wide as the longest name between the quotation marks that the reference counts along.
    const width = Math.max(0, ...details.map(({ name }) => Array.from(name).length + 2));
    for (const { name, readwrite, readonly } of details) {
      const blanks = ' '.repeat(width - Array.from(name).length);
      await writeLine(context.stdout, `${blanks}${name}: ${readonlyUri === true ? readonly : readwrite}`);
    }
    return SUCCESS;
  },
};
