/**
 * The tree that is backed up, as it stands on this machine. Links and special files are not followed or read: each
 * becomes a warning, as does what cannot be read.
 */
import { isUtf8 } from 'node:buffer';
import { readdir } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import { join } from 'node:path';
import { normalizeName } from '#core/directory/names.js';
import { quotePath } from '#node/quoted-path.js';
import { lookAt, lookAtLink } from '../local-looks.js';

/** A file, a directory with what lies in it, or why something is left out. */
export type BackupTarget =
  | { readonly kind: 'file'; readonly name: string; readonly path: string; readonly stats: BigIntStats }
  | BackupDirectory
  | { readonly kind: 'skipped'; readonly isDirectory: boolean; readonly warning: string };

/** A directory of the tree. */
export interface BackupDirectory {
  readonly kind: 'directory';
  readonly name: string;
  readonly path: string;
  readonly stats: BigIntStats;
  readonly children: readonly BackupTarget[];
}

/**
 * Walks the tree.
 * @param path - absolute; a directory.
 * @param isExcluded - whether a name is left out.
 * @throws the system's error when the directory itself cannot be read; what lies below it becomes a warning.
 */
export async function readBackupTree(
  path: string,
  name: string,
  isExcluded: (name: string) => boolean,
): Promise<BackupDirectory> {
  const stats = await lookAt(path);
  const entries = await readdir(path, { encoding: 'buffer' });
  const children: BackupTarget[] = [];
  const taken = new Set<string>();
  for (const bytes of entries.sort((a, b) => a.compare(b))) {
    const child = bytes.toString();
    if (isExcluded(child)) continue;
    const isTaken = taken.has(normalizeName(child));
    taken.add(normalizeName(child));
    children.push(await readTarget(join(path, child), child, { isExcluded, isName: isUtf8(bytes), isTaken }));
  }
  return { kind: 'directory', name, path, stats, children };
}

/** How many things there are, the directory itself included. */
export function countTargets({ children }: BackupDirectory): number {
  return children.reduce((sum, child) => sum + (child.kind === 'directory' ? countTargets(child) : 1), 1);
}

async function readTarget(
  path: string,
  name: string,
  about: { isExcluded: (name: string) => boolean; isName: boolean; isTaken: boolean },
): Promise<BackupTarget> {
  const shown = quotePath(path);
  if (!about.isName) return skipped(false, `WARNING: could not back up ${shown}: its name is not UTF-8`);
  if (about.isTaken) {
    return skipped(false, `WARNING: could not back up ${shown}: another name beside it differs only in its spelling`);
  }
  let isDirectory = false;
  try {
    const link = await lookAtLink(path);
    if (link.isSymbolicLink()) return skipped(false, `WARNING: cannot backup symlink ${shown}`);
    isDirectory = link.isDirectory();
    if (isDirectory) return await readBackupTree(path, name, about.isExcluded);
    if (!link.isFile()) return skipped(false, `WARNING: cannot backup special ${shown}`);
    return { kind: 'file', name, path, stats: link };
  } catch {
    return skipped(isDirectory, `WARNING: permission denied on ${isDirectory ? 'directory' : 'file'} ${shown}`);
  }
}

function skipped(isDirectory: boolean, warning: string): BackupTarget {
  return { kind: 'skipped', isDirectory, warning };
}
