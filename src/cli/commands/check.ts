/**
 * `check`: says whether a file is all there; with --verify every byte of it is read, with --repair what is missing is
 * made again. It ends well when the file could be checked, whatever came of it: the first line says that.
 */
import { requireCapability } from '#core/capability/parse.js';
import { TahoeError } from '#core/errors.js';
import { checkedLines } from '../checked-file.js';
import { checkedCapability, readCapabilityFile, readCapabilityInput } from '../capability-source.js';
import type { CommandContext, CommandModule } from '../context.js';
import { resolveLocal } from '../directory-choice.js';
import { SUCCESS } from '../exit-status.js';
import { gatewayAddress } from '../gateway-address.js';
import { GatewayClient } from '../gateway-client.js';
import { interruptible } from '../interrupt.js';
import { writeLine } from '../output.js';

interface CheckWords {
  readonly nodeUrl?: string;
  readonly capFile?: string;
  readonly raw?: boolean;
  readonly verify?: boolean;
  readonly repair?: boolean;
  readonly addLease?: boolean;
}

/** Checks files. */
export const command: CommandModule = {
  describe(command) {
    command
      .usage('[options] CAPABILITY...')
      .description(
        'Says how many shares of a file are there. The capability to verify a file is enough for all of it. Other ' +
          'users of this machine can see CAPABILITY in the list of processes: to hide it, use --cap-file, or - and ' +
          'standard input.',
      )
      .argument('[capabilities...]', 'what put has printed; - to read one from standard input')
      .option(
        '-u, --node-url <url>',
        'the gateway, such as http://127.0.0.1:3456 (default: node.url of the node directory)',
      )
      .option('--cap-file <file>', 'a file that holds the capability')
      .option('--raw', "print the gateway's JSON as it is")
      .option('--verify', 'read every share whole, instead of believing the servers')
      .option('--repair', 'make again what is missing')
      .option('--add-lease', 'add or renew the lease on every share');
  },

  async run(command, context) {
    const words = command.opts<CheckWords>();
    const capabilities = await readCapabilities(command.args, words.capFile, context);
    const client = new GatewayClient(await gatewayAddress(words.nodeUrl, context), context);
    try {
      return await interruptible('the check', async (signal) => {
        for (const capability of capabilities) await check(client, capability, { words, context, signal });
        return SUCCESS;
      });
    } finally {
      await client.close();
    }
  },
};

async function readCapabilities(
  words: readonly string[],
  capFile: string | undefined,
  context: CommandContext,
): Promise<readonly string[]> {
  const capabilities: string[] = [];
  if (capFile !== undefined) {
    capabilities.push(checkedCapability(await readCapabilityFile(resolveLocal(capFile, context))));
  }
  for (const word of words) {
    capabilities.push(checkedCapability(word === '-' ? await readCapabilityInput(context.stdin) : word));
  }
  if (capabilities.length > 0) return capabilities;
  throw new TahoeError('ERR_USAGE', { reason: 'name a capability, or a file that holds one with --cap-file' });
}

async function check(
  client: GatewayClient,
  capability: string,
  { words, context, signal }: { words: CheckWords; context: CommandContext; signal: AbortSignal },
): Promise<void> {
  const { verify = false, repair = false, addLease = false, raw = false } = words;
  const transferBytes = verify || repair ? storedSize(capability) * (Number(verify) + Number(repair)) : 0;
  const json = await client.check(capability, { verify, repair, addLease, transferBytes, signal });
  const lines = raw ? [json] : checkedLines(json);
  for (const line of lines) await writeLine(context.stdout, line);
}

/** What all shares of the file have together, in bytes, where the capability tells. */
function storedSize(text: string): number {
  const capability = requireCapability(text);
  const isKnown = capability.kind === 'chk' || capability.kind === 'chk-verify';
  return isKnown ? (capability.size * capability.total) / capability.needed : 0;
}
