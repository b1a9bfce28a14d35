/**
 * `check`: says whether a file is all there; with --verify every byte of it is read, with --repair what is missing is
 * made again. It ends well when the file could be checked, whatever came of it: the first line says that.
 */
import { requireCapability } from '#core/capability/parse.js';
import { checkedLines } from '../checked-file.js';
import { checkedCapability, readCapabilityFile, readCapabilityInput } from '../capability-source.js';
import type { CommandContext, CommandModule } from '../context.js';
import { resolveLocal } from '../directory-choice.js';
import { SUCCESS } from '../exit-status.js';
import { withFileStore, withFileStoreOptions } from '../file-store-command.js';
import type { GatewayClient } from '../gateway-client.js';
import { writeLine } from '../output.js';
import { addressOf, parseStart } from '../remote-path.js';
import type { RemotePath } from '../remote-path.js';

interface CheckWords {
  readonly capFile?: string;
  readonly raw?: boolean;
  readonly verify?: boolean;
  readonly repair?: boolean;
  readonly addLease?: boolean;
}

/** Checks files. */
export const command: CommandModule = {
  describe(command) {
    withFileStoreOptions(command)
      .usage('[options] [PATH...]')
      .description(
        'Says how many shares of a file are there. The capability to verify a file is enough for all of it. Other ' +
          'users of this machine can see a capability in the list of processes: to hide it, use an alias, --cap-file, ' +
          'or - and standard input.',
      )
      .argument(
        '[paths...]',
        'what put has printed, or such as ALIAS:photos/new.jpg; - to read one from standard input',
      )
      .option('--cap-file <file>', 'a file that holds the capability')
      .option('--raw', "print the gateway's JSON as it is")
      .option('--verify', 'read every share whole, instead of believing the servers')
      .option('--repair', 'make again what is missing')
      .option('--add-lease', 'add or renew the lease on every share');
  },

  async run(command, context) {
    const words = command.opts<CheckWords>();
    const paths = await readPaths(command.args, words.capFile, context);
    return withFileStore('the check', command, context, async ({ client, aliases, signal }) => {
      for (const path of paths) await check(client, parseStart(path, aliases), { words, context, signal });
      return SUCCESS;
    });
  },
};

async function readPaths(
  words: readonly string[],
  capFile: string | undefined,
  context: CommandContext,
): Promise<readonly string[]> {
  const paths: string[] = [];
  if (capFile !== undefined) {
    paths.push(checkedCapability(await readCapabilityFile(resolveLocal(capFile, context))));
  }
  for (const word of words) {
    paths.push(word === '-' ? checkedCapability(await readCapabilityInput(context.stdin)) : word);
  }
  // Without a word, the root of the default alias.
  return paths.length > 0 ? paths : [''];
}

async function check(
  client: GatewayClient,
  place: RemotePath,
  { words, context, signal }: { words: CheckWords; context: CommandContext; signal: AbortSignal },
): Promise<void> {
  const { verify = false, repair = false, addLease = false, raw = false } = words;
  const transferBytes = verify || repair ? storedSize(place) * (Number(verify) + Number(repair)) : 0;
  const json = await client.check(addressOf(place), { verify, repair, addLease, transferBytes, signal });
  const lines = raw ? [json] : checkedLines(json);
  for (const line of lines) await writeLine(context.stdout, line);
}

/** What all shares of the file have together, in bytes, where the capability tells. */
function storedSize({ root, path }: RemotePath): number {
  const capability = path === '' ? requireCapability(root) : undefined;
  return capability?.kind === 'chk' || capability?.kind === 'chk-verify'
    ? (capability.size * capability.total) / capability.needed
    : 0;
}
