/** `webopen`: shows a file or a directory of the gateway in a browser. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { TahoeError, reasonOf } from '#core/errors.js';
import type { CommandContext, CommandModule } from '../context.js';
import { SUCCESS } from '../exit-status.js';
import { withFileStore, withFileStoreOptions } from '../file-store-command.js';
import { addressOf, parseStart } from '../remote-path.js';

/** Opens. */
export const command: CommandModule = {
  describe(command) {
    withFileStoreOptions(command)
      .usage('[options] [PATH]')
      .description(
        "Opens a browser at a file or a directory, or at the gateway's first page. BROWSER names the program.",
      )
      .argument('[path]', 'such as ALIAS:photos')
      .option('-i, --info', 'open the page that tells about it');
  },

  async run(command, context) {
    const { info } = command.opts<{ readonly info?: boolean }>();
    const [word = ''] = command.args;
    return withFileStore('opening the browser', command, context, async ({ client, aliases }) => {
      const path = word === '' ? '' : addressOf(parseStart(word, aliases));
      await openBrowser(`${client.address}${path}${info === true ? '?t=info' : ''}`, context);
      return SUCCESS;
    });
  },
};

/** Waits only until the program runs: a browser stays open. */
async function openBrowser(address: string, { environment }: CommandContext): Promise<void> {
  const usual = { darwin: 'open', win32: 'explorer' }[process.platform as string] ?? 'xdg-open';
  const named = environment['BROWSER'] ?? '';
  const program = named === '' ? usual : named;
  const child = spawn(program, [address], { stdio: 'ignore', detached: true });
  await once(child, 'spawn').catch((error: unknown) => {
    const reason = `cannot start ${program}: ${reasonOf(error)}; set BROWSER to the program that opens addresses`;
    throw new TahoeError('ERR_USAGE', { reason }, { cause: error });
  });
  child.unref();
}
