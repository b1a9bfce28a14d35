/**
 * `put`: stores a file, or standard input, and prints its capability. Standard output holds the capability and
 * nothing else; the gateway's `200 OK` and the progress are on standard error.
 */
import { STATUS_CODES } from 'node:http';
import { TahoeError } from '#core/errors.js';
import type { CommandContext, CommandModule } from '../context.js';
import { resolveLocal } from '../directory-choice.js';
import { SUCCESS } from '../exit-status.js';
import { gatewayAddress } from '../gateway-address.js';
import { GatewayClient } from '../gateway-client.js';
import type { StoredFile } from '../gateway-client.js';
import { interruptible } from '../interrupt.js';
import { localFileError, openLocalFile } from '../local-file.js';
import type { LocalFile } from '../local-file.js';
import { writeLine } from '../output.js';
import { Progress } from '../progress.js';

interface PutWords {
  readonly nodeUrl?: string;
  readonly mutable?: boolean;
  readonly format?: string;
  readonly privateKeyPath?: string;
}

/** Stores a file. */
export const command: CommandModule = {
  describe(command) {
    command
      .usage('[options] [LOCAL_FILE]')
      .description(
        'Stores a file in the grid and prints its capability: the one thing that finds it, reads it and proves it ' +
          'whole. Without LOCAL_FILE, or with -, standard input is stored.',
      )
      .argument('[local]', 'the file to store')
      .argument('[remote]', 'a name in a directory of the grid (not available in this version)')
      .option(
        '-u, --node-url <url>',
        'the gateway, such as http://127.0.0.1:3456 (default: node.url of the node directory)',
      )
      .option('--format <format>', 'CHK, an immutable file (SDMF and MDMF are not available in this version)')
      .option('-m, --mutable', 'not available in this version')
      .option('--private-key-path <file>', 'not available in this version');
  },

  async run(command, context) {
    const [local = '-', remote] = command.args;
    const words = command.opts<PutWords>();
    refuseUnavailable(words, remote);
    const address = await gatewayAddress(words.nodeUrl, context);
    const source = local === '-' ? await standardInput(context) : await openLocalFile(resolveLocal(local, context));
    const client = new GatewayClient(address, context);
    try {
      return await interruptible('the upload', async (signal) => {
        const { status, capability } = await upload(client, source, context, signal);
        if (!context.isQuiet) await writeLine(context.stderr, `${String(status)} ${STATUS_CODES[status] ?? ''}`);
        await writeLine(context.stdout, capability);
        return SUCCESS;
      });
    } finally {
      await client.close();
      await source.close();
    }
  },
};

function refuseUnavailable({ mutable, format, privateKeyPath }: PutWords, remote: string | undefined): void {
  const usage = (reason: string): TahoeError => new TahoeError('ERR_USAGE', { reason });
  const known = format?.toUpperCase();
  if (known !== undefined && !['CHK', 'SDMF', 'MDMF'].includes(known))
    throw usage(`${format ?? ''} is an invalid format`);
  if (mutable === true || (known !== undefined && known !== 'CHK') || privateKeyPath !== undefined) {
    throw usage(
      'mutable files are not available in this version; leave out --mutable, --format and --private-key-path',
    );
  }
  if (remote !== undefined) {
    throw usage('directories are not available in this version; name one local file only, and keep its capability');
  }
}

async function upload(
  client: GatewayClient,
  source: LocalFile,
  context: CommandContext,
  signal: AbortSignal,
): Promise<StoredFile> {
  const { sizeBytes } = source;
  const progress = new Progress(context, { label: 'put', totalBytes: sizeBytes, ending: 'storing' });
  try {
    return await client.put(progress.count(source.read()), { sizeBytes, signal });
  } finally {
    progress.end();
  }
}

async function standardInput({ stdin, stderr, isQuiet }: CommandContext): Promise<LocalFile> {
  if (!isQuiet) await writeLine(stderr, 'waiting for file data on stdin..');
  return { sizeBytes: undefined, read: () => readStream(stdin), close: () => Promise.resolve() };
}

async function* readStream(stdin: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  try {
    yield* stdin;
  } catch (error) {
    throw localFileError('standard input', error);
  }
}
