/**
 * What a node still has of versions that it read or wrote: contents, and the hashes of all records.
 *
 * A look at the servers says which version is the newest one. Where that is a version from here, named by every byte
 * that its signature covers, nothing of it has to be fetched again. So what is kept is never out of date, only of no
 * use any more; one version is kept of each file. Where writers have destroyed a file it may be all that is left of it.
 */
import { toHex } from '#core/bytes.js';
import { nameVersion } from '#core/mutable/version.js';
import type { MutableVersion } from '#core/mutable/version.js';
import type { Servermap } from './servermap.js';

/** How much is kept of all files together, in bytes; what was touched longest ago goes first. */
export const KNOWN_SIZE_MAX = 16_777_216;
/** The largest contents that are kept, in bytes. */
export const KNOWN_CONTENTS_SIZE_MAX = 1_048_576;
/** For so long a writer trusts that shares are as it left them, and tries without a look, in milliseconds. */
const WRITTEN_AGE_MAX_MS = 30_000;
/** How many files are kept. */
const KNOWN_FILES_MAX = 1024;

/** What is known of one version. Nobody changes it. */
export interface KnownVersion {
  readonly contents?: Uint8Array | undefined;
  /** By share number, in the order of the segments. 32 bytes each. */
  readonly recordHashes?: readonly (readonly Uint8Array[])[] | undefined;
  /** Where this node has put all of its shares, and when, on a clock that only grows. */
  readonly written?: { readonly map: Servermap; readonly atMs: number } | undefined;
}

/** A version that this node has written a moment ago. */
export interface WrittenVersion {
  readonly map: Servermap;
  readonly contents: Uint8Array | undefined;
}

interface Kept extends KnownVersion {
  readonly name: string;
  readonly sequenceNumber: number;
  readonly size: number;
}

/** The versions that are known. */
export class KnownVersions {
  readonly #kept = new Map<string, Kept>();
  readonly #sizeMax: number;
  #size = 0;

  constructor(sizeMax = KNOWN_SIZE_MAX) {
    this.#sizeMax = sizeMax;
  }

  /** How much is kept, in bytes. */
  get size(): number {
    return this.#size;
  }

  /** What is known of exactly this version of the file. @param storageIndex - 16 bytes. */
  of(storageIndex: Uint8Array, version: MutableVersion): KnownVersion {
    const key = toHex(storageIndex);
    const kept = this.#kept.get(key);
    if (kept?.name !== nameVersion(version)) return {};
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    return kept;
  }

  /** The version that is kept of the file, where its contents are. @param storageIndex - 16 bytes. */
  newest(storageIndex: Uint8Array): { readonly sequenceNumber: number; readonly contents: Uint8Array } | undefined {
    const { contents, sequenceNumber } = this.#kept.get(toHex(storageIndex)) ?? {};
    return contents && sequenceNumber ? { contents, sequenceNumber } : undefined;
  }

  /**
   * What the file is as far as this node knows, when it wrote that itself a moment ago. Whoever writes on top of it
   * finds out from the servers whether somebody else was there. Given once: who tries and fails has to look.
   */
  takeWritten(storageIndex: Uint8Array, nowMs: number): WrittenVersion | undefined {
    const key = toHex(storageIndex);
    const kept = this.#kept.get(key);
    if (kept?.written === undefined) return undefined;
    const { contents, written } = kept;
    this.#kept.set(key, { ...kept, written: undefined });
    return nowMs - written.atMs < WRITTEN_AGE_MAX_MS ? { map: written.map, contents } : undefined;
  }

  /** Keeps it in place of what was known of the file. Contents that are too large are left out; others are copied. */
  keep(storageIndex: Uint8Array, version: MutableVersion, { contents, recordHashes, written }: KnownVersion): void {
    const key = toHex(storageIndex);
    this.#drop(key);
    const own = contents !== undefined && contents.length <= KNOWN_CONTENTS_SIZE_MAX ? contents.slice() : undefined;
    const hashesSize = (recordHashes ?? []).reduce((sum, hashes) => sum + 32 * hashes.length, 0);
    const size = (own?.length ?? 0) + hashesSize;
    if (size > this.#sizeMax) return;
    const { sequenceNumber } = version;
    this.#kept.set(key, { name: nameVersion(version), sequenceNumber, contents: own, recordHashes, written, size });
    this.#size += size;
    for (const oldest of this.#kept.keys()) {
      if (this.#size <= this.#sizeMax && this.#kept.size <= KNOWN_FILES_MAX) break;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    this.#kept.delete(key);
    this.#size -= kept.size;
  }
}
