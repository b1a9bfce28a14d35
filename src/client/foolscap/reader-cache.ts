/** The readers of shares that a server has given out, by storage index, until the longest unused make room. */
import { formatBase32 } from '#core/base32.js';
import type { RemoteReference } from '#wire/foolscap/tub.js';

/** Storage indexes whose readers are kept. */
const INDEX_COUNT_MAX = 64;

/** The readers of one storage index. */
export type Readers = ReadonlyMap<number, RemoteReference>;

/** Of one connection to one server. */
export class ReaderCache {
  readonly #kept = new Map<string, Readers>();

  get(storageIndex: Uint8Array): Readers | undefined {
    const key = formatBase32(storageIndex);
    const readers = this.#kept.get(key);
    if (readers === undefined) return undefined;
    this.#kept.delete(key);
    if ([...readers.values()].some((reader) => !reader.connected)) return undefined;
    this.#kept.set(key, readers);
    return readers;
  }

  /** Keeps these in place of any others of the index. */
  put(storageIndex: Uint8Array, readers: Readers): void {
    this.forget(storageIndex);
    this.#kept.set(formatBase32(storageIndex), readers);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > INDEX_COUNT_MAX && oldest !== undefined) this.#drop(oldest);
  }

  forget(storageIndex: Uint8Array): void {
    this.#drop(formatBase32(storageIndex));
  }

  clear(): void {
    for (const key of [...this.#kept.keys()]) this.#drop(key);
  }

  #drop(key: string): void {
    for (const reader of this.#kept.get(key)?.values() ?? []) reader.release();
    this.#kept.delete(key);
  }
}
