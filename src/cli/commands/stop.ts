/** `stop`: stops a node. */
import type { CommandModule } from '../context.js';
import { controlledDirectory, describeControl, stop } from '../node-control.js';

/** Stops it. */
export const command: CommandModule = {
  describe(command) {
    describeControl(command);
    command.description('Stops the node of a directory and waits until it has. Without one the exit status is 2.');
  },

  run(command, context) {
    return stop(controlledDirectory(command, context), context);
  },
};
