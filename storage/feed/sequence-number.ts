/**
 * The sequence number of a mutable share, from the first bytes of its data: a version (0 for SDMF, 1 for MDMF) and
 * eight bytes, big-endian. A server cannot verify it; it is what the writer says.
 * @see Tahoe-LAFS docs/specifications/mutable.rst, "SDMF Slot Format"
 */

/** As much of a share's data as is looked at, in bytes. */
export const SEQUENCE_HEAD_SIZE = 9;
const VERSION_MAX = 1;

/** @returns undefined when the data does not begin like a mutable share, or the number is no safe integer. */
export function sequenceNumberOf(head: Uint8Array): number | undefined {
  if (head.length < SEQUENCE_HEAD_SIZE || (head[0] ?? Infinity) > VERSION_MAX) return undefined;
  const number = Number(new DataView(head.buffer, head.byteOffset).getBigUint64(1));
  return Number.isSafeInteger(number) ? number : undefined;
}
