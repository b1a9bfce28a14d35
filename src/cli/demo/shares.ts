/** Where the shares of the demonstration's file are: what the storage nodes' directories hold on the disk. */
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { systemCode } from '#node/durable-file.js';

/** One share on one node. */
export interface HeldShare {
  /** The node's number, 1 to 10. */
  readonly node: number;
  readonly shareNumber: number;
  /** Of its file, in bytes. */
  readonly sizeBytes: number;
  readonly path: string;
}

/**
 * The shares below a node's share directory, which is `PREFIX/STORAGE INDEX/SHARE NUMBER`. What is still being
 * uploaded, below `incoming`, has no such name.
 */
export async function findShares(node: number, directory: string): Promise<readonly HeldShare[]> {
  const names = await readdir(directory, { recursive: true }).catch(unlessMissing);
  const shares = names.filter((name) => /^[a-z2-7]{2}[/\\][a-z2-7]{26}[/\\][0-9]+$/.test(name));
  return Promise.all(
    shares.map(async (name) => {
      const path = join(directory, name);
      return { node, shareNumber: Number(basename(name)), sizeBytes: (await stat(path)).size, path };
    }),
  );
}

function unlessMissing(error: unknown): readonly string[] {
  if (systemCode(error) !== 'ENOENT') throw error;
  return [];
}

/** Whether `sample` stands anywhere in the file, which is read piece by piece. */
export async function contains(path: string, sample: Buffer): Promise<boolean> {
  let rest = Buffer.alloc(0);
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) {
    const text = Buffer.concat([rest, piece as Buffer]);
    if (text.includes(sample)) return true;
    rest = text.subarray(Math.max(0, text.length - sample.length + 1));
  }
  return false;
}

/**
 * Chooses the nodes that stay: as many as `count`, at random among those that hold a share.
 * @param pick - an integer from 0 to just below its argument, at random.
 */
export function chooseSurvivors(
  shares: readonly Pick<HeldShare, 'node'>[],
  count: number,
  pick: (below: number) => number,
): readonly number[] {
  const holders = [...new Set(shares.map(({ node }) => node))];
  const survivors: number[] = [];
  while (survivors.length < count && holders.length > 0) survivors.push(...holders.splice(pick(holders.length), 1));
  return survivors.sort((a, b) => a - b);
}
