/**
 * What stands where the store should be, and whether the node may use it.
 *
 *     the node has had   marker     shares   verdict
 *     no store           none       no       a new store
 *     no store           none       yes      a store of the reference, or of an earlier version: taken over
 *     any                its own    any      its store
 *     a store            none       any      refused: empty, or another's
 *     any                another's  any      refused
 *
 * "Its own" names the node, and the volume that the node remembers if it remembers one. A node that has a storage
 * furl and finds no shares/ directory has had a store too: whoever makes the one makes the other.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { TahoeError } from '#core/errors.js';
import { fileError, systemCode } from '../durable-file.js';
import type { NodeDirectory } from '../node-directory.js';
import { readMarker, rememberedVolume } from './marker.js';
import type { VolumeMarker } from './marker.js';

/** What was found. */
export interface StoreFinding {
  /** Absolute path of the storage directory. */
  readonly storageDirectory: string;
  readonly marker: VolumeMarker | undefined;
  /** The volume that the node remembers. */
  readonly remembered: string | undefined;
  readonly hasShares: boolean;
  /** Whether there is a shares/ directory, be it empty. */
  readonly hasSharesDirectory: boolean;
  /** Whether the node has stored for others before. */
  readonly hasStorageAddress: boolean;
}

/** Looks, and changes nothing. @throws ERR_FILE when something is there and cannot be read. */
export async function findStore(directory: NodeDirectory, storageDirectory: string): Promise<StoreFinding> {
  const prefixes = await namesIn(join(storageDirectory, 'shares'));
  return {
    storageDirectory,
    marker: await readMarker(storageDirectory),
    remembered: await rememberedVolume(directory),
    hasShares: prefixes?.some(isPrefix) === true,
    hasSharesDirectory: prefixes !== undefined,
    hasStorageAddress: (await directory.read('private/storage.furl')) !== undefined,
  };
}

/**
 * How many storage indexes the store holds shares of.
 * @throws ERR_FILE when a directory cannot be read.
 */
export async function countIndexes(storageDirectory: string): Promise<number> {
  const shares = join(storageDirectory, 'shares');
  let count = 0;
  for (const prefix of ((await namesIn(shares)) ?? []).filter(isPrefix)) {
    count += (await namesIn(join(shares, prefix)))?.length ?? 0;
  }
  return count;
}

/** Why the node must not use what was found; undefined when it may. @param node - its tub id. */
export function objectionTo(finding: StoreFinding, node: string): string | undefined {
  const { marker, remembered, hasShares, hasSharesDirectory, hasStorageAddress } = finding;
  if (marker !== undefined) {
    if (marker.node !== node) return `it belongs to node ${marker.node}`;
    if (remembered === undefined || remembered === marker.volume) return undefined;
    return 'it is another volume of this node than the one that it used last';
  }
  if (remembered !== undefined) return hasShares ? 'it holds shares of unknown origin' : 'it is empty';
  return hasStorageAddress && !hasSharesDirectory ? 'it is empty' : undefined;
}

/**
 * @param node - the tub id of the node in `directory`.
 * @throws ERR_VOLUME_FOREIGN when the node must not use it.
 */
export function requireUsable(finding: StoreFinding, node: string, directory: NodeDirectory): void {
  const objection = objectionTo(finding, node);
  if (objection === undefined) return;
  throw new TahoeError('ERR_VOLUME_FOREIGN', {
    directory: finding.storageDirectory,
    objection,
    nodeDirectory: directory.path,
  });
}

/** Directories of shares are named by two characters of base32; what a file system puts beside them is not. */
function isPrefix(name: string): boolean {
  return /^[a-z2-7]{2}$/.test(name);
}

/** The names in a directory; undefined when there is none. */
async function namesIn(path: string): Promise<string[] | undefined> {
  try {
    return await readdir(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return undefined;
    throw fileError(path, error);
  }
}
