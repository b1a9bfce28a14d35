/**
 * `put`: stores a file, or standard input, where a path names it if one does, and prints its capability. Standard output holds the capability and
 * nothing else; the gateway's `200 OK` and the progress are on standard error.
 */
import { STATUS_CODES } from 'node:http';
import { TahoeError } from '#core/errors.js';
import { parsePrivateKeyText } from '#core/rsa/key-text.js';
import { quotePath } from '#node/quoted-path.js';
import type { Aliases } from '../aliases.js';
import type { CommandContext, CommandModule } from '../context.js';
import { resolveLocal } from '../directory-choice.js';
import { SUCCESS } from '../exit-status.js';
import { withFileStore, withFileStoreOptions } from '../file-store-command.js';
import type { GatewayClient, StoredFile } from '../gateway-client.js';
import { localFileError, openLocalFile } from '../local-file.js';
import type { LocalFile } from '../local-file.js';
import { writeLine } from '../output.js';
import { Progress } from '../progress.js';
import { addressOf, hiddenCapability, parseRemotePath } from '../remote-path.js';
import type { RemotePath } from '../remote-path.js';

/** A key is read from at most so many bytes: PEM takes 1.7 kB. */
const KEY_SIZE_MAX = 16_384;

interface PutWords {
  readonly mutable?: boolean;
  readonly format?: string;
  readonly privateKeyPath?: string;
}

/** Stores a file. */
export const command: CommandModule = {
  describe(command) {
    withFileStoreOptions(command)
      .usage('[options] [LOCAL_FILE] [PATH]')
      .description(
        'Stores a file in the grid and prints its capability: the one thing that finds it, reads it and proves it ' +
          'whole. Without LOCAL_FILE, or with -, standard input is stored. With PATH the file gets that name; a mutable ' +
          'file that is there is written over.',
      )
      .argument('[local]', 'the file to store')
      .argument('[path]', 'such as ALIAS:photos/new.jpg, or the capability of a mutable file')
      .option('--format <format>', 'CHK, an immutable file (the usual one); SDMF or MDMF, a mutable one')
      .option('-m, --mutable', 'the same as --format=SDMF')
      .option(
        '--private-key-path <file>',
        'for a new mutable file, an RSA key of 2048 bits as PEM; never give two files one key',
      );
  },

  async run(command, context) {
    const [local = '-', remote] = command.args;
    const query = await queryOf(command.opts<PutWords>(), context);
    return withFileStore('the upload', command, context, async ({ client, aliases, signal }) => {
      const address = `${remote === undefined ? 'uri' : addressOf(targetOf(remote, aliases))}${query}`;
      const source = local === '-' ? await standardInput(context) : await openLocalFile(resolveLocal(local, context));
      try {
        const { status, capability } = await upload(client, source, { address, context, signal });
        if (!context.isQuiet) await writeLine(context.stderr, `${String(status)} ${STATUS_CODES[status] ?? ''}`);
        await writeLine(context.stdout, capability);
        return SUCCESS;
      } finally {
        await source.close();
      }
    });
  },
};

function targetOf(remote: string, aliases: Aliases): RemotePath {
  const target = parseRemotePath(remote, aliases);
  if (!target.path.startsWith('/')) return target;
  const reason =
    'Error: The remote filename must not start with a slash\n' +
    `Please try again, perhaps with ${quotePath(hiddenCapability(remote.replace('/', '')))}`;
  throw usage(reason);
}

/** What the options ask of the gateway. @throws ERR_USAGE, ERR_FILE, ERR_RSA_KEY. */
async function queryOf({ mutable, format, privateKeyPath }: PutWords, context: CommandContext): Promise<string> {
  const kind = format?.toUpperCase();
  if (kind !== undefined && !['CHK', 'SDMF', 'MDMF'].includes(kind))
    throw usage(`${format ?? ''} is an invalid format`);
  const query = new URLSearchParams();
  if (mutable === true) query.set('mutable', 'true');
  if (privateKeyPath !== undefined) {
    if (kind === 'CHK' || (kind === undefined && mutable !== true)) {
      throw usage('--private-key-path is for mutable files; add --mutable or --format');
    }
    query.set('private-key', await readKey(resolveLocal(privateKeyPath, context)));
  }
  if (kind !== undefined) query.set('format', kind);
  return query.size === 0 ? '' : `?${query.toString()}`;
}

/** A key as the web API takes it. */
async function readKey(path: string): Promise<string> {
  const source = await openLocalFile(path);
  try {
    const pieces: Uint8Array[] = [];
    let size = 0;
    for await (const piece of source.read()) {
      size += piece.length;
      if (size > KEY_SIZE_MAX) throw new TahoeError('ERR_FILE', { file: path, reason: 'it is too long for a key' });
      pieces.push(piece);
    }
    const key = Buffer.from(parsePrivateKeyText(Buffer.concat(pieces)));
    return key.toString('base64').replaceAll('+', '-').replaceAll('/', '_');
  } finally {
    await source.close();
  }
}

function usage(reason: string): TahoeError {
  return new TahoeError('ERR_USAGE', { reason });
}

async function upload(
  client: GatewayClient,
  source: LocalFile,
  { address, context, signal }: { address: string; context: CommandContext; signal: AbortSignal },
): Promise<StoredFile> {
  const { sizeBytes } = source;
  const progress = new Progress(context, { label: 'put', totalBytes: sizeBytes, ending: 'storing' });
  try {
    return await client.put(progress.count(source.read()), { sizeBytes, address, signal });
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
