/** `completion`: prints the script that has a shell complete our commands. */
import { TahoeError } from '#core/errors.js';
import { completionScript, shells } from '../completion.js';
import type { CommandModule } from '../context.js';
import { SUCCESS } from '../exit-status.js';
import { write } from '../output.js';
import { describeCommands } from '../whole-program.js';

/** Prints it. */
export const command: CommandModule = {
  describe(command) {
    command
      .usage('[options] bash|zsh|fish')
      .description(
        'Prints a script that has the shell complete commands, options and aliases. Keep it where it looks for such.',
      )
      .argument('<shell>', 'bash, zsh or fish');
  },

  async run(command, context) {
    const shell = shells.find((name) => name === command.args[0]);
    if (shell === undefined)
      throw new TahoeError('ERR_USAGE', { reason: `there are scripts for ${shells.join(', ')}` });
    await write(context.stdout, completionScript(shell, await describeCommands()));
    return SUCCESS;
  },
};
