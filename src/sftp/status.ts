/**
 * How a request ends, in the words of SFTP: eight statuses, and the table that turns every error into one of them.
 * @see draft-ietf-secsh-filexfer-02, section 7
 */
import { isTahoeError, TahoeError } from '#core/errors.js';

/** The statuses, by name. */
export const statusCodes = {
  ok: 0,
  eof: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  badMessage: 5,
  unsupported: 8,
} as const;

/** A status by its name. */
export type SftpStatus = keyof typeof statusCodes;

/** A status with its sentence, as it is sent. */
export interface StatusReply {
  readonly status: SftpStatus;
  readonly sentence: string;
}

/** A request that is not done, and why. The sentence is sent to the user: no secrets. */
export function refusal(status: SftpStatus, reason: string, cause?: unknown): TahoeError<'ERR_SFTP'> {
  return new TahoeError('ERR_SFTP', { status, reason }, { cause });
}

/** What is answered when `error` ended a request; undefined when it is a fault of ours. */
export function replyOf(error: unknown): StatusReply | undefined {
  if (!isTahoeError(error)) return undefined;
  const sentence = error.message;
  if (isTahoeError(error, 'ERR_SFTP')) return { status: statusNamed(error.facts.status), sentence };
  if (isTahoeError(error, 'ERR_NO_SUCH_CHILD', 'ERR_CHILD_NAME', 'ERR_NOT_A_DIRECTORY')) {
    return { status: 'noSuchFile', sentence };
  }
  if (error.family === 'authority' || isTahoeError(error, 'ERR_CHILD_TYPE')) {
    return { status: 'permissionDenied', sentence };
  }
  return { status: 'failure', sentence };
}

function statusNamed(name: string): SftpStatus {
  return Object.hasOwn(statusCodes, name) ? (name as SftpStatus) : 'failure';
}
