/**
 * `run`: runs a node in the foreground until a signal or the end of standard input stops it. Words after NODEDIR
 * were once passed on to twistd; service files still hold them, and they mean nothing here.
 */
import { join } from 'node:path';
import { Option } from 'commander';
import { backgroundLog } from '#node/node-process.js';
import { quotePath } from '#node/quoted-path.js';
import { runNode } from '#node/run.js';
import type { CommandModule } from '../context.js';
import { chooseDirectory, resolveLocal } from '../directory-choice.js';
import { writeLine } from '../output.js';

interface RunWords {
  readonly basedir?: string;
  readonly allowStdinClose?: boolean;
  readonly background?: boolean;
}

/** Runs a node. */
export const command: CommandModule = {
  describe(command) {
    command
      .usage('[options] [NODEDIR [ignored words]]')
      .description('Runs a node until it is stopped by Ctrl-C, SIGTERM or the end of standard input.')
      .argument('[nodedir]', 'the node directory (default: ~/.tahoe)')
      .argument('[words...]', 'are ignored: options of twistd')
      .option('-C, --basedir <dir>', 'the node directory')
      .option('--allow-stdin-close', 'go on when standard input ends')
      .addOption(new Option('--background', 'as `start` runs it: the log goes to logs/node.log').hideHelp())
      .passThroughOptions();
  },

  async run(command, context) {
    const { basedir, allowStdinClose, background } = command.opts<RunWords>();
    const directory = chooseDirectory({ argument: command.args[0], basedir }, context);
    const { programName, environment, stdin, stdout, stderr } = context;
    if (!context.isQuiet) await writeLine(stdout, `'${programName} run' in ${quotePath(directory)}`);
    const logDestinations = (context.logDestinations ?? []).map((destination) => ({
      ...destination,
      path: resolveLocal(destination.path, context),
    }));
    const mainLog = background === true ? { ...backgroundLog, path: join(directory, backgroundLog.path) } : undefined;
    const streams = { stdin, stdout, stderr };
    return runNode({
      directory,
      environment,
      allowStdinClose: allowStdinClose === true,
      logDestinations,
      mainLog,
      ...streams,
    });
  },
};
