/** `debug dump-cap`: prints what follows from a capability. All of it may be secret, and is meant to be seen here. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseBase32 } from '#core/base32.js';
import { TahoeError, reasonOf } from '#core/errors.js';
import { createNativeCrypto } from '#core/native-crypto.js';
import type { CommandContext, CommandModule } from '../context.js';
import { linesOfCapability } from '../debug/dump-cap.js';
import { resolveLocal } from '../directory-choice.js';
import { SUCCESS } from '../exit-status.js';
import { writeLine } from '../output.js';

interface DumpCapWords {
  readonly nodeid?: string;
  readonly clientSecret?: string;
  readonly clientDir?: string;
}

const NODE_ID_SIZE = 20;

/** Dumps a capability. */
export const command: CommandModule = {
  describe(command) {
    command
      .usage('[options] FILECAP')
      .description(
        'Prints the kind of a capability, its storage index and its keys; with a server and a client also the secrets ' +
          'between the two. Whoever sees them has what they grant.',
      )
      .argument('<capability>', 'a capability, or its address at a gateway: http://…/uri/…')
      .option('-n, --nodeid <id>', 'the id of a storage server, as in its my_nodeid, for write enabler and leases')
      .option('-c, --client-secret <secret>', 'the secret of a client, as in its private/secret, for leases')
      .option('-d, --client-dir <dir>', 'the directory of a client, to take its private/secret from');
  },

  async run(command, context) {
    const { nodeid, clientSecret, clientDir } = command.opts<DumpCapWords>();
    const crypto = await createNativeCrypto();
    const nodeId = nodeid === undefined || nodeid === '' ? undefined : parseWord('--nodeid', nodeid.toLowerCase());
    if (nodeId !== undefined && nodeId.length !== NODE_ID_SIZE) {
      throw new TahoeError('ERR_USAGE', { reason: '--nodeid must have 32 characters, as in my_nodeid' });
    }
    const secretText =
      clientSecret !== undefined && clientSecret !== '' ? clientSecret : await secretOfClient(clientDir, context);
    const secret = secretText === undefined ? undefined : parseWord('the secret of the client', secretText);
    const knowledge = { crypto, nodeId, clientSecret: secret };
    for (const line of linesOfCapability(command.args[0] ?? '', knowledge)) await writeLine(context.stdout, line);
    return SUCCESS;
  },
};

/** @returns undefined when no directory was named, or it holds no secret. */
async function secretOfClient(directory: string | undefined, context: CommandContext): Promise<string | undefined> {
  if (directory === undefined || directory === '') return undefined;
  const text = await readFile(join(resolveLocal(directory, context), 'private/secret'), 'utf8').catch(() => undefined);
  return text?.trim();
}

function parseWord(what: string, text: string): Uint8Array {
  try {
    return parseBase32(text);
  } catch (error) {
    throw new TahoeError('ERR_USAGE', { reason: `${what}: ${reasonOf(error)}` }, { cause: error });
  }
}
