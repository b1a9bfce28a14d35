/** `admin generate-keypair`: prints a new Ed25519 key, private and public. */
import { createCrypto } from '#node/crypto-choice.js';
import { dangerousKeypairLines, nodeRandom } from '#node/keypair.js';
import type { CommandModule } from '../context.js';
import { SUCCESS } from '../exit-status.js';
import { writeLine } from '../output.js';

/** Makes a key. */
export const command: CommandModule = {
  describe(command) {
    command.description(
      'Prints a new pair of keys in two lines: the private one, which is a secret, and the public one.',
    );
  },

  async run(_command, { stdout }) {
    const crypto = await createCrypto('native');
    for (const line of dangerousKeypairLines(crypto, nodeRandom)) await writeLine(stdout, line);
    return SUCCESS;
  },
};
