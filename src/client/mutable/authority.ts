/** What a capability does not grant. */
import { TahoeError } from '#core/errors.js';
import type { MutableAccess } from '#core/mutable/access.js';

/** @throws ERR_AUTHORITY without the write key. @param what - is to be done. */
export function checkCanWrite({ readKey, writeKey }: MutableAccess, what: string): void {
  if (writeKey !== undefined) return;
  throw new TahoeError('ERR_AUTHORITY', { what, needed: 'write', held: readKey === undefined ? 'verify' : 'read' });
}

/** Who only verifies. */
export function cannotRead(): TahoeError {
  return new TahoeError('ERR_AUTHORITY', { what: 'reading a file', needed: 'read', held: 'verify' });
}
