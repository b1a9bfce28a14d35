/** `mv`: moves what is in the grid to another place in it. */
import type { CommandModule } from '../context.js';
import { withFileStoreOptions } from '../file-store-command.js';
import { relink } from '../relink.js';

/** Moves links. */
export const command: CommandModule = {
  describe(command) {
    withFileStoreOptions(command)
      .usage('[options] FROM TO')
      .description(
        'Gives a file or a directory of the grid another place in it. With a slash at its end TO is a directory, and the name stays.',
      )
      .argument('<from>', 'such as ALIAS:photos/old.jpg')
      .argument('<to>', 'such as ALIAS:photos/new.jpg, or ALIAS:album/');
  },

  run(command, context) {
    return relink(command, context, 'move');
  },
};
