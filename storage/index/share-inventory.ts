/**
 * The share files of a storage directory, as the index reads them: which there are, what each of them is, what
 * it takes of the disk, the checksum of its data. Nothing is ever written here.
 *
 * Names that are no share's are passed by, and so are links, pipes and directories in a share's place. A file
 * that is there and makes no sense is a damaged share.
 */
import { constants, lstat, open, readdir } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import { join } from 'node:path';
import { formatBase32, parseBase32 } from '#core/base32.js';
import type { CryptoProvider, Hasher } from '#core/crypto.js';
import type { Clock } from '#core/environment.js';
import { isTahoeError } from '#core/errors.js';
import { diskError, onDisk, systemCodeOf } from '../disk-error.js';
import { shareNumberOfEntry } from '../disk-layout.js';
import type { DiskLayout } from '../disk-layout.js';
import { LEASE_COUNT_MAX } from '../share-store.js';
import type { SharePlace } from '../store-events.js';
import { decodeShareLayout, readShareFacts } from './share-facts.js';
import type { ShareFacts, ShareLayout } from './share-facts.js';
import type { FileStamp } from './share-record.js';

/** The most that is read of a share at a time, in bytes. */
export const READ_SIZE_MAX = 1_048_576;

/** What is read of a file at first: of a small share it is everything. */
const FIRST_READ_SIZE = 4096;
/** The most that leases may take behind a share's data. */
const TAIL_SIZE_MAX = (LEASE_COUNT_MAX + 4) * 92;
/** Files changed so shortly ago may change again without another time of modification. */
const TIME_RESOLUTION_MS = 20;
const BLOCK_SIZE = 512;
const INDEX_TEXT_LENGTH = 26;
const PREFIX_LENGTH = 2;

/** What opening and reading say of files that are there and cannot be read. */
const unreadableCodes: readonly string[] = ['EACCES', 'EPERM', 'EIO'];
/** What opening says of a place where no share file is. */
const absentCodes: readonly string[] = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'EISDIR'];

/** A share file from outside. Sizes in bytes. */
export interface SeenFile {
  readonly fileSize: number;
  readonly diskBytes: number;
  readonly stamp: FileStamp;
}

/** A share file that was looked into: its facts, or why it makes no sense. */
export type SeenShare = SeenFile & ({ readonly facts: ShareFacts } | { readonly damage: string });

/** A share whose data were read as a whole. `checksum` is undefined where the share is damaged, or changed meanwhile. */
export interface DigestedShare {
  readonly share: SeenShare;
  readonly checksum: Uint8Array | undefined;
}

/** Asks for leave to read so many bytes; resolves when they may be read. */
export type Pace = (sizeBytes: number) => Promise<void>;

/** The directory of one storage index. */
export interface SeenDirectory {
  readonly diskBytes: number;
  readonly shareNumbers: readonly number[];
}

/** Reads one storage directory. */
export class ShareInventory {
  readonly #layout: DiskLayout;
  readonly #clock: Clock;

  constructor(layout: DiskLayout, clock: Clock) {
    this.#layout = layout;
    this.#clock = clock;
  }

  /** The first two characters of all storage indexes, in the order of their bytes. @throws ERR_DISK. */
  async prefixes(): Promise<string[]> {
    const names = await entriesOf(this.#layout.shares);
    return names.filter((name) => prefixOrder(name) >= 0).sort((a, b) => prefixOrder(a) - prefixOrder(b));
  }

  /** The storage indexes that begin so, in order. @throws ERR_DISK. */
  async storageIndexes(prefix: string): Promise<Uint8Array[]> {
    const names = await entriesOf(join(this.#layout.shares, prefix));
    const indexes = names.filter((name) => name.startsWith(prefix)).map(parseStorageIndex);
    return indexes.filter((index) => index !== undefined).sort((a, b) => Buffer.compare(a, b));
  }

  /** The directory of a storage index; undefined when there is none. @throws ERR_DISK. */
  async directory(storageIndex: Uint8Array): Promise<SeenDirectory | undefined> {
    const path = this.#layout.indexDirectory(storageIndex);
    const stats = await statIfThere(path);
    if (stats?.isDirectory() !== true) return undefined;
    const shareNumbers = (await entriesOf(path)).map(shareNumberOfEntry).filter((number) => number !== undefined);
    return { diskBytes: blocks(stats), shareNumbers: shareNumbers.sort((a, b) => a - b) };
  }

  /** What the directory of all indexes that begin so takes, or without a prefix that of all shares. @throws ERR_DISK. */
  async directoryBytes(prefix = ''): Promise<number> {
    const stats = await statIfThere(join(this.#layout.shares, prefix));
    return stats === undefined ? 0 : blocks(stats);
  }

  /** What each directory above those of the shares takes, the empty ones too: '' is that of all. @throws ERR_DISK. */
  async prefixBytes(): Promise<Map<string, number>> {
    const sizes = new Map<string, number>();
    for (const prefix of ['', ...(await this.prefixes())]) sizes.set(prefix, await this.directoryBytes(prefix));
    return sizes;
  }

  /** What uploads in progress take. @throws ERR_DISK. */
  async incomingBytes(): Promise<number> {
    return treeBytes(this.#layout.incoming);
  }

  /** A share file from outside; undefined when there is none. @throws ERR_DISK. */
  async look(place: SharePlace): Promise<SeenFile | undefined> {
    const stats = await statIfThere(this.#path(place));
    return stats?.isFile() === true ? this.#seen(stats) : undefined;
  }

  /** Looks into a share file; undefined when there is none. @throws ERR_DISK. */
  async examine(place: SharePlace): Promise<SeenShare | undefined> {
    const look = async (handle: FileHandle, stats: BigIntStats): Promise<SeenShare> =>
      (await this.#read(handle, stats)).share;
    return this.#withFile(place, look, (share) => share);
  }

  /** Reads all data of a share, at most READ_SIZE_MAX at a time; undefined when there is none. @throws ERR_DISK. */
  async digest(place: SharePlace, crypto: CryptoProvider, pace: Pace = unpaced): Promise<DigestedShare | undefined> {
    const digest = async (handle: FileHandle, before: BigIntStats): Promise<DigestedShare> => {
      const { share, layout } = await this.#read(handle, before);
      if (layout === undefined) return { share, checksum: undefined };
      const hasher = crypto.sha256Hasher();
      const isWhole = await hashData(handle, layout, hasher, pace);
      const after = await onDisk('looking at a share', () => handle.stat({ bigint: true }));
      const isSame = after.mtimeNs === before.mtimeNs && after.size === before.size;
      return { share, checksum: isWhole && isSame ? hasher.digest() : undefined };
    };
    return this.#withFile(place, digest, (share) => ({ share, checksum: undefined }));
  }

  #path({ storageIndex, shareNumber }: SharePlace): string {
    return this.#layout.share(storageIndex, shareNumber);
  }

  /** Opens a share file for `action`; a file that cannot be read is given to `unreadable` instead. */
  async #withFile<Result>(
    place: SharePlace,
    action: (handle: FileHandle, stats: BigIntStats) => Promise<Result>,
    unreadable: (share: SeenShare) => Result,
  ): Promise<Result | undefined> {
    try {
      // Without O_NONBLOCK, opening a pipe would wait for somebody at its other end.
      const handle = await open(this.#path(place), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      try {
        const stats = await handle.stat({ bigint: true });
        return stats.isFile() ? await action(handle, stats) : undefined;
      } finally {
        await handle.close();
      }
    } catch (error) {
      const code = systemCodeOf(isTahoeError(error, 'ERR_DISK') ? error.cause : error) ?? '';
      if (absentCodes.includes(code)) return undefined;
      const file = unreadableCodes.includes(code) ? await this.look(place) : undefined;
      if (file !== undefined) return unreadable({ ...file, damage: `it cannot be read (${code})` });
      throw diskError('looking at a share', error);
    }
  }

  async #read(
    handle: FileHandle,
    stats: BigIntStats,
  ): Promise<{ readonly share: SeenShare; readonly layout: ShareLayout | undefined }> {
    const fileSize = Number(stats.size);
    const head = await readAt(handle, 0, Math.min(fileSize, FIRST_READ_SIZE));
    try {
      const layout = decodeShareLayout(head, fileSize);
      const tailSize = Math.min(layout.tailSize, TAIL_SIZE_MAX);
      const tailEnd = layout.tailOffset + tailSize;
      const isInHead = tailEnd <= head.length;
      const tail = isInHead
        ? head.subarray(layout.tailOffset, tailEnd)
        : await readAt(handle, layout.tailOffset, tailSize);
      return { share: { ...this.#seen(stats), facts: readShareFacts(layout, tail) }, layout };
    } catch (error) {
      if (!isTahoeError(error, 'ERR_CONTAINER')) throw error;
      return { share: { ...this.#seen(stats), damage: error.facts.reason }, layout: undefined };
    }
  }

  #seen(stats: BigIntStats): SeenFile {
    const isSettled = this.#clock.nowMs() - Number(stats.mtimeNs / 1_000_000n) > TIME_RESOLUTION_MS;
    const stamp = { inode: stats.ino, modifiedNs: isSettled ? stats.mtimeNs : 0n };
    return { fileSize: Number(stats.size), diskBytes: blocks(stats), stamp };
  }
}

/** Adds a share's data to the hash. @returns whether all of them were there. */
async function hashData(handle: FileHandle, layout: ShareLayout, hasher: Hasher, pace: Pace): Promise<boolean> {
  const end = layout.dataOffset + layout.dataSize;
  for (let offset = layout.dataOffset; offset < end;) {
    const size = Math.min(READ_SIZE_MAX, end - offset);
    await pace(size);
    const bytes = await readAt(handle, offset, size);
    if (bytes.length < size) return false;
    hasher.update(bytes);
    offset += size;
  }
  return true;
}

async function readAt(handle: FileHandle, offset: number, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let filled = 0;
  while (filled < size) {
    const { bytesRead } = await onDisk('reading a share', () =>
      handle.read(bytes, filled, size - filled, offset + filled),
    );
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

function unpaced(): Promise<void> {
  return Promise.resolve();
}

function blocks(stats: BigIntStats): number {
  return Number(stats.blocks) * BLOCK_SIZE;
}

async function statIfThere(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    if (absentCodes.includes(systemCodeOf(error) ?? '')) return undefined;
    throw diskError('looking at a share', error);
  }
}

/** What a file or directory takes with everything in it; 0 where there is none. */
async function treeBytes(path: string): Promise<number> {
  const stats = await statIfThere(path);
  if (stats === undefined) return 0;
  let sum = blocks(stats);
  if (stats.isDirectory()) for (const name of await entriesOf(path)) sum += await treeBytes(join(path, name));
  return sum;
}

/** The names in a directory; none where there is no such directory. */
async function entriesOf(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (absentCodes.includes(systemCodeOf(error) ?? '')) return [];
    throw diskError('listing shares', error);
  }
}

/** 0 to 1023 for the beginning of a storage index, −1 for any other name. */
function prefixOrder(name: string): number {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
  const [first = '', second = ''] = name;
  if (name.length !== PREFIX_LENGTH || !alphabet.includes(first) || !alphabet.includes(second)) return -1;
  return alphabet.indexOf(first) * alphabet.length + alphabet.indexOf(second);
}

/** The 16 bytes that a directory is named after; undefined for any other name. */
function parseStorageIndex(name: string): Uint8Array | undefined {
  if (name.length !== INDEX_TEXT_LENGTH) return undefined;
  try {
    const bytes = parseBase32(name);
    return formatBase32(bytes) === name ? bytes : undefined;
  } catch (error) {
    if (isTahoeError(error, 'ERR_BASE32')) return undefined;
    throw error;
  }
}
