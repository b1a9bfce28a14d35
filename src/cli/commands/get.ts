/**
 * `get`: reads a file by its capability, to a local file or to standard output. A local file appears only when all
 * of it has arrived and its length is right; what was there before stays until then.
 *
 * Other users of the machine can see a command's words, so the capability may also come from a file or from
 * standard input.
 */
import type { Command } from 'commander';
import { requireCapability } from '#core/capability/parse.js';
import { TahoeError } from '#core/errors.js';
import { checkedCapability, readCapabilityFile, readCapabilityInput } from '../capability-source.js';
import type { CommandContext, CommandModule } from '../context.js';
import { resolveLocal } from '../directory-choice.js';
import { SUCCESS } from '../exit-status.js';
import { openContinuedTarget } from '../continued-file.js';
import { openFileTarget } from '../file-target.js';
import { withFileStore, withFileStoreOptions } from '../file-store-command.js';
import type { GatewayClient, GatewayFile } from '../gateway-client.js';
import { readNode } from '../grid-node.js';
import { write, writeLine } from '../output.js';
import { Progress } from '../progress.js';
import { addressOf, hiddenCapability, parseRemotePath } from '../remote-path.js';
import type { RemotePath } from '../remote-path.js';

interface GetWords {
  readonly capFile?: string;
  readonly continue?: boolean;
}

/** Reads a file. */
export const command: CommandModule = {
  describe(command) {
    withFileStoreOptions(command)
      .usage('[options] PATH [LOCAL_FILE]')
      .description(
        'Reads a file from the grid. Without LOCAL_FILE, or with -, it goes to standard output. Other users of this ' +
          'machine can see a capability in the list of processes: to hide it, use an alias, --cap-file, or - and ' +
          'standard input.',
      )
      .argument('[path]', 'what put has printed, or such as ALIAS:photos/new.jpg; - to read it from standard input')
      .argument('[local]', 'where to write the file')
      .option('--cap-file <file>', 'a file that holds the capability; then LOCAL_FILE is the only argument')
      .option('-c, --continue', 'go on where an earlier get --continue of the same file was interrupted');
  },

  async run(command, context) {
    const [word, local = '-'] = await readArguments(command, context);
    return withFileStore('the download', command, context, async ({ client, aliases, signal }) => {
      const place = parseRemotePath(word, aliases);
      const open = (): Promise<GatewayFile> => client.get(addressOf(place), { sizeBytes: sizeNamedBy(place), signal });
      if (command.opts<GetWords>().continue === true) await continueFile({ place, local, client, signal, context });
      else if (local === '-') await toStandardOutput(open, context);
      else await toFile(open, local, context);
      // The capability itself is not repeated: standard error is often kept in a log.
      if (local !== '-' && !context.isQuiet) {
        await writeLine(
          context.stderr,
          `${hiddenCapability(word)} retrieved and written to ${resolveLocal(local, context)}`,
        );
      }
      return SUCCESS;
    });
  },
};

/** @throws ERR_USAGE, ERR_CAPABILITY, ERR_FILE. */
async function readArguments(
  command: Command,
  context: CommandContext,
): Promise<readonly [path: string, local?: string]> {
  const [first, local] = command.args;
  const { capFile } = command.opts<GetWords>();
  if (capFile !== undefined && local !== undefined) {
    throw new TahoeError('ERR_USAGE', { reason: 'with --cap-file, LOCAL_FILE is the only argument' });
  }
  if (capFile !== undefined) {
    const capability = checkedCapability(await readCapabilityFile(resolveLocal(capFile, context)));
    return first === undefined ? [capability] : [capability, first];
  }
  if (first === undefined) {
    throw new TahoeError('ERR_USAGE', { reason: 'name a capability, or a file that holds one with --cap-file' });
  }
  const path = first === '-' ? checkedCapability(await readCapabilityInput(context.stdin)) : first.trim();
  return local === undefined ? [path] : [path, local];
}

/** The size of the file, where the capability holds it. */
function sizeNamedBy({ root, path }: RemotePath): number | undefined {
  const capability = path === '' ? requireCapability(root) : undefined;
  if (capability?.kind === 'lit') return capability.data.length;
  return capability?.kind === 'chk' ? capability.size : undefined;
}

/** @throws ERR_USAGE when there is no file to go on with. */
async function continueFile(task: {
  readonly place: RemotePath;
  readonly local: string;
  readonly client: GatewayClient;
  readonly signal: AbortSignal;
  readonly context: CommandContext;
}): Promise<void> {
  const { place, local, client, signal, context } = task;
  if (local === '-') throw new TahoeError('ERR_USAGE', { reason: '--continue needs a LOCAL_FILE' });
  const path = resolveLocal(local, context);
  const node = await readNode(client, place, signal);
  const { read, size } = node;
  if (node.type !== 'filenode' || node.isMutable || read === undefined || size === undefined) {
    throw new TahoeError('ERR_USAGE', { reason: 'only an immutable file can be continued: another may have changed' });
  }
  const target = await openContinuedTarget(path, read, size);
  try {
    const rest = { root: read, path: '' };
    if (target.offset < size || size === 0) {
      const open = await client.get(addressOf(rest), { sizeBytes: size, from: target.offset, signal });
      await transfer(open, context, (piece) => target.write(piece));
    }
    await target.finish();
  } finally {
    await target.close();
  }
}

async function toStandardOutput(open: () => Promise<GatewayFile>, context: CommandContext): Promise<void> {
  await transfer(await open(), context, (piece) => write(context.stdout, piece));
}

async function toFile(open: () => Promise<GatewayFile>, local: string, context: CommandContext): Promise<void> {
  // First the target: a path that cannot be written is better known before anything is fetched.
  const target = await openFileTarget(resolveLocal(local, context));
  try {
    await transfer(await open(), context, (piece) => target.write(piece));
    await target.finish();
  } finally {
    await target.discard();
  }
}

async function transfer(
  { sizeBytes, bytes }: GatewayFile,
  context: CommandContext,
  take: (piece: Uint8Array) => Promise<void>,
): Promise<void> {
  const progress = new Progress(context, { label: 'get', totalBytes: sizeBytes, ending: 'writing' });
  try {
    for await (const piece of progress.count(bytes)) await take(piece);
  } finally {
    progress.end();
  }
}
