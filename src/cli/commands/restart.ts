/** `restart`: stops a node, if one runs, and starts it in the background. */
import type { CommandModule } from '../context.js';
import { controlledDirectory, describeControl, start, stop } from '../node-control.js';

/** Restarts it. */
export const command: CommandModule = {
  describe(command) {
    describeControl(command);
    command.description('Stops the node of a directory, if it runs, and starts it in the background.');
  },

  async run(command, context) {
    const directory = controlledDirectory(command, context);
    await stop(directory, context);
    return start(directory, context);
  },
};
