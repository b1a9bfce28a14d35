/**
 * A directory being changed: its entries by name, of which only those are opened that are asked for. All others keep
 * their very bytes, whatever wrote them and whether they are understood here or not.
 *
 * An entry whose capabilities break a rule is hidden: it is as if its name were free, and it stays until it is taken.
 */
import type { CryptoProvider } from '../crypto.js';
import { joinEntries, openEntry, packEntry, splitDirectory } from './entries.js';
import type { DirectoryEntry, NewEntry, StoredEntry, WriteAccess } from './entries.js';
import { normalizeName } from './names.js';

/** The contents of one mutable directory on their way from old to new. */
export class DirectoryEdit {
  readonly #crypto: CryptoProvider;
  readonly #access: WriteAccess;
  readonly #stored: Map<string, StoredEntry>;
  #changed = false;

  /** @throws ERR_DIRECTORY, ERR_TOO_LARGE */
  constructor(crypto: CryptoProvider, access: WriteAccess, contents: Uint8Array) {
    this.#crypto = crypto;
    this.#access = access;
    this.#stored = splitDirectory(contents);
  }

  /** The entry of that name; undefined when there is none to be seen. @throws ERR_CHILD_NAME, ERR_DIRECTORY */
  entry(name: string): DirectoryEntry | undefined {
    const stored = this.stored(name);
    const entry = stored && openEntry(this.#crypto, this.#access, stored);
    return entry === undefined || 'reason' in entry ? undefined : entry;
  }

  /** The same as it is stored. */
  stored(name: string): StoredEntry | undefined {
    return this.#stored.get(normalizeName(name));
  }

  /** Puts an entry in place of whatever has its name. @returns it as it is stored. @throws as `packEntry` */
  set(entry: NewEntry): StoredEntry {
    const stored = packEntry(this.#crypto, this.#access, entry);
    this.#stored.set(stored.name, stored);
    this.#changed = true;
    return stored;
  }

  /** Takes out what has that name. */
  remove(name: string): void {
    if (this.#stored.delete(normalizeName(name))) this.#changed = true;
  }

  /** The new contents; undefined when nothing was changed. @throws ERR_TOO_MANY, ERR_TOO_LARGE */
  finish(): Uint8Array | undefined {
    return this.#changed ? joinEntries(this.#stored.values()) : undefined;
  }
}
