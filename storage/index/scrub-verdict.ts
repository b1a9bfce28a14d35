/** What reading a share says about it, given what was known before. Pure. */
import { equalBytes } from '#core/bytes.js';
import type { DigestedShare } from './share-inventory.js';
import type { ShareRecord } from './share-record.js';

/** How a share is. */
export type Verdict =
  | { readonly kind: 'sound' }
  /** Nobody had read it before: from now on it is known what it should be. */
  | { readonly kind: 'new'; readonly checksum: Uint8Array }
  | { readonly kind: 'damaged'; readonly reason: string }
  /** It is another one than the index knows, or became another while it was read: to be looked at again. */
  | { readonly kind: 'changed' }
  | { readonly kind: 'absent' };

/** @param digested - the share as it was read, undefined where there was none. */
export function judge(record: ShareRecord, digested: DigestedShare | undefined): Verdict {
  if (digested === undefined) return { kind: 'absent' };
  const { share, checksum } = digested;
  if ('damage' in share) return { kind: 'damaged', reason: share.damage };
  const isKnown = record.kind === share.facts.kind && record.dataSize === share.facts.dataSize;
  if (checksum === undefined || !isKnown) return { kind: 'changed' };
  if (record.checksum === undefined) return { kind: 'new', checksum };
  if (equalBytes(record.checksum, checksum)) return { kind: 'sound' };
  return isSameFile(record, digested)
    ? { kind: 'damaged', reason: 'its data are not those that were stored: their checksum has changed' }
    : { kind: 'changed' };
}

/** Whether the data can only have changed by themselves: nobody writes those of an immutable share. */
function isSameFile(record: ShareRecord, { share }: DigestedShare): boolean {
  const { inode, modifiedNs } = record.stamp;
  if (inode !== share.stamp.inode) return false;
  return record.kind === 'immutable' || (modifiedNs !== 0n && modifiedNs === share.stamp.modifiedNs);
}
