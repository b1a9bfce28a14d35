/**
 * Small files that are either old or new after a crash, never half of one: written beside their place, synced,
 * renamed into it, and the directory synced. What a crash leaves beside them is recognised by its name and
 * removed at the next start.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, link, open, readdir, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { TahoeError, reasonOf } from '#core/errors.js';

/** How the name of a file ends that is not yet in its place. */
export const UNFINISHED = '.unfinished';
/** What link says on file systems without hard links, such as exFAT or s3fs. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/** The system's code of an error, such as ENOENT; undefined for other errors. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Whether an error, or what caused it, is that space or a quota ran out. */
export function isFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ['ENOSPC', 'EDQUOT'].includes(systemCode(error) ?? '') || isFull(error.cause);
}

/** What a failed file operation means to the person at the keyboard: ERR_NO_SPACE or ERR_FILE. */
export function fileError(path: string, error: unknown): TahoeError {
  if (isFull(error)) return new TahoeError('ERR_NO_SPACE', { where: `'${path}'` }, { cause: error });
  return new TahoeError('ERR_FILE', { file: path, reason: reasonOf(error) }, { cause: error });
}

/**
 * Writes a file durably, in the place of what is there.
 * @param mode - its permissions, for instance 0o600; the umask does not narrow them.
 * @throws ERR_NO_SPACE when the disk is full, ERR_FILE for any other failure; the old file is whole in both cases.
 */
export async function replaceFile(path: string, content: string | Uint8Array, mode: number): Promise<void> {
  try {
    const unfinished = await writeUnfinished(path, content, mode);
    await finishOrRemove(unfinished, () => rename(unfinished, path));
    await syncDirectory(dirname(path));
  } catch (error) {
    throw fileError(path, error);
  }
}

/**
 * Writes a file durably unless there is one already.
 * @returns whether it was written; false leaves the existing file as it is.
 * @throws ERR_NO_SPACE or ERR_FILE as replaceFile does.
 */
export async function createFileOnce(path: string, content: string | Uint8Array, mode: number): Promise<boolean> {
  try {
    const unfinished = await writeUnfinished(path, content, mode);
    let isNew = false;
    await finishOrRemove(unfinished, async () => {
      isNew = await linkOnce(unfinished, path);
    });
    await rm(unfinished, { force: true });
    await syncDirectory(dirname(path));
    return isNew;
  } catch (error) {
    throw fileError(path, error);
  }
}

/**
 * Gives a file a second name, unless something has that name. Where there are no hard links it is copied instead;
 * then a crash may leave the copy unfinished.
 * @returns whether the name is new.
 * @throws the system's error.
 */
export async function linkOnce(path: string, name: string): Promise<boolean> {
  try {
    await link(path, name).catch(async (error: unknown) => {
      if (!NO_LINKS.has(systemCode(error) ?? '')) throw error;
      await copyFile(path, name, constants.COPYFILE_EXCL);
    });
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Makes the entries of a directory durable: files created, renamed or removed in it.
 * @throws the system's error; it must not be tried again, since a second sync may succeed though data are lost.
 */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Removes what crashes have left in a directory. Only for who alone writes there.
 * @throws ERR_FILE when the directory cannot be read or a file not removed.
 */
export async function removeUnfinished(directory: string): Promise<void> {
  try {
    const names = await readdir(directory);
    for (const name of names.filter((name) => name.endsWith(UNFINISHED)))
      await rm(join(directory, name), { force: true });
  } catch (error) {
    throw fileError(directory, error);
  }
}

async function writeUnfinished(path: string, content: string | Uint8Array, mode: number): Promise<string> {
  const unfinished = join(dirname(path), `.${basename(path)}.${randomBytes(8).toString('hex')}${UNFINISHED}`);
  const handle = await open(unfinished, 'wx', mode);
  await finishOrRemove(unfinished, async () => {
    await fill(handle, content, mode);
  });
  return unfinished;
}

async function fill(handle: FileHandle, content: string | Uint8Array, mode: number): Promise<void> {
  try {
    await handle.chmod(mode);
    // writeFile goes on after short writes; write would not.
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function finishOrRemove(unfinished: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}
