/**
 * `debug corrupt-share`: flips one bit among the blocks of a share, to see what verifying and repairing make of it.
 * The reference does so too, but for MDMF shares, for version 2 of immutable ones, and in that it always flips the
 * lowest bit, whichever it names.
 */
import { randomInt } from 'node:crypto';
import { open } from 'node:fs/promises';
import { TahoeError } from '#core/errors.js';
import type { CommandModule } from '../context.js';
import { IMMUTABLE_DATA_OFFSET, MUTABLE_DATA_OFFSET } from '../debug/container.js';
import { withLocalShare } from '../debug/local-share.js';
import type { LocalShare } from '../debug/local-share.js';
import { readContainer, readMutableHeader, readShareLayout } from '../debug/share-contents.js';
import { resolveLocal } from '../directory-choice.js';
import { SUCCESS } from '../exit-status.js';
import { localFileError } from '../local-file.js';
import { writeLine } from '../output.js';

interface CorruptWords {
  readonly offset: string;
}

const BITS = 8;

/** Corrupts a share. */
export const command: CommandModule = {
  describe(command) {
    command
      .usage('[options] SHARE_FILENAME')
      .description('Flips a random bit in the blocks of a share file. Not for shares that anybody still needs.')
      .argument('<file>', 'a share file in the storage directory of a node')
      .option('-o, --offset <where>', 'which bit to flip: block-random, which is all there is', 'block-random');
  },

  async run(command, context) {
    const { offset: where } = command.opts<CorruptWords>();
    if (where !== 'block-random') {
      throw new TahoeError('ERR_USAGE', { reason: `--offset: only block-random is available, not '${where}'` });
    }
    const path = resolveLocal(command.args[0] ?? '', context);
    const [begin, end] = await withLocalShare(path, rangeOfBlocks);
    if (begin >= end) throw new TahoeError('ERR_USAGE', { reason: `'${path}' holds no blocks to corrupt` });
    const [offset, bit] = [randomInt(begin, end), randomInt(BITS)];
    await writeLine(context.stdout, `[${String(begin)}..${String(end)}):  ${String(offset)}.b${String(bit)}`);
    await flipBit(path, offset, bit);
    return SUCCESS;
  },
};

/** Where the blocks lie in the file. */
async function rangeOfBlocks(share: LocalShare): Promise<[begin: number, end: number]> {
  const container = await readContainer(share);
  if (container === undefined) {
    throw new TahoeError('ERR_CONTAINER', { reason: `'${share.path}' is no share container of a known version` });
  }
  if (container.kind === 'mutable') {
    const { blocks } = (await readMutableHeader(share, container)).sections;
    return [MUTABLE_DATA_OFFSET + blocks.begin, MUTABLE_DATA_OFFSET + blocks.end];
  }
  const { offsets } = await readShareLayout(share, container);
  // A share that lies about its sections loses no lease here.
  const end = Math.min(IMMUTABLE_DATA_OFFSET + offsets.plaintextHashTree, container.leaseOffset);
  return [IMMUTABLE_DATA_OFFSET + offsets.data, end];
}

async function flipBit(path: string, offset: number, bit: number): Promise<void> {
  try {
    const handle = await open(path, 'r+');
    try {
      const byte = new Uint8Array(1);
      await handle.read(byte, 0, 1, offset);
      byte[0] = (byte[0] ?? 0) ^ (1 << bit);
      await handle.write(byte, 0, 1, offset);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw localFileError(path, error);
  }
}
