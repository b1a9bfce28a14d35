/**
 * The command line as a whole: global options, the list of commands, usage errors, exit status.
 *
 * A command's module is loaded when the command is used, so that none pays for another. Usage errors go to standard
 * error: the usage line of the command, then what is wrong. The exit status is then 1.
 * @see Tahoe-LAFS docs/frontends/CLI.rst
 */
import { Command, CommanderError, Option } from 'commander';
import { destinationHelp, parseDestination } from '#node/logs/destination.js';
import type { CommandContext, CommandModule, Surroundings } from './context.js';
import { examples } from './examples.js';
import { FAILURE, SUCCESS } from './exit-status.js';
import { reportFailure } from './failure.js';
import { versionAndPath, versionLine } from './version-text.js';

interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: CommandModule }>;
}

/** Commands that share a first word. */
interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  readonly entries: readonly CommandEntry[];
}

/** Every command, in the order in which the help lists them. */
export const commandEntries: readonly (CommandEntry | CommandGroup)[] = [
  {
    name: 'create-node',
    summary: 'make the directory of a node that stores for others and has a gateway',
    load: () => import('./commands/create-node.js'),
  },
  {
    name: 'create-client',
    summary: 'make the directory of a node that only has a gateway',
    load: () => import('./commands/create-client.js'),
  },
  {
    name: 'create-introducer',
    summary: 'make the directory of an introducer',
    load: () => import('./commands/create-introducer.js'),
  },
  {
    name: 'invite',
    summary: 'tell another person how to join this grid, by a short code',
    load: () => import('./commands/invite.js'),
  },
  { name: 'run', summary: 'run a node until it is stopped', load: () => import('./commands/run.js') },
  { name: 'start', summary: 'start a node in the background', load: () => import('./commands/start.js') },
  { name: 'stop', summary: 'stop a node', load: () => import('./commands/stop.js') },
  { name: 'restart', summary: 'stop a node and start it again', load: () => import('./commands/restart.js') },
  { name: 'reload', summary: 'have a node read its configuration again', load: () => import('./commands/reload.js') },
  { name: 'health', summary: 'say whether a running node is ready', load: () => import('./commands/health.js') },
  { name: 'put', summary: 'store a file; its capability is printed', load: () => import('./commands/put.js') },
  { name: 'get', summary: 'read a file', load: () => import('./commands/get.js') },
  { name: 'mkdir', summary: 'make a directory', load: () => import('./commands/mkdir.js') },
  { name: 'ls', summary: 'list a directory', load: () => import('./commands/ls.js') },
  { name: 'unlink', summary: 'remove a name from its directory', load: () => import('./commands/unlink.js') },
  { name: 'rm', summary: 'the same as unlink', load: () => import('./commands/unlink.js') },
  {
    name: 'cp',
    summary: 'copy files and directories, to the grid, from it and in it',
    load: () => import('./commands/cp.js'),
  },
  { name: 'backup', summary: 'store a directory again and again', load: () => import('./commands/backup.js') },
  { name: 'mv', summary: 'give something another name or place', load: () => import('./commands/mv.js') },
  { name: 'ln', summary: 'give something a second name or place', load: () => import('./commands/ln.js') },
  {
    name: 'create-alias',
    summary: 'make a directory and a short name for it',
    load: () => import('./commands/create-alias.js'),
  },
  { name: 'add-alias', summary: 'give a directory a short name', load: () => import('./commands/add-alias.js') },
  { name: 'list-aliases', summary: 'print the short names', load: () => import('./commands/list-aliases.js') },
  {
    name: 'check',
    summary: 'say whether a file is all there, and repair it',
    load: () => import('./commands/check.js'),
  },
  {
    name: 'deep-check',
    summary: 'check everything that a directory leads to',
    load: () => import('./commands/deep-check.js'),
  },
  {
    name: 'manifest',
    summary: 'list everything that a directory leads to',
    load: () => import('./commands/manifest.js'),
  },
  { name: 'stats', summary: 'count what a directory leads to', load: () => import('./commands/stats.js') },
  { name: 'status', summary: 'say what the gateway is doing', load: () => import('./commands/status.js') },
  {
    name: 'watch',
    summary: 'tell of each change of a file or a directory',
    load: () => import('./commands/watch.js'),
  },
  { name: 'webopen', summary: 'show something in a browser', load: () => import('./commands/webopen.js') },
  {
    name: 'completion',
    summary: 'print the script that completes commands in a shell',
    load: () => import('./commands/completion.js'),
  },
  {
    name: 'demo',
    summary: 'start a grid on this machine, lose most of it, and read a file back',
    load: () => import('./commands/demo.js'),
  },
  {
    name: 'config',
    summary: 'explain, show and change the configuration of a node',
    entries: [
      {
        name: 'explain',
        summary: 'say what an option means and where its value is from',
        load: () => import('./commands/config-explain.js'),
      },
      {
        name: 'render',
        summary: 'print the configuration as the node reads it',
        load: () => import('./commands/config-render.js'),
      },
      { name: 'set', summary: 'give an option a value', load: () => import('./commands/config-set.js') },
      {
        name: 'unset',
        summary: 'take an option back to its default',
        load: () => import('./commands/config-unset.js'),
      },
    ],
  },
  {
    name: 'storage',
    summary: 'look after the store of a node',
    entries: [
      {
        name: 'usage',
        summary: 'print how much is stored, and how much more may be',
        load: () => import('./commands/storage-usage.js'),
      },
      {
        name: 'scrub',
        summary: 'read every share and name those that are damaged',
        load: () => import('./commands/storage-scrub.js'),
      },
      {
        name: 'expire',
        summary: 'remove the shares that no lease keeps, or name them',
        load: () => import('./commands/storage-expire.js'),
      },
      {
        name: 'adopt',
        summary: 'make what is mounted at the storage directory the store of this node',
        load: () => import('./commands/storage-adopt.js'),
      },
    ],
  },
  { name: 'doctor', summary: 'say what is wrong with a node', load: () => import('./commands/doctor.js') },
  {
    name: 'grid',
    summary: 'look at the grid of a running node',
    entries: [
      {
        name: 'servers',
        summary: 'list the storage servers that it knows',
        load: () => import('./commands/grid-servers.js'),
      },
    ],
  },
  {
    name: 'admin',
    summary: 'make keys, and show certificates of grid managers',
    entries: [
      {
        name: 'generate-keypair',
        summary: 'print a new pair of keys',
        load: () => import('./commands/admin-generate-keypair.js'),
      },
      {
        name: 'derive-pubkey',
        summary: 'print the public key of a private one',
        load: () => import('./commands/admin-derive-pubkey.js'),
      },
      {
        name: 'add-grid-manager-cert',
        summary: 'give a storage node the certificate of a grid manager',
        load: () => import('./commands/admin-add-grid-manager-cert.js'),
      },
    ],
  },
  {
    name: 'debug',
    summary: 'look into share files and capabilities',
    entries: [
      {
        name: 'dump-share',
        summary: 'print what a share file says of itself',
        load: () => import('./commands/debug-dump-share.js'),
      },
      {
        name: 'dump-cap',
        summary: 'print what follows from a capability',
        load: () => import('./commands/debug-dump-cap.js'),
      },
      {
        name: 'find-shares',
        summary: 'print where the shares of a storage index are',
        load: () => import('./commands/debug-find-shares.js'),
      },
      {
        name: 'catalog-shares',
        summary: 'print a line for every share',
        load: () => import('./commands/debug-catalog-shares.js'),
      },
      {
        name: 'flogtool',
        summary: 'read incidents and log files',
        load: () => import('./commands/debug-flogtool.js'),
      },
      {
        name: 'corrupt-share',
        summary: 'flip a bit in a share file',
        load: () => import('./commands/debug-corrupt-share.js'),
      },
    ],
  },
];

interface GlobalOptions {
  readonly nodeDirectory?: string;
  readonly quiet?: boolean;
  readonly eliotDestination?: readonly string[];
  readonly wormholeServer?: string;
  readonly wormholeInviteAppid?: string;
}

/** Runs one command line. @returns the exit status. */
export async function runCommandLine(words: readonly string[], surroundings: Surroundings): Promise<number> {
  const { programName, stderr } = surroundings;
  const run: Run = { status: SUCCESS, active: undefined };
  const program = createProgram(surroundings, run);
  try {
    await program.parseAsync(words, { from: 'user' });
    return run.status;
  } catch (error) {
    if (!(error instanceof CommanderError)) return reportFailure(error, programName, stderr);
    if (error.exitCode !== 0) reportUsage(error, run.active ?? program, surroundings);
    return error.exitCode === 0 ? SUCCESS : FAILURE;
  }
}

/** What becomes of a command line while it is parsed and done. */
interface Run {
  status: number;
  /** The command that was named. */
  active: Command | undefined;
}

function createProgram(surroundings: Surroundings, run: Run): Command {
  const { programName, stdout, stderr } = surroundings;
  const program = new Command(programName)
    .usage('[global-options] <command> [command-options]')
    .description(
      'A decentralised storage grid that speaks Tahoe-LAFS: files are encrypted here and spread over servers.',
    )
    .option('-d, --node-directory <dir>', 'the node directory, or any with a node.url in it (default: ~/.tahoe)')
    .option('-q, --quiet', 'print nothing but what is asked for, and errors')
    .option('--wormhole-server <url>', 'the mailbox server of invitations (default: that of Tahoe-LAFS)')
    .addOption(new Option('--wormhole-invite-appid <name>').hideHelp())
    .addOption(
      new Option(
        '--eliot-destination <destination>',
        'also log to a file, such as file:PATH; may be repeated',
      ).argParser((word: string, words: readonly string[] | undefined) => [...(words ?? []), word]),
    )
    .option('--help-eliot-destinations', 'say what destinations there are')
    .version(versionLine, '-V, --version', 'print the version')
    .option('--version-and-path', 'print the version, and where this program is')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: () => undefined,
    })
    .addHelpText('after', `\n'${programName} <command> --help' tells more about a command.`);
  program.on('option:version-and-path', () => {
    stdout.write(`${versionAndPath()}\n`);
    throw new CommanderError(0, 'commander.version', versionLine);
  });
  program.on('option:help-eliot-destinations', () => {
    stdout.write(destinationHelp);
    throw new CommanderError(0, 'commander.help', destinationHelp);
  });
  for (const entry of commandEntries) addCommand(program, entry);
  program
    .command('help')
    .summary('print the help of a command')
    .argument('[command]')
    .action(async (name: string | undefined) => {
      const isKnown = program.commands.some((command) => command.name() === name);
      const words = name === undefined ? ['--help'] : isKnown ? [name, '--help'] : [name];
      run.status = await runCommandLine(words, surroundings);
    });
  program.hook('preSubcommand', (_program, command) => loadCommand(program, command, surroundings, run));
  return program;
}

function addCommand(parent: Command, entry: CommandEntry | CommandGroup): void {
  const command = parent.command(entry.name).summary(entry.summary);
  if (!('entries' in entry)) return;
  command.description(entry.summary).helpOption('-h, --help', 'print this help').helpCommand(false);
  for (const child of entry.entries) addCommand(command, child);
}

/** Fills in the command that was named, before its words are read. */
async function loadCommand(program: Command, command: Command, surroundings: Surroundings, run: Run): Promise<void> {
  run.active = command;
  const siblings = command.parent === program ? commandEntries : groupOf(command.parent);
  const entry = siblings.find(({ name }) => name === command.name());
  if (entry === undefined) return;
  if ('entries' in entry) {
    command.hook('preSubcommand', (_group, child) => loadCommand(program, child, surroundings, run));
    return;
  }
  const module = (await entry.load()).command;
  module.describe(command.helpOption('-h, --help', 'print this help'));
  const shown = examples[pathOf(command).join(' ')] ?? [];
  if (shown.length > 0) command.addHelpText('after', `\nExamples:\n${shown.map((line) => `  ${line}\n`).join('')}`);
  command.action(async () => {
    run.status = await module.run(command, contextOf(program, surroundings, command));
  });
}

function groupOf(command: Command | null): readonly CommandEntry[] {
  const group = commandEntries.find(({ name }) => name === command?.name());
  return group !== undefined && 'entries' in group ? group.entries : [];
}

function contextOf(program: Command, surroundings: Surroundings, command: Command): CommandContext {
  const { nodeDirectory, quiet, eliotDestination, wormholeInviteAppid, wormholeServer } = program.opts<GlobalOptions>();
  const logDestinations = (eliotDestination ?? []).map(parseDestination);
  if (logDestinations.length > 0 && command.name() !== 'run') {
    surroundings.stderr.write('warning: --eliot-destination has no effect: only nodes have a log\n');
  }
  return {
    ...surroundings,
    nodeDirectory,
    isQuiet: quiet === true,
    logDestinations,
    wormholeServer,
    wormholeAppId: wormholeInviteAppid,
  };
}

function reportUsage(error: CommanderError, command: Command, { programName, stderr }: Surroundings): void {
  // commander says it as "error: …", with a suggestion in a second line, and prints the help when no command is named.
  const isMissing = error.code === 'commander.help';
  const reason = isMissing
    ? 'must specify a command'
    : error.message.replace(/^error: |\.$/g, '').replaceAll('\n', ' ');
  if (!isMissing) stderr.write(`Usage: ${command.createHelp().commandUsage(command)}\n`);
  const help = `${[programName, ...pathOf(command)].join(' ')} --help`;
  stderr.write(`${programName}: ${reason}; see '${help}'\n`);
}

/** The words that name a command. */
function pathOf(command: Command): readonly string[] {
  return command.parent === null ? [] : [...pathOf(command.parent), command.name()];
}
