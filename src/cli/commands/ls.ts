/** `ls`: lists a directory, or tells of one file. */
import { isTahoeError } from '#core/errors.js';
import type { CommandModule } from '../context.js';
import { FAILURE, SUCCESS } from '../exit-status.js';
import { withFileStore, withFileStoreOptions } from '../file-store-command.js';
import { listingLines, parseListing } from '../listing.js';
import type { ListingChoice } from '../listing.js';
import { LISTING_SIZE_MAX } from '../grid-node.js';
import { CAP_FILE_OPTION, pathWord } from '../capability-source.js';
import { writeLine } from '../output.js';
import { addressOf, parseRemotePath } from '../remote-path.js';

/** What scripts for the reference know as "not there". */
const MISSING = 2;

/** Lists. */
export const command: CommandModule = {
  describe(command) {
    withFileStoreOptions(command)
      .usage('[options] [PATH]')
      .description(
        'Lists a directory. With -l each line begins with what the entry is and grants (d: a directory, r: it can be ' +
          'read, w: written), its size in bytes (? when only its servers know) and when it was first linked.',
      )
      .argument('[path]', "such as ALIAS:photos (default: the root of the alias 'tahoe')")
      .option(...CAP_FILE_OPTION)
      .option('-l, --long', 'show kinds, sizes and times')
      .option('--uri', 'show the capabilities')
      .option('--readonly-uri', 'show the capabilities that only read')
      .option('-F, --classify', 'append / to directories and * to what can be written')
      .option('--json', "print the gateway's JSON as it is");
  },

  async run(command, context) {
    const choice = command.opts<ListingChoice & { readonly json?: boolean; readonly capFile?: string }>();
    const word = await pathWord(command.args[0], choice.capFile, context);
    return withFileStore('the listing', command, context, async ({ client, aliases, signal }) => {
      const place = parseRemotePath(word.replace(/\/$/, ''), aliases);
      const options = { signal, replySizeMax: LISTING_SIZE_MAX };
      const reply = await client.call('GET', `${addressOf(place)}?t=json`, options).catch((error: unknown) => {
        if (isTahoeError(error, 'ERR_GATEWAY_REPLY') && error.facts.status === 404) return undefined;
        throw error;
      });
      if (reply === undefined) {
        await writeLine(context.stderr, 'No such file or directory');
        return MISSING;
      }
      if (choice.json === true) {
        await writeLine(context.stdout, reply.text);
        return SUCCESS;
      }
      const rows = parseListing(reply.text, place.path.replace(/^.*\//s, ''));
      for (const line of listingLines(rows, choice, context.clock.nowMs())) await writeLine(context.stdout, line);
      if (rows.some(({ type }) => type === 'unknown')) {
        const hint =
          '\nThis listing included unknown objects. Using a webapi server that supports\na later version of Tahoe may help.';
        await writeLine(context.stderr, hint);
      }
      return SUCCESS;
    }).catch((error: unknown) => {
      if (!isTahoeError(error, 'ERR_GATEWAY_REPLY')) throw error;
      context.stderr.write(`${context.programName}: ${error.message}\n`);
      const { status } = error.facts;
      return status < 300 || status % 256 === 0 ? FAILURE : status % 256;
    });
  },
};
