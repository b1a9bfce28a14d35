/** `debug find-shares`: prints the paths of all shares of a storage index in some node directories. */
import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBase32, parseBase32 } from '#core/base32.js';
import { TahoeError, reasonOf } from '#core/errors.js';
import { systemCode } from '#node/durable-file.js';
import type { CommandModule } from '../context.js';
import { formatListedPath } from '../debug/printed.js';
import { resolveLocal } from '../directory-choice.js';
import { SUCCESS } from '../exit-status.js';
import { localFileError } from '../local-file.js';
import { writeLine } from '../output.js';

/** Finds shares. */
export const command: CommandModule = {
  describe(command) {
    command
      .usage('[options] STORAGE_INDEX NODEDIRS...')
      .description('Prints the path of every share of a storage index that the given node directories hold.')
      .argument('<storage-index>', '26 characters, as dump-cap prints them')
      .argument('[nodedirs...]', 'node directories');
  },

  async run(command, context) {
    const [text = '', ...directories] = command.args;
    const name = formatBase32(parseStorageIndex(text));
    for (const directory of directories) {
      const path = join(resolveLocal(directory, context), 'storage/shares', name.slice(0, 2), name);
      for await (const entry of namesIn(path)) await writeLine(context.stdout, formatListedPath(join(path, entry)));
    }
    return SUCCESS;
  },
};

function parseStorageIndex(text: string): Uint8Array {
  try {
    return parseBase32(text);
  } catch (error) {
    throw new TahoeError('ERR_USAGE', { reason: `STORAGE_INDEX: ${reasonOf(error)}` }, { cause: error });
  }
}

/** The names in a directory in its own order, which is the reference's; none where there is no directory. */
async function* namesIn(path: string): AsyncGenerator<string, void> {
  try {
    for await (const entry of await opendir(path)) yield entry.name;
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw localFileError(path, error);
  }
}
