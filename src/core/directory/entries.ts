/**
 * The contents of a directory: a file that is one netstring after the other, each an entry of four.
 *
 *     entry = NS( NS(name) NS(capability to read) NS(sealed write slot) NS(metadata) )
 *
 * Entries stand in the order of their names. An empty directory is an empty file. In an immutable directory the write
 * slot is empty. More may follow the four; it is kept. Of equal names the last counts.
 *
 * Splitting finds names and fields; opening understands one entry; so a change opens only what it touches.
 * @see Tahoe-LAFS docs/specifications/dirnodes.rst
 */
import { join, utf8 } from '../bytes.js';
import type { CryptoProvider } from '../crypto.js';
import { isTahoeError, reasonOf, TahoeError } from '../errors.js';
import { decodeNetstring, encodeNetstring } from '../netstring.js';
import { childOfSlots, objectionToImmutable, slotsOf, storedReadSlot } from './child.js';
import type { Child } from './child.js';
import { formatPythonJson } from './json-format.js';
import { parsePythonJson } from './json-parse.js';
import type { JsonBudget } from './json-parse.js';
import { isJsonObject } from './json-value.js';
import type { Metadata } from './metadata.js';
import { compareNames, decodeName, normalizeName } from './names.js';
import { openWriteSlot, sealWriteSlot } from './write-slot.js';

/** The largest directory that is read or written, in bytes: some 150 000 entries. */
export const DIRECTORY_SIZE_MAX = 67_108_864;
/** The most entries of one directory. */
export const ENTRY_COUNT_MAX = 200_000;
/** The most JSON values in the metadata of all entries of one directory; an entry usually has four. */
export const METADATA_VALUES_MAX = 2_000_000;

/** Opens and seals the entries of a mutable directory. */
export interface WriteAccess {
  readonly kind: 'write';
  /** 16 bytes. */
  readonly writeKey: Uint8Array;
}

/** Reads the entries of a mutable directory, without what grants writing. */
export interface ReadAccess {
  readonly kind: 'read';
}

/** Reads or makes the entries of an immutable directory. */
export interface ImmutableAccess {
  readonly kind: 'immutable';
}

/** What the holder of a directory's capability may do with its entries. */
export type DirectoryAccess = WriteAccess | ReadAccess | ImmutableAccess;

/** What is to be linked. */
export interface NewEntry {
  readonly name: string;
  readonly child: Child;
  readonly metadata: Metadata;
}

/** An entry that was understood. */
export interface DirectoryEntry extends NewEntry {
  /** In normal form. */
  readonly name: string;
}

/** An entry whose capabilities break a rule: nobody gets to see them. */
export interface RefusedEntry {
  readonly name: string;
  readonly reason: string;
}

/** An entry as it is stored. */
export interface StoredEntry {
  readonly name: string;
  /** The four netstrings and whatever follows them. */
  readonly packed: Uint8Array;
}

/** A whole directory. */
export interface DirectoryListing {
  /** In the order of their names. */
  readonly entries: ReadonlyMap<string, DirectoryEntry>;
  /** What is hidden. */
  readonly refused: readonly RefusedEntry[];
}

/**
 * The entries of a directory as they are stored, by name, without looking into them. Views, not copies.
 * @throws ERR_DIRECTORY when the contents are damaged or too many, ERR_TOO_LARGE when they are too long.
 */
export function splitDirectory(contents: Uint8Array): Map<string, StoredEntry> {
  checkSize(contents.length);
  const entries = new Map<string, StoredEntry>();
  for (let offset = 0, number = 0; offset < contents.length; number++) {
    const { content, end } = inEntry(String(number), () => decodeNetstring(contents, offset));
    const name = inEntry(String(number), () => decodeName(decodeNetstring(content).content));
    entries.set(name, { name, packed: content });
    if (number >= ENTRY_COUNT_MAX) throw damaged(`it has more than ${String(ENTRY_COUNT_MAX)} entries`);
    offset = end;
  }
  return entries;
}

/**
 * The entry that a stored one is.
 * @param budget - of the directory's metadata.
 * @throws ERR_DIRECTORY when its fields or its metadata are damaged.
 */
export function openEntry(
  crypto: CryptoProvider,
  access: DirectoryAccess,
  { name, packed }: StoredEntry,
  budget: JsonBudget = { valuesLeft: METADATA_VALUES_MAX },
): DirectoryEntry | RefusedEntry {
  return inEntry(JSON.stringify(name), () => {
    const [, read, sealed, metadataBytes] = fieldsOf(packed);
    if (access.kind === 'immutable' && sealed.length > 0) throw damaged('it has a write slot and must not have one');
    const write = access.kind === 'write' ? openWriteSlot(crypto, access.writeKey, sealed) : new Uint8Array(0);
    const slots = { write: withoutTrailingSpaces(write), read: withoutTrailingSpaces(read) };
    const child = childOfSlots(slots, { deepImmutable: access.kind === 'immutable' });
    if (child.kind === 'refused') return { name, reason: child.reason };
    const metadata = parsePythonJson(metadataBytes, budget);
    if (!isJsonObject(metadata)) throw damaged('its metadata is no object');
    return { name, child, metadata };
  });
}

/** The write slot of a stored entry, sealed, for whoever wants to look at its MAC. */
export function writeSlotOf({ name, packed }: StoredEntry): Uint8Array {
  return inEntry(JSON.stringify(name), () => fieldsOf(packed)[2]);
}

/**
 * All entries of a directory.
 * @throws ERR_DIRECTORY, ERR_TOO_LARGE
 */
export function unpackDirectory(
  crypto: CryptoProvider,
  access: DirectoryAccess,
  contents: Uint8Array,
): DirectoryListing {
  const budget = { valuesLeft: METADATA_VALUES_MAX };
  const entries = new Map<string, DirectoryEntry>();
  const refused: RefusedEntry[] = [];
  for (const stored of sorted(splitDirectory(contents).values())) {
    const entry = openEntry(crypto, access, stored, budget);
    if ('reason' in entry) refused.push(entry);
    else entries.set(entry.name, entry);
  }
  return { entries, refused };
}

/**
 * An entry as it is stored.
 * @throws ERR_CHILD_NAME, ERR_JSON, and ERR_CHILD_CAPABILITY for what may not stand in an immutable directory.
 */
export function packEntry(
  crypto: CryptoProvider,
  access: WriteAccess | ImmutableAccess,
  { name: given, child, metadata }: NewEntry,
): StoredEntry {
  const name = normalizeName(given);
  const immutable = access.kind === 'immutable';
  const objection = immutable ? objectionToImmutable(child) : undefined;
  if (objection !== undefined) throw new TahoeError('ERR_CHILD_CAPABILITY', { name, reason: objection });
  const { write, read } = slotsOf(crypto, child);
  const fields = [
    utf8(name),
    storedReadSlot(read, immutable),
    immutable ? new Uint8Array(0) : sealWriteSlot(crypto, access.writeKey, write),
    utf8(formatPythonJson(metadata)),
  ];
  return { name, packed: join(fields.map(encodeNetstring)) };
}

/**
 * The contents of a directory of these entries. Of equal names the last counts.
 * @throws as `packEntry` and `joinEntries`
 */
export function packDirectory(
  crypto: CryptoProvider,
  access: WriteAccess | ImmutableAccess,
  entries: Iterable<NewEntry>,
): Uint8Array {
  const stored = new Map<string, StoredEntry>();
  for (const entry of entries) {
    const packed = packEntry(crypto, access, entry);
    stored.set(packed.name, packed);
  }
  return joinEntries(stored.values());
}

/**
 * The contents of a directory of stored entries, no two of one name.
 * @throws ERR_TOO_MANY, ERR_TOO_LARGE
 */
export function joinEntries(stored: Iterable<StoredEntry>): Uint8Array {
  const parts = sorted(stored).map(({ packed }) => encodeNetstring(packed));
  if (parts.length > ENTRY_COUNT_MAX) {
    throw new TahoeError('ERR_TOO_MANY', { what: 'entries in this directory', limit: ENTRY_COUNT_MAX });
  }
  checkSize(parts.reduce((size, part) => size + part.length, 0));
  return join(parts);
}

function sorted(stored: Iterable<StoredEntry>): StoredEntry[] {
  return [...stored].sort((a, b) => compareNames(a.name, b.name));
}

function fieldsOf(packed: Uint8Array): [name: Uint8Array, read: Uint8Array, sealed: Uint8Array, metadata: Uint8Array] {
  const name = decodeNetstring(packed);
  const read = decodeNetstring(packed, name.end);
  const sealed = decodeNetstring(packed, read.end);
  return [name.content, read.content, sealed.content, decodeNetstring(packed, sealed.end).content];
}

/** Capabilities may be filled up with spaces, so that their lengths tell less. */
function withoutTrailingSpaces(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0x20) end--;
  return bytes.subarray(0, end);
}

function checkSize(size: number): void {
  if (size <= DIRECTORY_SIZE_MAX) return;
  throw new TahoeError('ERR_TOO_LARGE', { what: 'directory', limitBytes: DIRECTORY_SIZE_MAX });
}

/** Does something with an entry; what fails is damage there. */
function inEntry<Result>(entry: string, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof TahoeError)) throw error;
    const reason = isTahoeError(error, 'ERR_DIRECTORY') ? error.facts.reason : reasonOf(error);
    throw damaged(`in entry ${entry}, ${reason}`, error);
  }
}

function damaged(reason: string, cause?: unknown): TahoeError {
  return new TahoeError('ERR_DIRECTORY', { reason }, { cause });
}
