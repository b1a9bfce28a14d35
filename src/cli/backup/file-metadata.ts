/**
 * What a backup keeps of a file besides its content: what stat says, in the reference's order and number formats.
 * The capability of a directory is a hash over these bytes.
 * @see Tahoe-LAFS src/allmydata/scripts/tahoe_backup.py for the fields
 */
import type { BigIntStats } from 'node:fs';
import type { JsonObject } from '#core/directory/json-value.js';

const NANOSECONDS = 1_000_000_000n;

/** As the metadata of a directory's entry. */
export function fileMetadata(stats: BigIntStats): JsonObject {
  return new Map<string, number | bigint>([
    ['ctime', secondsOf(stats.ctimeNs)],
    ['mtime', secondsOf(stats.mtimeNs)],
    ['st_mode', stats.mode],
    ['st_ino', stats.ino],
    ['st_dev', stats.dev],
    ['st_uid', stats.uid],
    ['st_gid', stats.gid],
  ]);
}

/** Whole seconds since 1970, rounded down. */
export function wholeSeconds(nanoseconds: bigint): number {
  return Number((nanoseconds - floorRest(nanoseconds)) / NANOSECONDS);
}

/** As Python makes a float of a time: the two parts are rounded apart from each other. */
function secondsOf(nanoseconds: bigint): number {
  return wholeSeconds(nanoseconds) + 1e-9 * Number(floorRest(nanoseconds));
}

function floorRest(nanoseconds: bigint): bigint {
  return ((nanoseconds % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
}
