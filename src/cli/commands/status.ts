/** `status`: what the gateway is doing and has done lately. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isTahoeError } from '#core/errors.js';
import type { CommandModule } from '../context.js';
import { chooseDirectory } from '../directory-choice.js';
import { SUCCESS } from '../exit-status.js';
import { openGateway, TOKEN_FILE } from '../gateway-address.js';
import { interruptible } from '../interrupt.js';
import { parseAnswer } from '../line-stream.js';
import { localFileError } from '../local-file.js';
import { activeLines, recentLines, throughputLines } from '../operations-table.js';
import { writeLine } from '../output.js';

/** What scripts for the reference know as "it did not answer". */
const UNANSWERED = 2;

/** Tells. */
export const command: CommandModule = {
  describe(command) {
    command
      .usage('[options]')
      .description('Prints what the gateway of the node directory is doing, and what it has done lately.')
      .option('-v, --verbose', 'show the reads and writes of mutable files, too');
  },

  async run(command, context) {
    const { verbose = false } = command.opts<{ readonly verbose?: boolean }>();
    const file = join(chooseDirectory({}, context), TOKEN_FILE);
    const token = await readFile(file, 'utf8').catch((error: unknown) => {
      throw localFileError(file, error);
    });
    const client = await openGateway(undefined, context);
    const ask = async (page: string, signal: AbortSignal) => {
      const body = `t=json&token=${encodeURIComponent(token.trim())}`;
      const contentType = 'application/x-www-form-urlencoded';
      return parseAnswer((await client.call('POST', `${page}?t=json`, { signal, body, contentType })).text);
    };
    try {
      return await interruptible('the question', async (signal) => {
        const status = await ask('status', signal);
        const lines = [...throughputLines(await ask('statistics', signal)), ...activeLines(status)];
        for (const line of [...lines, ...recentLines(status, verbose)]) await writeLine(context.stdout, line);
        return SUCCESS;
      });
    } catch (error) {
      if (!isTahoeError(error)) throw error;
      await writeLine(context.stderr, `failed to retrieve data: ${error.message}`);
      return UNANSWERED;
    } finally {
      await client.close();
    }
  },
};
