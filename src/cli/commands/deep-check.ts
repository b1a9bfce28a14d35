/** `deep-check`: checks everything that can be reached from a directory. */
import { CAP_FILE_OPTION, pathWord } from '../capability-source.js';
import type { CommandContext, CommandModule } from '../context.js';
import { DeepCheckCounts } from '../deep-check-counts.js';
import { FAILURE, SUCCESS } from '../exit-status.js';
import { withFileStore, withFileStoreOptions } from '../file-store-command.js';
import type { FileStoreTools } from '../file-store-command.js';
import { eachObject } from '../line-stream.js';
import { write, writeLine } from '../output.js';
import { addressOf, parseStart } from '../remote-path.js';

/** How long one file may be verified or repaired without a word, in milliseconds: a day. */
const ONE_FILE_MS = 86_400_000;

interface DeepCheckWords {
  readonly raw?: boolean;
  readonly verify?: boolean;
  readonly repair?: boolean;
  readonly addLease?: boolean;
  readonly verbose?: boolean;
  readonly capFile?: string;
}

/** Checks trees. */
export const command: CommandModule = {
  describe(command) {
    withFileStoreOptions(command)
      .usage('[options] [PATH...]')
      .description('Says how many shares are there of everything that can be reached from a directory.')
      .argument('[paths...]', "such as ALIAS:photos (default: the root of the alias 'tahoe')")
      .option(...CAP_FILE_OPTION)
      .option('--raw', "print the gateway's JSON as it is, a line for each thing")
      .option('--verify', 'read every share whole, instead of believing the servers')
      .option('--repair', 'make again what is missing')
      .option('--add-lease', 'add or renew the lease on every share')
      .option('-v, --verbose', 'print a line for each file and directory');
  },

  async run(command, context) {
    const words = command.opts<DeepCheckWords>();
    const named = await pathWord(command.args[0], words.capFile, context);
    const paths = words.capFile === undefined ? [named, ...command.args.slice(1)] : [named, ...command.args];
    return withFileStore('the check', command, context, async (tools) => {
      let status = SUCCESS;
      for (const path of paths) if (!(await checkTree(path, words, tools, context))) status = FAILURE;
      return status;
    });
  },
};

/** @returns whether the gateway came to the end of it. */
async function checkTree(
  path: string,
  words: DeepCheckWords,
  { client, aliases, signal }: FileStoreTools,
  context: CommandContext,
): Promise<boolean> {
  const { verify = false, repair = false, addLease = false, raw = false, verbose = false } = words;
  const flags = { verify, repair, 'add-lease': addLease };
  const chosen = Object.entries(flags).filter(([, isChosen]) => isChosen);
  const query = ['t=stream-deep-check', ...chosen.map(([name]) => `${name}=true`)].join('&');
  const pieceMs = verify || repair ? { pieceMs: ONE_FILE_MS } : {};
  const pieces = await client.stream(`${addressOf(parseStart(path, aliases))}?${query}`, { signal, ...pieceMs });
  if (raw) {
    for await (const piece of pieces) await write(context.stdout, piece);
    return true;
  }
  const counts = new DeepCheckCounts({ isRepair: repair, isVerbose: verbose });
  const print = async (lines: readonly string[]): Promise<void> => {
    for (const line of lines) await writeLine(context.stdout, line);
  };
  const isWhole = await eachObject(
    pieces,
    (fields) => print(counts.add(fields)),
    (line) => writeLine(context.stderr, line),
  );
  if (isWhole) await print(counts.summary());
  return isWhole;
}
