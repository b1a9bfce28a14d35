/**
 * `debug catalog-shares`: prints a line for every share in some node directories. What cannot be made sense of is told
 * on standard error and passed by: this is run on bad disks.
 */
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { CryptoProvider } from '#core/crypto.js';
import { isTahoeError, reasonOf } from '#core/errors.js';
import { createNativeCrypto } from '#core/native-crypto.js';
import { systemCode } from '#node/durable-file.js';
import { quotePath } from '#node/quoted-path.js';
import type { CommandContext, CommandModule } from '../context.js';
import { describeShare } from '../debug/catalog.js';
import { withLocalShare } from '../debug/local-share.js';
import { resolveLocal } from '../directory-choice.js';
import { SUCCESS } from '../exit-status.js';
import { writeLine } from '../output.js';

/** Lists shares. */
export const command: CommandModule = {
  describe(command) {
    command
      .usage('[options] NODEDIRS...')
      .description(
        'Prints a line for every share in the given node directories: kind, storage index, encoding, size, version, ' +
          'seconds until the first lease ends, path.',
      )
      .argument('<nodedirs...>', 'node directories');
  },

  async run(command, context) {
    const crypto = await createNativeCrypto();
    for (const directory of command.args) {
      const shares = join(resolveLocal(directory, context), 'storage/shares');
      // A node that stores nothing for others has no such directory.
      const prefixes = await readdir(shares).catch(() => []);
      for (const prefix of prefixes.sort()) {
        if (prefix !== 'incoming') await listPrefix(join(shares, prefix), crypto, context);
      }
    }
    return SUCCESS;
  },
};

async function listPrefix(prefix: string, crypto: CryptoProvider, context: CommandContext): Promise<void> {
  for (const index of (await namesIn(prefix, context)).sort()) {
    const path = join(prefix, index);
    for (const name of (await namesIn(path, context)).sort(byNumber)) {
      await listShare(join(path, name), basename(path), crypto, context);
    }
  }
}

async function listShare(
  path: string,
  storageIndex: string,
  crypto: CryptoProvider,
  context: CommandContext,
): Promise<void> {
  const nowMs = context.clock.nowMs();
  const line = await withLocalShare(path, (share) => describeShare(crypto, share, storageIndex, nowMs)).catch(
    async (error: unknown) => {
      // A fault of the program is not a fault of the share.
      if (!isTahoeError(error)) throw error;
      await reportUnusable(path, error, context);
    },
  );
  if (line !== undefined) await writeLine(context.stdout, line);
}

async function namesIn(path: string, context: CommandContext): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    await reportUnusable(path, error, context);
    return [];
  }
}

async function reportUnusable(path: string, error: unknown, { stderr }: CommandContext): Promise<void> {
  await writeLine(stderr, `Error processing ${quotePath(path)}: ${reasonOf(error)}`);
}

/** By share number; what is no number comes last, by name. */
function byNumber(a: string, b: string): number {
  const [first, second] = [a, b].map((name) => (/^[0-9]+$/.test(name) ? Number(name) : Infinity));
  return first === second || first === undefined || second === undefined ? (a < b ? -1 : 1) : first - second;
}
