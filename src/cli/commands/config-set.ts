/** `config set`: gives an option of a node directory a value, and leaves everything else in the file as it is. */
import { TahoeError } from '#core/errors.js';
import { refuseVisibleSecret } from '#node/config-change.js';
import { placeNamed } from '#node/config/option-key.js';
import { changeAndTell, describeChange } from '../config-changing.js';
import type { CommandModule } from '../context.js';

/** The longest value that is read from standard input, in bytes. */
const VALUE_SIZE_MAX = 65_536;

/** Sets. */
export const command: CommandModule = {
  describe(command) {
    describeChange(command);
    command
      .usage('[options] KEY VALUE')
      .description(
        'Sets an option in tahoe.cfg or tallac.cfg, whichever it belongs into, and prints the difference. Comments and ' +
          'order stay. What the node would not start with is not written.',
      )
      .argument('<key>', 'such as client.shares.needed, [client]shares.needed or shares.needed')
      .argument('<value>', 'as it shall be read; - for standard input, as secrets must be given');
  },

  async run(command, context) {
    const [key = '', word = ''] = command.args;
    const place = placeNamed(key);
    if (word !== '-') refuseVisibleSecret(place);
    const value = word === '-' ? await readValue(context.stdin) : word;
    return changeAndTell(command, context, place, value);
  },
};

/** All of standard input, without the line ends at its end. */
async function readValue(stdin: AsyncIterable<Uint8Array | string>): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of stdin) {
    pieces.push(Buffer.from(piece));
    size += piece.length;
    if (size > VALUE_SIZE_MAX) throw new TahoeError('ERR_TOO_LARGE', { what: 'the value', limitBytes: VALUE_SIZE_MAX });
  }
  return Buffer.concat(pieces).toString('utf8').trim();
}
