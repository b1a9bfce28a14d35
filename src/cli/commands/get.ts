/**
 * `get`: reads a file by its capability, to a local file or to standard output. A local file appears only when all
 * of it has arrived and its length is right; what was there before stays until then.
 *
 * Other users of the machine can see a command's words, so the capability may also come from a file or from
 * standard input.
 */
import { requireCapability } from '#core/capability/parse.js';
import { TahoeError } from '#core/errors.js';
import { checkedCapability, readCapabilityFile, readCapabilityInput } from '../capability-source.js';
import type { CommandContext, CommandModule } from '../context.js';
import { resolveLocal } from '../directory-choice.js';
import { SUCCESS } from '../exit-status.js';
import { openFileTarget } from '../file-target.js';
import { gatewayAddress } from '../gateway-address.js';
import { GatewayClient } from '../gateway-client.js';
import type { GatewayFile } from '../gateway-client.js';
import { interruptible } from '../interrupt.js';
import { write, writeLine } from '../output.js';
import { Progress } from '../progress.js';

interface GetWords {
  readonly nodeUrl?: string;
  readonly capFile?: string;
}

/** Reads a file. */
export const command: CommandModule = {
  describe(command) {
    command
      .usage('[options] CAPABILITY [LOCAL_FILE]')
      .description(
        'Reads a file from the grid. Without LOCAL_FILE, or with -, it goes to standard output. Other users of this ' +
          'machine can see CAPABILITY in the list of processes: to hide it, use --cap-file, or - and standard input.',
      )
      .argument('[capability]', 'what put has printed; - to read it from standard input')
      .argument('[local]', 'where to write the file')
      .option(
        '-u, --node-url <url>',
        'the gateway, such as http://127.0.0.1:3456 (default: node.url of the node directory)',
      )
      .option('--cap-file <file>', 'a file that holds the capability; then LOCAL_FILE is the only argument');
  },

  async run(command, context) {
    const { nodeUrl, capFile } = command.opts<GetWords>();
    const [capability, local = '-'] = await readArguments(command.args, capFile, context);
    const address = await gatewayAddress(nodeUrl, context);
    const client = new GatewayClient(address, context);
    try {
      return await interruptible('the download', async (signal) => {
        const open = (): Promise<GatewayFile> => client.get(capability, { sizeBytes: sizeNamedBy(capability), signal });
        if (local === '-') await toStandardOutput(open, context);
        else await toFile(open, local, context);
        // The capability itself is not repeated: standard error is often kept in a log.
        if (local !== '-' && !context.isQuiet) {
          await writeLine(context.stderr, `${hidden(capability)} retrieved and written to ${local}`);
        }
        return SUCCESS;
      });
    } finally {
      await client.close();
    }
  },
};

/** @throws ERR_USAGE, ERR_CAPABILITY, ERR_FILE. */
async function readArguments(
  words: readonly string[],
  capFile: string | undefined,
  context: CommandContext,
): Promise<readonly [capability: string, local?: string]> {
  const [first, local] = words;
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
  const capability = checkedCapability(first === '-' ? await readCapabilityInput(context.stdin) : first);
  return local === undefined ? [capability] : [capability, local];
}

/** The size of the file, where the capability holds it. */
function sizeNamedBy(text: string): number | undefined {
  const capability = requireCapability(text);
  if (capability.kind === 'lit') return capability.data.length;
  return capability.kind === 'chk' ? capability.size : undefined;
}

function hidden(capability: string): string {
  return capability.replace(/^((?:ro\.|imm\.)?URI:[A-Za-z0-9-]+:).*$/s, '$1[hidden]');
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
