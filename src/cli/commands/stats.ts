/** `stats`: counts what can be reached from a directory. The gateway counts, and is asked now and then how far it is. */
import { randomBytes } from 'node:crypto';
import { formatBase32 } from '#core/base32.js';
import type { Clock } from '#core/environment.js';
import { CAP_FILE_OPTION, pathWord } from '../capability-source.js';
import type { CommandModule } from '../context.js';
import { SUCCESS } from '../exit-status.js';
import { withFileStore, withFileStoreOptions } from '../file-store-command.js';
import type { FileStoreTools } from '../file-store-command.js';
import { parseAnswer } from '../line-stream.js';
import { writeLine } from '../output.js';
import { pause } from '../pause.js';
import { addressOf, parseStart } from '../remote-path.js';
import { statisticsLines } from '../tree-statistics.js';

/** The first pause between two questions, and the longest, in milliseconds; each is twice the last. */
const PAUSE_MS = 50;
const PAUSE_MAX_MS = 30_000;
const REDIRECT = 302;
/** Names an operation at the gateway; nobody else can guess it. In bytes. */
const HANDLE_SIZE = 16;

/** Counts. */
export const command: CommandModule = {
  describe(command) {
    withFileStoreOptions(command)
      .usage('[options] [PATH]')
      .description('Counts the files and directories that can be reached from a directory, and adds up their sizes.')
      .argument('[path]', "such as ALIAS:photos (default: the root of the alias 'tahoe')")
      .option(...CAP_FILE_OPTION)
      .option('-r, --raw', "print the gateway's JSON as it is");
  },

  async run(command, context) {
    const { raw, capFile } = command.opts<{ readonly raw?: boolean; readonly capFile?: string }>();
    const word = await pathWord(command.args[0], capFile, context);
    return withFileStore('the count', command, context, async (tools) => {
      const text = await statisticsOf(addressOf(parseStart(word, tools.aliases)), tools, context.clock);
      const lines = raw === true ? [text] : statisticsLines(parseAnswer(text));
      for (const line of lines) await writeLine(context.stdout, line);
      return SUCCESS;
    });
  },
};

/** The gateway's JSON, once it is through. */
async function statisticsOf(address: string, { client, signal }: FileStoreTools, clock: Clock): Promise<string> {
  const handle = formatBase32(randomBytes(HANDLE_SIZE));
  await client.call('POST', `${address}?t=start-deep-stats&ophandle=${handle}`, { signal, accepted: [REDIRECT] });
  const question = `operations/${handle}?t=status&output=JSON&release-after-complete=true`;
  for (let pauseMs = PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
    const { text } = await client.call('GET', question, { signal });
    if (parseAnswer(text)['finished'] === true) return text;
    await pause(clock, pauseMs, signal);
  }
}
