/** `mkdir`: makes a directory, with all that leads to it where a path is named, and prints its capability. */
import { TahoeError } from '#core/errors.js';
import type { CommandModule } from '../context.js';
import { SUCCESS } from '../exit-status.js';
import { withFileStore, withFileStoreOptions } from '../file-store-command.js';
import { writeLine } from '../output.js';
import { addressOf, parseRemotePath } from '../remote-path.js';

/** Makes directories. */
export const command: CommandModule = {
  describe(command) {
    withFileStoreOptions(command)
      .usage('[options] [PATH]')
      .description('Makes a directory and prints its capability. Without PATH no other directory names it.')
      .argument('[path]', 'such as ALIAS:photos/2024, or a capability of a directory and a path below it')
      .option('--format <format>', 'SDMF (the usual one) or MDMF');
  },

  async run(command, context) {
    const { format } = command.opts<{ readonly format?: string }>();
    if (format !== undefined && !/^[sm]dmf$/i.test(format)) {
      throw new TahoeError('ERR_USAGE', { reason: `${format} is an invalid format` });
    }
    return withFileStore('making the directory', command, context, async ({ client, aliases, signal }) => {
      const [word = ''] = command.args;
      const place = word === '' ? undefined : parseRemotePath(word.replace(/\/$/, ''), aliases);
      const address = place === undefined || place.path === '' ? 'uri' : addressOf(place);
      const query = `?t=mkdir${format === undefined ? '' : `&format=${format}`}`;
      const { text } = await client.call('POST', `${address}${query}`, { signal });
      await writeLine(context.stdout, text.trim());
      return SUCCESS;
    });
  },
};
