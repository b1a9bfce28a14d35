/**
 * One look at a share file or a directory, as the index needs it: by system calls that wait, for a thread that has
 * nothing else to do. Nothing is ever written here.
 *
 * Names that are no share's are left to the caller, and so are links, pipes and directories in a share's place. A
 * file that is there and makes no sense is a damaged share. No secret leaves this module.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { isTahoeError } from '#core/errors.js';
import { nativeBulkCrypto } from '#core/native-bulk-crypto.js';
import { systemCodeOf } from '../disk-error.js';
import { LEASE_COUNT_MAX } from '../share-store.js';
import { dataOffsetOf, decodeShareLayout, readShareFacts } from './share-facts.js';
import type { ShareFacts } from './share-facts.js';

/** What is read of a file at first: of a small share it is everything. */
const FIRST_READ_SIZE = 4096;
/** The most that leases may take behind a share's data. */
const TAIL_SIZE_MAX = (LEASE_COUNT_MAX + 4) * 92;
const BLOCK_SIZE = 512;
/** Where data are read for a checksum, a piece after the other. */
const digestRoom = new Uint8Array(64 * 1024);

/** What opening and reading say of files that are there and cannot be read. */
export const unreadableCodes: readonly string[] = ['EACCES', 'EPERM', 'EIO'];
/** What opening says of a place where no share file is. */
export const absentCodes: readonly string[] = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'EISDIR'];

/** What to look at: the names in a directory, a path from outside, or a share file from inside. */
export interface Look {
  readonly kind: 'names' | 'path' | 'share';
  readonly path: string;
  /** A mutable share with so many bytes of data at most is read as a whole, for its checksum; none unless given. */
  readonly digestSizeMax?: number | undefined;
}

/** A path from outside. Sizes in bytes. */
export interface PathFacts {
  readonly isFile: boolean;
  readonly isDirectory: boolean;
  readonly size: number;
  readonly diskBytes: number;
  readonly inode: bigint;
  /** Nanoseconds since 1970. */
  readonly modifiedNs: bigint;
}

/** A share file from inside: its facts, or why it makes no sense. */
export type ShareLook = PathFacts &
  (
    | {
        readonly facts: ShareFacts;
        /** The SHA-256 of its data, where that was asked for; undefined where they changed meanwhile. */
        readonly checksum?: Uint8Array | undefined;
      }
    | { readonly damage: string }
  );

/** What was seen; undefined where there is nothing of the kind. `failure` is the system's code. */
export type Seen =
  | { readonly names: readonly string[] | undefined }
  | { readonly path: PathFacts | undefined }
  | { readonly share: ShareLook | undefined }
  | { readonly failure: string };

/** Looks. Never throws. */
export function lookAt({ digestSizeMax, kind, path }: Look): Seen {
  try {
    switch (kind) {
      case 'names':
        return { names: readdirSync(path) };
      case 'path':
        return { path: factsOf(lstatSync(path, { bigint: true })) };
      case 'share':
        return { share: lookInto(path, digestSizeMax) };
    }
  } catch (error) {
    const code = systemCodeOf(error) ?? 'EIO';
    if (!absentCodes.includes(code)) return { failure: code };
    return kind === 'names' ? { names: undefined } : kind === 'path' ? { path: undefined } : { share: undefined };
  }
}

function lookInto(path: string, digestSizeMax = -1): ShareLook | undefined {
  try {
    // Without O_NONBLOCK, opening a pipe would wait for somebody at its other end.
    const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const facts = factsOf(fstatSync(file, { bigint: true }));
      if (!facts.isFile) return undefined;
      const read = readFacts(file, facts.size);
      const isDigested = 'facts' in read && read.facts.kind === 'mutable' && read.facts.dataSize <= digestSizeMax;
      return isDigested ? { ...facts, ...read, checksum: digest(file, facts, read.facts) } : { ...facts, ...read };
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const code = systemCodeOf(error) ?? '';
    if (!unreadableCodes.includes(code)) throw error;
    const facts = factsOf(lstatSync(path, { bigint: true }));
    if (!facts.isFile) throw error;
    return { ...facts, damage: `it cannot be read (${code})` };
  }
}

function readFacts(file: number, fileSize: number): { readonly facts: ShareFacts } | { readonly damage: string } {
  const head = readAt(file, 0, Math.min(fileSize, FIRST_READ_SIZE));
  try {
    const layout = decodeShareLayout(head, fileSize);
    const tailSize = Math.min(layout.tailSize, TAIL_SIZE_MAX);
    const tailEnd = layout.tailOffset + tailSize;
    const isInHead = tailEnd <= head.length;
    const tail = isInHead ? head.subarray(layout.tailOffset, tailEnd) : readAt(file, layout.tailOffset, tailSize);
    return { facts: readShareFacts(layout, tail) };
  } catch (error) {
    if (!isTahoeError(error, 'ERR_CONTAINER')) throw error;
    return { damage: error.facts.reason };
  }
}

/** The checksum of the data of a share; undefined where the file is not any more what it was. */
function digest(file: number, before: PathFacts, { dataSize, kind }: ShareFacts): Uint8Array | undefined {
  const hasher = nativeBulkCrypto.sha256Hasher();
  const offset = dataOffsetOf(kind);
  for (let done = 0; done < dataSize;) {
    const count = readSync(file, digestRoom, 0, Math.min(digestRoom.length, dataSize - done), offset + done);
    if (count === 0) return undefined;
    hasher.update(digestRoom.subarray(0, count));
    done += count;
  }
  const { modifiedNs, size } = factsOf(fstatSync(file, { bigint: true }));
  return modifiedNs === before.modifiedNs && size === before.size ? hasher.digest() : undefined;
}

function readAt(file: number, offset: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let filled = 0;
  while (filled < size) {
    const count = readSync(file, bytes, filled, size - filled, offset + filled);
    if (count === 0) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}

function factsOf(stats: BigIntStats): PathFacts {
  return {
    isFile: stats.isFile(),
    isDirectory: stats.isDirectory(),
    size: Number(stats.size),
    diskBytes: Number(stats.blocks) * BLOCK_SIZE,
    inode: stats.ino,
    modifiedNs: stats.mtimeNs,
  };
}
