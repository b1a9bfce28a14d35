/**
 * The changes that people make to a directory, each as a function that is run on its contents.
 *
 * When somebody else wrote at the same time the function is run again on the newer contents, so that both changes are
 * kept. On such a retry the first attempt may have come through in part: an entry with the very bytes that an earlier run
 * made is its own, not somebody else's.
 * @see Tahoe-LAFS docs/specifications/dirnodes.rst
 */
import { equalBytes } from '../bytes.js';
import type { CryptoProvider } from '../crypto.js';
import { TahoeError } from '../errors.js';
import { equalChildren, readOnlyChild, typeOfChild } from './child.js';
import type { Child } from './child.js';
import type { DirectoryEdit } from './edit.js';
import type { DirectoryEntry, NewEntry } from './entries.js';
import { forbidsWriting, updateMetadata } from './metadata.js';
import type { Metadata } from './metadata.js';
import { normalizeName } from './names.js';

/** Changes a directory. @param isFirst - false on a retry. */
export type DirectoryChange<Result> = (edit: DirectoryEdit, isFirst: boolean) => Result;

/** What is there to make changes with. */
export interface ChangeContext {
  readonly crypto: CryptoProvider;
  /** Since 1970; asked anew on each retry. */
  nowSeconds(): number;
}

/** What a new entry may take the place of. Unknown children count as files. */
export type Overwrite = 'anything' | 'files' | 'nothing';

/** What is to be linked; without metadata an entry that is replaced leaves it its own. */
export interface Link {
  readonly name: string;
  readonly child: Child;
  readonly metadata?: Metadata | undefined;
}

/** What must be so for an entry to be removed. */
export interface RemovalConditions {
  /** Otherwise it may be absent. */
  readonly mustExist?: boolean;
  /** An unknown child passes for both. */
  readonly mustBe?: 'file' | 'directory' | undefined;
  /** Another child by the name is left alone. */
  readonly onlyChild?: Child;
}

/**
 * Links all of `links`, or none.
 * The change throws ERR_CHILD_EXISTS when a name is taken by what may not be replaced.
 */
export function linking(
  context: ChangeContext,
  links: readonly Link[],
  overwrite: Overwrite = 'anything',
): DirectoryChange<void> {
  const own = new OwnEntries();
  return (edit) => {
    for (const link of links) linkOne(context, edit, own, link, overwrite);
  };
}

/**
 * Removes an entry.
 * The change returns it, undefined when it was not there, and throws ERR_NO_SUCH_CHILD or ERR_CHILD_TYPE.
 */
export function unlinking(
  { crypto }: ChangeContext,
  name: string,
  { mustExist = true, mustBe, onlyChild }: RemovalConditions = {},
): DirectoryChange<DirectoryEntry | undefined> {
  return (edit, isFirst) => {
    const entry = edit.entry(name);
    if (entry === undefined) {
      if (mustExist && isFirst) throw noSuchChild(name);
      return undefined;
    }
    const type = typeOfChild(entry.child);
    if (mustBe !== undefined && type !== 'unknown' && type !== mustBe) {
      throw new TahoeError('ERR_CHILD_TYPE', { name: entry.name, expected: mustBe });
    }
    if (onlyChild !== undefined && !equalChildren(crypto, entry.child, onlyChild)) return undefined;
    edit.remove(name);
    return entry;
  };
}

/**
 * Gives an entry another name, in one step. Its metadata go along; its times begin anew, as with a new link.
 * The change throws ERR_NO_SUCH_CHILD, and ERR_CHILD_EXISTS as `linking` does.
 */
export function renaming(
  context: ChangeContext,
  from: string,
  to: string,
  overwrite: Overwrite = 'anything',
): DirectoryChange<void> {
  const own = new OwnEntries();
  return (edit, isFirst) => {
    if (normalizeName(from) === normalizeName(to)) return;
    const entry = edit.entry(from);
    if (entry === undefined) {
      if (!isFirst && own.has(edit, to)) return;
      throw noSuchChild(from);
    }
    linkOne(context, edit, own, { ...entry, name: to }, overwrite);
    edit.remove(from);
  };
}

/**
 * Replaces the metadata of an entry, all but `tahoe`.
 * The change throws ERR_NO_SUCH_CHILD.
 */
export function describing(context: ChangeContext, name: string, metadata: Metadata): DirectoryChange<void> {
  return (edit) => {
    const entry = edit.entry(name);
    if (entry === undefined) throw noSuchChild(name);
    edit.set(linkedEntry(context, entry, { name, child: entry.child, metadata }));
  };
}

/** The entries that one change made, in whatever run. */
class OwnEntries {
  readonly #packed = new Map<string, Uint8Array[]>();

  add(name: string, packed: Uint8Array): void {
    this.#packed.set(name, [...(this.#packed.get(name) ?? []), packed]);
  }

  has(edit: DirectoryEdit, name: string): boolean {
    const stored = edit.stored(name);
    if (stored === undefined) return false;
    return (this.#packed.get(stored.name) ?? []).some((packed) => equalBytes(packed, stored.packed));
  }
}

function linkOne(context: ChangeContext, edit: DirectoryEdit, own: OwnEntries, link: Link, overwrite: Overwrite): void {
  const old = edit.entry(link.name);
  if (old !== undefined && !own.has(edit, link.name)) {
    const existing = typeOfChild(old.child);
    if (overwrite === 'nothing' || (overwrite === 'files' && existing === 'directory')) {
      throw new TahoeError('ERR_CHILD_EXISTS', { name: old.name, existing });
    }
  }
  const { name, packed } = edit.set(linkedEntry(context, old, link));
  own.add(name, packed);
}

function linkedEntry(context: ChangeContext, old: NewEntry | undefined, { name, child, metadata }: Link): NewEntry {
  const updated = updateMetadata(old?.metadata, metadata, context.nowSeconds());
  return { name, child: forbidsWriting(updated) ? readOnlyChild(context.crypto, child) : child, metadata: updated };
}

function noSuchChild(name: string): TahoeError {
  return new TahoeError('ERR_NO_SUCH_CHILD', { name });
}
