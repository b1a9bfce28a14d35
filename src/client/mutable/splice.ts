/** A piece of new contents in the old ones. */
import { concat } from '#core/bytes.js';
import type { MutableFormat } from '#core/capability/types.js';
import { TahoeError } from '#core/errors.js';

/** @throws ERR_BEYOND_END. */
export function checkOffset(offset: number, sizeBytes: number): void {
  if (offset > sizeBytes) throw new TahoeError('ERR_BEYOND_END', { offset, sizeBytes });
}

/** The contents with `bytes` at `offset`; in SDMF an offset past their end means their end. @throws ERR_BEYOND_END. */
export function spliced(old: Uint8Array, offset: number, bytes: Uint8Array, format: MutableFormat): Uint8Array {
  if (format === 'mdmf') checkOffset(offset, old.length);
  return concat(old.subarray(0, offset), bytes, old.subarray(offset + bytes.length));
}
