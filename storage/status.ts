/**
 * The storage server's table of errors and HTTP statuses, and the text that goes with them.
 *
 * A code not named here answers by its family. What is no TahoeError is a bug or the library's own refusal of a
 * malformed request: the former is 500 and says nothing of itself.
 * @see Tahoe-LAFS docs/specifications/http-storage-node-protocol.rst
 */
import type { Log } from '#core/environment.js';
import { isTahoeError, reasonOf } from '#core/errors.js';
import type { ErrorCode, ErrorFamily } from '#core/errors.js';

const statusOfCode: Partial<Record<ErrorCode, number>> = {
  ERR_SWISSNUM: 401,
  ERR_UPLOAD_SECRET: 401,
  ERR_SHARE_COMPLETE: 405,
  ERR_METHOD: 405,
  ERR_NOT_ACCEPTABLE: 406,
  ERR_TIMEOUT: 408,
  ERR_CONFLICTING_WRITE: 409,
  ERR_TOO_LARGE: 413,
  ERR_MEDIA_TYPE: 415,
  ERR_CONTENT_RANGE: 416,
  ERR_RANGE: 416,
  ERR_BEYOND_ALLOCATION: 416,
  ERR_DISK: 500,
  ERR_NO_SPACE: 507,
  ERR_TOO_MANY: 507,
};

const statusOfFamily: Record<ErrorFamily, number> = {
  malformed: 400,
  integrity: 500,
  authority: 401,
  missing: 404,
  conflict: 409,
  limit: 413,
  unavailable: 503,
  usage: 400,
};

/** An answer without a success: the status, and a sentence in plain text. */
export interface Refusal {
  readonly status: number;
  readonly text: string;
}

/** The answer to a request that ended with `error`. */
export function refusalOf(error: unknown): Refusal {
  if (isTahoeError(error)) {
    return { status: statusOfCode[error.code] ?? statusOfFamily[error.family], text: error.message };
  }
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  if (typeof status === 'number' && status >= 400 && status < 500) return { status, text: 'the request is malformed' };
  return { status: 500, text: 'the server failed at this request; its log says more' };
}

/** The same; what the server could not do is logged. @param method - of the request. */
export function tellRefusal(error: unknown, method: string, log: Log): Refusal {
  const refusal = refusalOf(error);
  const { status } = refusal;
  if (status >= 500) log.error('storage.request-failed', { method, status, reason: reasonOf(error) });
  return refusal;
}
