/** `unlink`, also `rm`: takes a name out of its directory. What it named stays where other directories name it. */
import { STATUS_CODES } from 'node:http';
import { TahoeError } from '#core/errors.js';
import type { CommandModule } from '../context.js';
import { SUCCESS } from '../exit-status.js';
import { withFileStore, withFileStoreOptions } from '../file-store-command.js';
import { writeLine } from '../output.js';
import { addressOf, parseRemotePath } from '../remote-path.js';

/** Removes entries. */
export const command: CommandModule = {
  describe(command) {
    withFileStoreOptions(command)
      .usage('[options] PATH')
      .description('Removes a file or a directory from the directory that names it.')
      .argument('<path>', 'such as ALIAS:photos/old.jpg');
  },

  async run(command, context) {
    return withFileStore('the removal', command, context, async ({ client, aliases, signal }) => {
      const place = parseRemotePath(command.args[0] ?? '', aliases);
      if (place.path === '') {
        const reason = `'${command.name()}' can only unlink directory entries, so a path must be given.`;
        throw new TahoeError('ERR_USAGE', { reason });
      }
      const { status } = await client.call('DELETE', addressOf(place), { signal });
      await writeLine(context.stdout, `${String(status)} ${STATUS_CODES[status] ?? ''}`);
      return SUCCESS;
    });
  },
};
