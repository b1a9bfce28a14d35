/**
 * How much is stored, and how much more may be. Pure.
 *
 * `diskBytes` is what the file system has set aside, for files and for the directories they lie in, so that the
 * sum is what `du` says of the directory of the shares.
 */
import type { RecordKind, ShareRecord } from './share-record.js';

/** Shares of one kind, counted. Sizes in bytes. */
export interface KindUsage {
  readonly shareCount: number;
  readonly dataBytes: number;
  /** The files with their headers and leases. */
  readonly fileBytes: number;
  readonly diskBytes: number;
}

/** All shares, by kind; `damaged` are files that make no sense. */
export interface Usage extends Readonly<Record<RecordKind, KindUsage>> {
  /** What the directories themselves take. */
  readonly directoryBytes: number;
}

const nothing: KindUsage = { shareCount: 0, dataBytes: 0, fileBytes: 0, diskBytes: 0 };

/** Of an empty store. */
export const noUsage: Usage = { immutable: nothing, mutable: nothing, damaged: nothing, directoryBytes: 0 };

/** What a share adds to the sums. */
export type Countable = Pick<ShareRecord, 'kind' | 'dataSize' | 'fileSize' | 'diskBytes'>;

/** `usage` with one share more, or with `sign` −1 one less. */
export function countShare(usage: Usage, share: Countable, sign: 1 | -1 = 1): Usage {
  const before = usage[share.kind];
  const after: KindUsage = {
    shareCount: before.shareCount + sign,
    dataBytes: before.dataBytes + sign * share.dataSize,
    fileBytes: before.fileBytes + sign * share.fileSize,
    diskBytes: before.diskBytes + sign * share.diskBytes,
  };
  return { ...usage, [share.kind]: after };
}

/** `usage` with directories that take so many bytes more; fewer where it is negative. */
export function countDirectory(usage: Usage, diskBytes: number): Usage {
  return { ...usage, directoryBytes: usage.directoryBytes + diskBytes };
}

/** What all files and directories take of the disk. */
export function totalDiskBytes(usage: Usage): number {
  return usage.immutable.diskBytes + usage.mutable.diskBytes + usage.damaged.diskBytes + usage.directoryBytes;
}

/** What bounds a store. Sizes in bytes. */
export interface SpaceLimits {
  /** Free on the file system. */
  readonly freeBytes: number;
  /** What of it shares never take. */
  readonly reservedBytes: number;
  /** What the store takes already. */
  readonly usedBytes: number;
  /** What it may take at most; undefined for no limit. */
  readonly maximumBytes: number | undefined;
}

/** Bytes that new shares may take; never negative. */
export function availableSpace({ freeBytes, reservedBytes, usedBytes, maximumBytes }: SpaceLimits): number {
  const room = maximumBytes === undefined ? Infinity : maximumBytes - usedBytes;
  return Math.max(0, Math.min(freeBytes - reservedBytes, room));
}
