/**
 * Finds what a path of names leads to, from directory to directory. Names are taken as they are: a name may hold a slash,
 * and `..` is a name like any other.
 */
import type { KnownCapability } from '#core/capability/types.js';
import type { Child } from '#core/directory/child.js';
import type { Metadata } from '#core/directory/metadata.js';
import { TahoeError } from '#core/errors.js';
import { openDirectory } from './directory.js';
import type { Directory, DirectoryCallOptions, DirectoryContext } from './directory.js';

/** The longest path, in names: each is a directory to be read. */
export const PATH_LENGTH_MAX = 1000;

/** What is at a path. */
export interface PathFound {
  readonly kind: 'found';
  readonly child: Child;
  /** Of the last link; undefined at the root. */
  readonly metadata: Metadata | undefined;
  /** The directory with the last link; undefined at the root. */
  readonly parent: Directory | undefined;
}

/** How far a path leads where it leads nowhere. */
export interface PathMissing {
  readonly kind: 'missing';
  /** The last directory that is there. */
  readonly parent: Directory;
  /** The names from there on, the missing one first. */
  readonly rest: readonly [string, ...string[]];
}

/**
 * Follows `path` from `root`.
 * @throws ERR_NOT_A_DIRECTORY when a name before the last leads to something else, ERR_TOO_MANY, ERR_CHILD_NAME, and what
 *   reading a directory throws.
 */
export async function followPath(
  context: DirectoryContext,
  root: KnownCapability,
  path: readonly string[],
  options: DirectoryCallOptions = {},
): Promise<PathFound | PathMissing> {
  if (path.length > PATH_LENGTH_MAX) throw new TahoeError('ERR_TOO_MANY', { what: 'names', limit: PATH_LENGTH_MAX });
  let found: PathFound = { kind: 'found', child: root, metadata: undefined, parent: undefined };
  for (const [depth, name] of path.entries()) {
    const parent = directoryOf(context, found.child, depth === 0 ? 'the root' : JSON.stringify(path[depth - 1]));
    const entry = await parent.entry(name, options);
    if (entry === undefined) return { kind: 'missing', parent, rest: [name, ...path.slice(depth + 1)] };
    found = { kind: 'found', child: entry.child, metadata: entry.metadata, parent };
  }
  return found;
}

/**
 * What is at a path as far as this process remembers; nobody is asked, and it may be otherwise by now.
 * @returns undefined where a directory on the way is not remembered, or cannot be followed.
 */
export function recallPath(
  context: DirectoryContext,
  root: KnownCapability,
  path: readonly string[],
): PathFound | PathMissing | undefined {
  try {
    let found: PathFound = { kind: 'found', child: root, metadata: undefined, parent: undefined };
    for (const [depth, name] of path.slice(0, PATH_LENGTH_MAX).entries()) {
      const parent = directoryOf(context, found.child, 'a name on the way');
      const entry = parent.recall(name);
      if (entry === 'unknown') return undefined;
      if (entry === undefined) return { kind: 'missing', parent, rest: [name, ...path.slice(depth + 1)] };
      found = { kind: 'found', child: entry.child, metadata: entry.metadata, parent };
    }
    return found;
  } catch (error) {
    if (error instanceof TahoeError) return undefined; // who follows it is told
    throw error;
  }
}

function directoryOf(context: DirectoryContext, child: Child, what: string): Directory {
  if (child.kind === 'directory') return openDirectory(context, child);
  const reason = child.kind === 'unknown' ? 'its kind is not known here' : 'it is a file and has no children';
  throw new TahoeError('ERR_NOT_A_DIRECTORY', { what, reason });
}
