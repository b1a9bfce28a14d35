/**
 * Exit statuses: 0 for success, 1 for failure, and the few others that scripts for Tahoe-LAFS tell apart.
 * @see Tahoe-LAFS src/allmydata/scripts/runner.py for where each comes from
 */
import type { ErrorCode } from '#core/errors.js';
import { isTahoeError } from '#core/errors.js';

/** It did what it was asked to. */
export const SUCCESS = 0;
/** It did not; standard error says why. */
export const FAILURE = 1;
/** A process that ends by a signal has this plus the signal's number. */
export const SIGNAL_BASE = 128;

/** Codes whose status is not FAILURE. */
const statusByCode: Partial<Readonly<Record<ErrorCode, number>>> = {
  ERR_NO_SUCH_PATH: 2,
  ERR_DIRECTORY_NOT_EMPTY: 255,
};

/** The status that a command ends with when it fails like this. */
export function exitStatusOf(error: unknown): number {
  return isTahoeError(error) ? (statusByCode[error.code] ?? FAILURE) : FAILURE;
}
