/** Sizes and offsets of 64 bits: those beyond what a number holds exactly are all the largest one that it holds. */
import type { ByteReader } from '#core/bytes.js';

/** @throws ERR_TRUNCATED */
export function readLargeNumber(reader: ByteReader): number {
  const value = reader.uint32() * 2 ** 32 + reader.uint32();
  return Math.min(value, Number.MAX_SAFE_INTEGER);
}
