/**
 * The `grid-manager` program: certifies the storage servers of a grid, and publishes the list of them.
 *
 * As the reference's, with the same files: `--config` names a directory, or `-` for a configuration that comes from
 * standard input and goes, changed, to standard output. Failures are `Error: …` and status 1, usage errors status 2.
 * @see Tahoe-LAFS docs/managed-grid.rst
 */
import { Command, CommanderError } from 'commander';
import { isTahoeError } from '#core/errors.js';
import type { Surroundings } from '../context.js';
import { exitStatusOf, SUCCESS } from '../exit-status.js';
import { isReaderGone } from '../output.js';
import { addServer, createManager, listServers, printIdentity, removeServer, signServer } from './commands.js';
import type { ManagerContext } from './commands.js';
import { describePublish } from './publish.js';

const USAGE_FAILURE = 2;
/** Longest validity of a certificate, in days: five years. */
const DAYS_MAX = 5 * 365;

/** Runs one command line. @returns the exit status. */
export async function runGridManager(words: readonly string[], surroundings: Surroundings): Promise<number> {
  const { stderr } = surroundings;
  const program = createProgram(surroundings);
  try {
    await program.parseAsync(words, { from: 'user' });
    return SUCCESS;
  } catch (error) {
    if (error instanceof CommanderError) return reportUsage(error, program, stderr);
    if (!isTahoeError(error)) throw error;
    if (!isReaderGone(error)) stderr.write(`Error: ${error.message}\n`);
    return exitStatusOf(error);
  }
}

function reportUsage(error: CommanderError, program: Command, stderr: Surroundings['stderr']): number {
  if (error.exitCode === 0) return SUCCESS;
  stderr.write(`Usage: ${program.createHelp().commandUsage(program)}\n`);
  if (error.code !== 'commander.help') stderr.write(`\nError: ${error.message.replace(/^error: /, '')}\n`);
  return USAGE_FAILURE;
}

function createProgram(surroundings: Surroundings): Command {
  const { stdout, stderr } = surroundings;
  const program = new Command('grid-manager')
    .description(
      'Certifies storage servers. A client with the key of a grid manager among its [grid_managers] puts new shares ' +
        'only on servers that show a valid certificate of it. The configuration holds the private key: keep it safe.',
    )
    .requiredOption('-c, --config <path>', 'configuration directory (or - for stdin)')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: () => undefined,
    });
  const context = (): ManagerContext => ({ ...surroundings, config: program.opts<{ config: string }>().config });
  program
    .command('create')
    .description('Makes a new grid manager.')
    .action(() => createManager(context()));
  program
    .command('public-identity')
    .description('Prints the public key: what clients add to [grid_managers].')
    .action(() => printIdentity(context()));
  program
    .command('add')
    .description('Adds a storage server by a name of your choice; PUBLIC_KEY is in its file node.pubkey.')
    .argument('<name>')
    .argument('<public_key>')
    .action((name: string, publicKey: string) => addServer(context(), name, publicKey));
  program
    .command('remove')
    .description('Removes a storage server and its certificates. Those that were handed out stay valid to their end.')
    .argument('<name>')
    .action((name: string) => removeServer(context(), name));
  program
    .command('list')
    .description('Lists the storage servers and their certificates.')
    .action(() => listServers(context()));
  program
    .command('sign')
    .description(`Signs a new certificate, valid for 1 to ${String(DAYS_MAX)} days.`)
    .argument('<name>')
    .argument('<expiry_days>', `1 to ${String(DAYS_MAX)}`, daysOf)
    .action((name: string, days: number) => signServer(context(), name, days));
  describePublish(program, context);
  return program;
}

/** @throws CommanderError. */
function daysOf(text: string): number {
  const days = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
  if (days >= 1 && days <= DAYS_MAX) return days;
  const reason = `Invalid value for 'EXPIRY_DAYS': ${text} is not in the range 1<=x<=${String(DAYS_MAX)}.`;
  throw new CommanderError(USAGE_FAILURE, 'commander.invalidArgument', reason);
}
