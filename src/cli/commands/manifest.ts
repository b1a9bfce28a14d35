/** `manifest`: lists everything that can be reached from a directory. */
import { quoteIfNeeded } from '#node/quoted-path.js';
import type { CommandModule } from '../context.js';
import { FAILURE, SUCCESS } from '../exit-status.js';
import { withFileStore, withFileStoreOptions } from '../file-store-command.js';
import { eachObject, textIn } from '../line-stream.js';
import type { Fields } from '../line-stream.js';
import { write, writeLine } from '../output.js';
import { CAP_FILE_OPTION, pathWord } from '../capability-source.js';
import { addressOf, parseStart } from '../remote-path.js';

interface ManifestWords {
  readonly storageIndex?: boolean;
  readonly verifyCap?: boolean;
  readonly repairCap?: boolean;
  readonly raw?: boolean;
  readonly capFile?: string;
}

/** Lists. */
export const command: CommandModule = {
  describe(command) {
    withFileStoreOptions(command)
      .usage('[options] [PATH]')
      .description('Prints a line for everything that can be reached from a directory: its capability and its path.')
      .argument('[path]', "such as ALIAS:photos (default: the root of the alias 'tahoe')")
      .option(...CAP_FILE_OPTION)
      .option('-s, --storage-index', 'print only storage indexes')
      .option('--verify-cap', 'print only the capabilities to verify')
      .option('--repair-cap', 'print only the capabilities to repair')
      .option('-r, --raw', "print the gateway's JSON as it is, a line for each thing");
  },

  async run(command, context) {
    const words = command.opts<ManifestWords>();
    const word = await pathWord(command.args[0], words.capFile, context);
    return withFileStore('the listing', command, context, async ({ client, aliases, signal }) => {
      const place = parseStart(word, aliases);
      const pieces = await client.stream(`${addressOf(place)}?t=stream-manifest`, { signal });
      if (words.raw === true) {
        for await (const piece of pieces) await write(context.stdout, piece);
        return SUCCESS;
      }
      const print = async (fields: Fields): Promise<void> => {
        const line = lineOf(fields, words);
        if (line !== '') await writeLine(context.stdout, line);
      };
      const isWhole = await eachObject(pieces, print, (line) => writeLine(context.stderr, line));
      return isWhole ? SUCCESS : FAILURE;
    });
  },
};

/** Empty for what has nothing to print. */
function lineOf(fields: Fields, words: ManifestWords): string {
  if (!['file', 'directory'].includes(textIn(fields, 'type'))) return '';
  if (words.storageIndex === true) return textIn(fields, 'storage-index');
  if (words.verifyCap === true) return textIn(fields, 'verifycap');
  if (words.repairCap === true) return textIn(fields, 'repaircap');
  return `${textIn(fields, 'cap')} ${quoteIfNeeded(pathIn(fields))}`;
}

function pathIn({ path }: Fields): string {
  return Array.isArray(path) ? path.filter((name) => typeof name === 'string').join('/') : '';
}
