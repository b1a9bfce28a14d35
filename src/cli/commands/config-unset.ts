/** `config unset`: takes an option out of a node directory's files, so that its default holds. */
import { placeNamed } from '#node/config/option-key.js';
import { changeAndTell, describeChange } from '../config-changing.js';
import type { CommandModule } from '../context.js';

/** Unsets. */
export const command: CommandModule = {
  describe(command) {
    describeChange(command);
    command
      .usage('[options] KEY')
      .description(
        'Takes an option out of tahoe.cfg or tallac.cfg and prints the difference. Comments and order stay. What the node ' +
          'would not start with is not written.',
      )
      .argument('<key>', 'such as client.shares.needed, [client]shares.needed or shares.needed');
  },

  run: (command, context) => changeAndTell(command, context, placeNamed(command.args[0] ?? ''), undefined),
};
