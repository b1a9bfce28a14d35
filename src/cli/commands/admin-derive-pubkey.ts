/** `admin derive-pubkey`: prints the public key of a private one. */
import { createCrypto } from '#node/crypto-choice.js';
import { dangerousDerivedLines } from '#node/keypair.js';
import type { CommandModule } from '../context.js';
import { SUCCESS } from '../exit-status.js';
import { writeLine } from '../output.js';

/** Derives a key. */
export const command: CommandModule = {
  describe(command) {
    command
      .description('Prints a private key and the public key that belongs to it, in two lines.')
      .argument('<privkey>', 'priv-v0-…');
  },

  async run(command, { stdout }) {
    const crypto = await createCrypto('native');
    for (const line of dangerousDerivedLines(command.args[0] ?? '', crypto)) await writeLine(stdout, line);
    return SUCCESS;
  },
};
