/**
 * Raises a number in place and durably, so that a power cut never leaves less than what stood there.
 *
 * A disk writes a sector as a whole or not at all, but of two sectors perhaps only one: of a number across their
 * border the old first half could meet the new second half, and a lease would end before its time or not be counted.
 * There the first half is made durable before the second is written: with the old second half it is no less.
 */
import type { ShareFile } from './share-files.js';

/** Numbers are of four bytes, big-endian. */
export const NUMBER_SIZE = 4;
/** What every disk writes as a whole, in bytes. */
const SECTOR_SIZE = 512;

/**
 * @param offset - where in the file the number stands.
 * @param bytes - the number, NUMBER_SIZE bytes; no less than the one that stands there.
 * @param withTimes - whether the file's time is made durable too.
 * @throws ERR_DISK, ERR_NO_SPACE, ERR_STORE_READONLY.
 */
export async function raiseNumber(
  file: ShareFile,
  offset: number,
  bytes: Uint8Array,
  withTimes = false,
): Promise<void> {
  const border = SECTOR_SIZE - (offset % SECTOR_SIZE);
  await file.write([bytes.subarray(0, border)], offset);
  await file.sync(withTimes);
  if (border >= NUMBER_SIZE) return;
  await file.write([bytes.subarray(border)], offset + border);
  await file.sync(withTimes);
}
