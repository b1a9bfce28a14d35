/** `start`: starts a node in the background. */
import type { CommandModule } from '../context.js';
import { controlledDirectory, describeControl, start } from '../node-control.js';

/** Starts it. */
export const command: CommandModule = {
  describe(command) {
    describeControl(command);
    command.description(
      'Starts the node of a directory in the background and waits until it is up. What it prints goes to logs/node.log there.',
    );
  },

  run(command, context) {
    return start(controlledDirectory(command, context), context);
  },
};
