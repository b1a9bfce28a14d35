/** `debug dump-share`: prints what a share file says of itself, in the reference's words. */
import type { CryptoProvider } from '#core/crypto.js';
import { TahoeError } from '#core/errors.js';
import { createNativeCrypto } from '#core/native-crypto.js';
import { quotePath } from '#node/quoted-path.js';
import type { CommandModule } from '../context.js';
import type { ImmutableContainer, MutableContainer } from '../debug/container.js';
import { linesOfImmutable, linesOfImmutableLeases } from '../debug/dump-immutable.js';
import { linesOfMutable, linesOfSlot } from '../debug/dump-mutable.js';
import { withLocalShare } from '../debug/local-share.js';
import type { LocalShare } from '../debug/local-share.js';
import { storageIndexOfPath } from '../debug/printed.js';
import { readContainer, readImmutable, readImmutableLeases, readMutable, readSlot } from '../debug/share-contents.js';
import { resolveLocal } from '../directory-choice.js';
import { SUCCESS } from '../exit-status.js';
import { writeLine } from '../output.js';

interface DumpWords {
  readonly offsets?: boolean;
  readonly leasesOnly?: boolean;
}

/** What is dumped, and how. */
interface Dump {
  readonly crypto: CryptoProvider;
  readonly share: LocalShare;
  readonly storageIndex: Uint8Array | undefined;
  readonly words: DumpWords;
  readonly nowMs: number;
}

/** Dumps a share. */
export const command: CommandModule = {
  describe(command) {
    command
      .usage('[options] SHARE_FILENAME')
      .description('Prints what a share file says of itself: its kind, leases, encoding, hashes and sizes.')
      .argument('<file>', 'a share file in the storage directory of a node')
      .option('--offsets', 'print a table of where its sections lie')
      .option('--leases-only', 'print the leases of an immutable share and nothing else of it');
  },

  async run(command, context) {
    const path = resolveLocal(command.args[0] ?? '', context);
    await writeLine(context.stdout, `share filename: ${quotePath(path)}`);
    const crypto = await createNativeCrypto();
    const [storageIndex, nowMs] = [storageIndexOfPath(path), context.clock.nowMs()];
    const lines = await withLocalShare(path, async (share) => {
      const dump = { crypto, share, storageIndex, words: command.opts<DumpWords>(), nowMs };
      const container = await readContainer(share);
      if (container?.kind === 'mutable') return dumpMutable(dump, container);
      if (container?.kind === 'immutable') return dumpImmutable(dump, container);
      throw new TahoeError('ERR_CONTAINER', { reason: `'${path}' is no share container of a known version` });
    });
    for (const line of lines) await writeLine(context.stdout, line);
    return SUCCESS;
  },
};

async function dumpImmutable({ crypto, share, storageIndex, words, nowMs }: Dump, container: ImmutableContainer) {
  const leases = linesOfImmutableLeases(await readImmutableLeases(share, container), nowMs);
  if (words.leasesOnly === true) return leases;
  const contents = await readImmutable(share, container);
  return [...linesOfImmutable(crypto, contents, storageIndex, words.offsets === true), ...leases];
}

async function dumpMutable({ crypto, share, storageIndex, words, nowMs }: Dump, container: MutableContainer) {
  const slot = await readSlot(share, container);
  const lines = linesOfSlot(slot, nowMs);
  if (slot.shareType === 'unknown') return lines;
  const contents = await readMutable(share, container);
  return [...lines, ...linesOfMutable(crypto, contents, container, storageIndex, words.offsets === true)];
}
