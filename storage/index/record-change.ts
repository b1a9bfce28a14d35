/**
 * How the record of a share follows from what is on the disk and what was known before. Pure.
 *
 * What costs a look at the file is taken from the file. The checksum costs reading all of it, so it is kept
 * wherever the data are certain to be those that it was made of: leases came and went, or an immutable share is
 * still the same file. In any other case it is dropped, and the scrub makes a new one.
 */
import type { SeenFile, SeenShare } from './share-inventory.js';
import type { FileStamp, RecordKind, ShareRecord } from './share-record.js';

/** What has happened to a share: its data are others, only its leases are, or nothing is known. */
export type ShareChange = 'data' | 'leases' | 'unknown';

/** The record of a share as it is now. @param checksum - of the data now, if somebody has just made it. */
export function nextRecord(
  old: ShareRecord | undefined,
  seen: SeenShare,
  change: ShareChange,
  checksum?: Uint8Array,
): ShareRecord {
  const { fileSize, diskBytes, stamp } = seen;
  const [kind, dataSize, expiries] = summary(seen);
  const next = {
    ...{ kind, fileSize, dataSize, diskBytes, stamp },
    leaseCount: expiries.length,
    earliestExpiry: expiries.reduce((a, b) => Math.min(a, b), expiries[0] ?? 0),
    latestExpiry: expiries.reduce((a, b) => Math.max(a, b), 0),
  };
  const isSame = old?.kind === kind && old.dataSize === dataSize && hasSameData(old, seen, change);
  if (isSame && checksum === undefined) {
    return { ...next, checksum: old.checksum, lastScrubbedMs: old.lastScrubbedMs, isRotten: old.isRotten };
  }
  return { ...next, checksum, lastScrubbedMs: 0, isRotten: false };
}

/** Whether the file is certain to be as it was when the record was made. */
export function isUnchanged(old: ShareRecord, seen: SeenFile): boolean {
  return isSameStamp(old.stamp, seen.stamp) && old.fileSize === seen.fileSize && old.diskBytes === seen.diskBytes;
}

function summary(seen: SeenShare): readonly [RecordKind, number, readonly number[]] {
  if ('damage' in seen) return ['damaged', 0, []];
  const { kind, dataSize, expiries } = seen.facts;
  return [kind, dataSize, expiries];
}

function hasSameData(old: ShareRecord, seen: SeenShare, change: ShareChange): boolean {
  switch (change) {
    case 'data':
      return false;
    case 'leases':
      return true;
    case 'unknown':
      // The data of an immutable share never change; its leases do, and with them the time of modification.
      return isSameStamp(old.stamp, seen.stamp) || (old.kind === 'immutable' && old.stamp.inode === seen.stamp.inode);
  }
}

function isSameStamp(a: FileStamp, b: FileStamp): boolean {
  return a.modifiedNs !== 0n && a.modifiedNs === b.modifiedNs && a.inode === b.inode;
}
