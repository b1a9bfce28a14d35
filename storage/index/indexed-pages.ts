/** All shares of an index, some at a time, without holding anything open in between. */
import { TahoeError } from '#core/errors.js';
import type { IndexedShare, ShareIndex } from './share-index.js';

/**
 * The shares in the order of their keys; what changes meanwhile may be seen or not.
 * @param after - the key to begin behind.
 * @throws ERR_INDEX when the index is in doubt.
 */
export async function* indexedPages(index: ShareIndex, after?: Uint8Array): AsyncGenerator<readonly IndexedShare[]> {
  for (let key = after; ;) {
    const page = await index.page(key);
    if (page === undefined) throw new TahoeError('ERR_INDEX', { reason: 'it is being compared with the disk' });
    yield page.shares;
    if (page.next === undefined) return;
    key = page.next;
  }
}
