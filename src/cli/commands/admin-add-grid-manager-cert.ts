/**
 * `admin add-grid-manager-cert`: gives a storage node a certificate of a grid manager, to be announced from its next
 * start on. The node directory is the one of -d.
 */
import { readFile } from 'node:fs/promises';
import { TahoeError } from '#core/errors.js';
import { addCertificate } from '#node/add-certificate.js';
import type { CommandContext, CommandModule } from '../context.js';
import { chooseDirectory, resolveLocal } from '../directory-choice.js';
import { SUCCESS } from '../exit-status.js';
import { localFileError } from '../local-file.js';
import { writeLine } from '../output.js';

interface Words {
  readonly filename: string;
  readonly name: string;
}

/** No certificate is longer, in characters. */
const CERTIFICATE_FILE_MAX = 1 << 20;

/** Adds a certificate. */
export const command: CommandModule = {
  describe(command) {
    command
      .description(
        'Copies the certificate into the node directory and names it in its tahoe.cfg. Start the node again for it to ' +
          'be announced.',
      )
      .requiredOption('-f, --filename <file>', "the file that the grid manager gave you ('-' for standard input)")
      .requiredOption('-n, --name <name>', 'what to call the certificate');
  },

  async run(command, context) {
    const { filename, name } = command.opts<Words>();
    const text = filename === '-' ? await readInput(context) : await readCertificate(filename, context);
    const count = await addCertificate(chooseDirectory({}, context), name, text);
    await writeLine(context.stderr, `There are now ${String(count)} certificates`);
    return SUCCESS;
  },
};

async function readCertificate(filename: string, context: CommandContext): Promise<string> {
  try {
    return await readFile(resolveLocal(filename, context), 'utf8');
  } catch (error) {
    throw localFileError(filename, error);
  }
}

async function readInput({ stdin }: CommandContext): Promise<string> {
  let text = '';
  for await (const piece of stdin as AsyncIterable<Buffer>) {
    text += String(piece);
    if (text.length <= CERTIFICATE_FILE_MAX) continue;
    throw new TahoeError('ERR_TOO_LARGE', { what: 'certificate', limitBytes: CERTIFICATE_FILE_MAX });
  }
  return text;
}
