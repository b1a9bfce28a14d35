/**
 * `start`, `stop` and `restart`: a node in the background, for scripts that know these words from older releases of
 * Tahoe-LAFS. A service manager does better with `run`.
 */
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { identifyNodeType } from '#node/node-directory.js';
import { runningPid, startInBackground, stopNode } from '#node/node-process.js';
import { quotePath } from '#node/quoted-path.js';
import type { CommandContext } from './context.js';
import { chooseDirectory } from './directory-choice.js';
import { FAILURE, SUCCESS } from './exit-status.js';
import { writeLine } from './output.js';

const START_MS = 120_000;
/** Requests under way get some seconds to finish; then the process is ended. */
const STOP_TIMEOUTS = { stopMs: 40_000, killMs: 10_000 };
/** What scripts know as "there was nothing to stop". */
const NOT_RUNNING = 2;

/** Adds what the three have in common. */
export function describeControl(command: Command): void {
  command
    .usage('[options] [NODEDIR]')
    .argument('[nodedir]', 'the node directory (default: ~/.tahoe)')
    .argument('[words...]', 'are ignored: options of twistd')
    .option('-C, --basedir <dir>', 'the node directory')
    .passThroughOptions();
}

/** The node directory that the words name. @throws ERR_USAGE */
export function controlledDirectory(command: Command, context: CommandContext): string {
  const { basedir } = command.opts<{ readonly basedir?: string }>();
  return chooseDirectory({ argument: command.args[0], basedir }, context);
}

/** Starts it. @returns the exit status. @throws ERR_NOT_A_NODE, ERR_NOT_STARTED, ERR_FILE. */
export async function start(directory: string, context: CommandContext): Promise<number> {
  const { stdout, stderr, clock, isQuiet } = context;
  await identifyNodeType(directory);
  const running = await runningPid(directory);
  if (running !== undefined) {
    await writeLine(stderr, `the node in ${quotePath(directory)} is already running as process ${String(running)}`);
    return FAILURE;
  }
  const words = [
    fileURLToPath(new URL('main.js', import.meta.url)),
    'run',
    '--allow-stdin-close',
    '--background',
    directory,
  ];
  const pid = await startInBackground(directory, [process.execPath, ...words], { clock, timeoutMs: START_MS });
  if (!isQuiet) await writeLine(stdout, `the node in ${quotePath(directory)} runs as process ${String(pid)}`);
  return SUCCESS;
}

/** Stops it. @returns the exit status. @throws ERR_TIMEOUT, ERR_FILE. */
export async function stop(directory: string, context: CommandContext): Promise<number> {
  const { stdout, stderr, clock, isQuiet } = context;
  const pid = await stopNode(directory, clock, STOP_TIMEOUTS);
  if (pid === undefined) {
    await writeLine(stderr, `no node runs in ${quotePath(directory)}`);
    return NOT_RUNNING;
  }
  if (!isQuiet) await writeLine(stdout, `process ${String(pid)} has stopped`);
  return SUCCESS;
}
