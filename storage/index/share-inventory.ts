/**
 * The share files of a storage directory, as the index reads them: which there are, what each of them is, what
 * it takes of the disk, the checksum of its data. Nothing is ever written here.
 *
 * Names that are no share's are passed by, and so are links, pipes and directories in a share's place. A file
 * that is there and makes no sense is a damaged share.
 */
import { constants, open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBase32, parseBase32 } from '#core/base32.js';
import type { CryptoProvider, Hasher } from '#core/crypto.js';
import type { Clock } from '#core/environment.js';
import { isTahoeError, TahoeError } from '#core/errors.js';
import { diskError, onDisk, systemCodeOf } from '../disk-error.js';
import { shareNumberOfEntry } from '../disk-layout.js';
import type { DiskLayout } from '../disk-layout.js';
import type { SharePlace } from '../store-events.js';
import { absentCodes, unreadableCodes } from './file-look.js';
import type { Look, PathFacts, Seen, ShareLook } from './file-look.js';
import { askToLook } from './looking-thread.js';
import { dataOffsetOf } from './share-facts.js';
import type { ShareFacts } from './share-facts.js';
import type { FileStamp } from './share-record.js';

/** The most that is read of a share at a time, in bytes. */
export const READ_SIZE_MAX = 1_048_576;

/** Files changed so shortly ago may change again without another time of modification. */
const TIME_RESOLUTION_MS = 20;
const INDEX_TEXT_LENGTH = 26;
const PREFIX_LENGTH = 2;

/** A share file from outside. Sizes in bytes. */
export interface SeenFile {
  readonly fileSize: number;
  readonly diskBytes: number;
  readonly stamp: FileStamp;
}

/** A share file that was looked into: its facts, or why it makes no sense. */
export type SeenShare = SeenFile &
  (
    | {
        readonly facts: ShareFacts;
        /** The SHA-256 of its data, where that was asked for; undefined where they changed meanwhile. */
        readonly checksum?: Uint8Array | undefined;
      }
    | { readonly damage: string }
  );

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
    const names = await this.#names(this.#layout.shares);
    return names.filter((name) => prefixOrder(name) >= 0).sort((a, b) => prefixOrder(a) - prefixOrder(b));
  }

  /** The storage indexes that begin so, in order. @throws ERR_DISK. */
  async storageIndexes(prefix: string): Promise<Uint8Array[]> {
    const names = await this.#names(join(this.#layout.shares, prefix));
    const indexes = names.filter((name) => name.startsWith(prefix)).map(parseStorageIndex);
    return indexes.filter((index) => index !== undefined).sort((a, b) => Buffer.compare(a, b));
  }

  /** The directory of a storage index; undefined when there is none. @throws ERR_DISK. */
  async directory(storageIndex: Uint8Array): Promise<SeenDirectory | undefined> {
    const path = this.#layout.indexDirectory(storageIndex);
    const [facts, names] = await Promise.all([this.#path(path), this.#names(path)]);
    if (facts?.isDirectory !== true) return undefined;
    const shareNumbers = names.map(shareNumberOfEntry).filter((number) => number !== undefined);
    return { diskBytes: facts.diskBytes, shareNumbers: shareNumbers.sort((a, b) => a - b) };
  }

  /** What the directory of all indexes that begin so takes, or without a prefix that of all shares. @throws ERR_DISK. */
  async directoryBytes(prefix = ''): Promise<number> {
    return (await this.#path(join(this.#layout.shares, prefix)))?.diskBytes ?? 0;
  }

  /** What each directory above those of the shares takes, the empty ones too: '' is that of all. @throws ERR_DISK. */
  async prefixBytes(): Promise<Map<string, number>> {
    const prefixes = ['', ...(await this.prefixes())];
    const sizes = await Promise.all(prefixes.map((prefix) => this.directoryBytes(prefix)));
    return new Map(prefixes.map((prefix, i) => [prefix, sizes[i] ?? 0]));
  }

  /** What uploads in progress take. @throws ERR_DISK. */
  async incomingBytes(): Promise<number> {
    return this.#treeBytes(this.#layout.incoming);
  }

  /** A share file from outside; undefined when there is none. @throws ERR_DISK. */
  async look(place: SharePlace): Promise<SeenFile | undefined> {
    const nowMs = this.#clock.nowMs();
    const facts = await this.#path(this.#pathOf(place));
    return facts?.isFile === true ? seenFile(facts, nowMs) : undefined;
  }

  /**
   * Looks into a share file; undefined when there is none.
   * @param digestSizeMax - how many bytes of data a mutable share may have whose checksum is made on the way.
   * @throws ERR_DISK.
   */
  async examine(place: SharePlace, digestSizeMax?: number): Promise<SeenShare | undefined> {
    const nowMs = this.#clock.nowMs();
    const share = await this.#share(place, digestSizeMax);
    return share && seenShare(share, nowMs);
  }

  async #share(place: SharePlace, digestSizeMax?: number): Promise<ShareLook | undefined> {
    const seen = await this.#look({ kind: 'share', path: this.#pathOf(place), digestSizeMax });
    return 'share' in seen ? seen.share : undefined;
  }

  /** Reads all data of a share, at most READ_SIZE_MAX at a time; undefined when there is none. @throws ERR_DISK. */
  async digest(place: SharePlace, crypto: CryptoProvider, pace: Pace = unpaced): Promise<DigestedShare | undefined> {
    const nowMs = this.#clock.nowMs();
    const seen = await this.#share(place);
    if (seen === undefined) return undefined;
    const share = seenShare(seen, nowMs);
    if (!('facts' in seen)) return { share, checksum: undefined };
    try {
      return { share, checksum: await this.#checksum(place, seen, crypto.sha256Hasher(), pace) };
    } catch (error) {
      const code = systemCodeOf(isTahoeError(error, 'ERR_DISK') ? error.cause : error) ?? '';
      if (absentCodes.includes(code)) return undefined;
      if (!unreadableCodes.includes(code)) throw diskError('looking at a share', error);
      return { share: { ...seenFile(seen, nowMs), damage: `it cannot be read (${code})` }, checksum: undefined };
    }
  }

  /** The checksum of the data of a share that was just looked at; undefined where it is another by now. */
  async #checksum(
    place: SharePlace,
    seen: PathFacts & { readonly facts: ShareFacts },
    hasher: Hasher,
    pace: Pace,
  ): Promise<Uint8Array | undefined> {
    const handle = await open(this.#pathOf(place), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const isSame = async (): Promise<boolean> => {
        const { ino, mtimeNs, size } = await handle.stat({ bigint: true });
        return ino === seen.inode && mtimeNs === seen.modifiedNs && Number(size) === seen.size;
      };
      const isHashed = (await isSame()) && (await hashData(handle, seen.facts, hasher, pace)) && (await isSame());
      return isHashed ? hasher.digest() : undefined;
    } finally {
      await handle.close();
    }
  }

  #pathOf({ storageIndex, shareNumber }: SharePlace): string {
    return this.#layout.share(storageIndex, shareNumber);
  }

  async #look(look: Look): Promise<Exclude<Seen, { failure: string }>> {
    const what = look.kind === 'names' ? 'listing shares' : 'looking at a share';
    const seen = await onDisk(what, () => askToLook(look));
    if ('failure' in seen) throw new TahoeError('ERR_DISK', { what, reason: seen.failure });
    return seen;
  }

  /** The names in a directory; none where there is no such directory. */
  async #names(path: string): Promise<readonly string[]> {
    const seen = await this.#look({ kind: 'names', path });
    return ('names' in seen ? seen.names : undefined) ?? [];
  }

  async #path(path: string): Promise<PathFacts | undefined> {
    const seen = await this.#look({ kind: 'path', path });
    return 'path' in seen ? seen.path : undefined;
  }

  /** What a file or directory takes with everything in it; 0 where there is none. */
  async #treeBytes(path: string): Promise<number> {
    const facts = await this.#path(path);
    if (facts?.isDirectory !== true) return facts?.diskBytes ?? 0;
    const sizes = await Promise.all((await this.#names(path)).map((name) => this.#treeBytes(join(path, name))));
    return sizes.reduce((sum, size) => sum + size, facts.diskBytes);
  }
}

/** @param nowMs - before it was looked at. */
function seenShare(share: ShareLook, nowMs: number): SeenShare {
  const file = seenFile(share, nowMs);
  if (!('facts' in share)) return { ...file, damage: share.damage };
  return { ...file, facts: share.facts, ...(share.checksum === undefined ? {} : { checksum: share.checksum }) };
}

/** @param nowMs - before it was looked at. */
function seenFile({ diskBytes, inode, modifiedNs, size }: PathFacts, nowMs: number): SeenFile {
  const isSettled = nowMs - Number(modifiedNs / 1_000_000n) > TIME_RESOLUTION_MS;
  return { fileSize: size, diskBytes, stamp: { inode, modifiedNs: isSettled ? modifiedNs : 0n } };
}

/** Adds a share's data to the hash. @returns whether all of them were there. */
async function hashData(handle: FileHandle, facts: ShareFacts, hasher: Hasher, pace: Pace): Promise<boolean> {
  const end = dataOffsetOf(facts.kind) + facts.dataSize;
  for (let offset = dataOffsetOf(facts.kind); offset < end;) {
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
