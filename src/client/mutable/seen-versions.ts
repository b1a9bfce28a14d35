/**
 * The highest version of each mutable file that this node has read or written, so that servers cannot pass an older
 * one off as the newest. Only versions that were whole are kept: one that a writer left unfinished may never be.
 */
import { formatBase32 } from '#core/base32.js';
import { toHex } from '#core/bytes.js';
import type { Log } from '#core/environment.js';
import { reasonOf, TahoeError } from '#core/errors.js';

/** What is remembered of a version. */
export interface SeenVersion {
  readonly sequenceNumber: number;
  /** 32 bytes. */
  readonly rootHash: Uint8Array;
}

/** A memory of versions. Storage indexes are 16 bytes. */
export interface SeenVersions {
  /** The highest that was seen of a file; undefined when none was. */
  highest(storageIndex: Uint8Array): Promise<SeenVersion | undefined>;
  /** Remembers a version, unless a higher one is remembered. Durable, where the memory is, when it returns. */
  saw(storageIndex: Uint8Array, version: SeenVersion): Promise<void>;
}

/** Remembers a version if it can: what was read is right, and what was written is done, whether it can or not. */
export async function remember(
  { log, seen }: { readonly log: Log; readonly seen: SeenVersions },
  storageIndex: Uint8Array,
  version: SeenVersion,
): Promise<void> {
  try {
    await seen.saw(storageIndex, version);
  } catch (error) {
    log.error('seen version not kept', { reason: reasonOf(error) });
  }
}

/** @throws ERR_ROLLED_BACK when a higher version was seen, unless `acceptOlder` says that this is known. */
export async function checkNotRolledBack(
  { log, seen }: { readonly log: Log; readonly seen: SeenVersions },
  storageIndex: Uint8Array,
  version: SeenVersion,
  options: { readonly acceptOlder?: boolean },
): Promise<void> {
  judge(log, storageIndex, version, (await seen.highest(storageIndex))?.sequenceNumber ?? 0, options);
}

function judge(
  log: Log,
  storageIndex: Uint8Array,
  { sequenceNumber }: SeenVersion,
  highest: number,
  { acceptOlder }: { readonly acceptOlder?: boolean },
): void {
  if (sequenceNumber >= highest) return;
  const facts = { storageIndex: formatBase32(storageIndex), sequenceNumber, highest };
  log.error('mutable file rolled back', facts);
  if (acceptOlder !== true) throw new TahoeError('ERR_ROLLED_BACK', facts);
}

/** How a version that was found is judged. */
export interface NewestOptions {
  readonly acceptOlder?: boolean;
  readonly mayWait: boolean;
  /** The highest that was seen before it was looked for. */
  readonly seenBefore: SeenVersion | undefined;
}

/**
 * Whether no higher version was seen before, or the caller knows of it.
 * @throws ERR_ROLLED_BACK when one was, unless `mayWait` says that the higher one may still be under way.
 */
export function isNewest(
  { log }: { readonly log: Log },
  storageIndex: Uint8Array,
  version: SeenVersion,
  options: NewestOptions,
): boolean {
  const highest = options.seenBefore?.sequenceNumber ?? 0;
  if (options.mayWait && options.acceptOlder !== true && version.sequenceNumber < highest) return false;
  judge(log, storageIndex, version, highest, options);
  return true;
}

/** How many files are remembered; those that were touched longest ago are forgotten. */
export const SEEN_FILES_MAX = 65_536;

/** A table of versions that keeps the files which were touched last. */
export class SeenTable {
  readonly #versions = new Map<string, SeenVersion>();
  readonly #filesMax: number;

  constructor(filesMax = SEEN_FILES_MAX) {
    this.#filesMax = filesMax;
  }

  get size(): number {
    return this.#versions.size;
  }

  /** All of it, by storage index in hexadecimal, the longest untouched first. */
  entries(): Iterable<[string, SeenVersion]> {
    return this.#versions.entries();
  }

  get(storageIndex: Uint8Array): SeenVersion | undefined {
    const key = toHex(storageIndex);
    const version = this.#versions.get(key);
    if (version === undefined) return undefined;
    this.#versions.delete(key);
    this.#versions.set(key, version);
    return version;
  }

  /** @returns whether it is news: a higher version, or another of the same number. */
  raise(storageIndex: Uint8Array, { sequenceNumber, rootHash }: SeenVersion): boolean {
    const known = this.get(storageIndex);
    if (known !== undefined && known.sequenceNumber > sequenceNumber) return false;
    if (known?.sequenceNumber === sequenceNumber && toHex(known.rootHash) === toHex(rootHash)) return false;
    const key = toHex(storageIndex);
    this.#versions.delete(key);
    this.#versions.set(key, { sequenceNumber, rootHash: rootHash.slice() });
    for (const oldest of this.#versions.keys()) {
      if (this.#versions.size <= this.#filesMax) break;
      this.#versions.delete(oldest);
    }
    return true;
  }
}

/** A memory that ends with the process. */
export function createSeenVersions(filesMax?: number): SeenVersions {
  const table = new SeenTable(filesMax);
  return {
    highest: (storageIndex) => Promise.resolve(table.get(storageIndex)),
    saw: (storageIndex, version) => {
      table.raise(storageIndex, version);
      return Promise.resolve();
    },
  };
}
