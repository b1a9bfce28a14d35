/**
 * What a failed system call becomes: ERR_NO_SPACE where space or a quota ran out, ERR_DISK for all else.
 * Messages name the operation and the system's code, never a path: they travel to clients.
 */
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';

/** What opening says of links, sockets, directories, and files that are barred. */
export const barredCodes: readonly string[] = ['ELOOP', 'ENXIO', 'EISDIR', 'EACCES', 'EPERM'];
/** And of files that are unreadable. */
export const unusableCodes: readonly string[] = [...barredCodes, 'EIO'];

const fullCodes: readonly string[] = ['ENOSPC', 'EDQUOT', 'EFBIG'];

/** The system's name for the failure (`ENOENT`), or undefined for errors of another kind. */
export function systemCodeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Whether space or a quota ran out: the operator frees some, and all is well again. */
export function isFull(error: unknown): boolean {
  return fullCodes.includes(systemCodeOf(error) ?? '');
}

/** @param what - the operation, in words: "writing a share". */
export function diskError(what: string, error: unknown): TahoeError {
  if (isTahoeError(error)) return error;
  if (isFull(error)) return new TahoeError('ERR_NO_SPACE', { where: what }, { cause: error });
  return new TahoeError('ERR_DISK', { what, reason: systemCodeOf(error) ?? reasonOf(error) }, { cause: error });
}

/** The result of `operation`. @throws ERR_NO_SPACE or ERR_DISK in place of what it throws. */
export async function onDisk<Result>(what: string, operation: () => Promise<Result>): Promise<Result> {
  try {
    return await operation();
  } catch (error) {
    throw diskError(what, error);
  }
}
