/** What tells the file in a place from any other that may come to stand there. */
import { diskError, systemCodeOf } from './disk-error.js';
import type { FileSystem } from './file-system.js';

/** What tells one file from another: inode, size in bytes, time of the last write in milliseconds. */
export interface FileMark {
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
}

/** @returns null where nothing stands at `path`. @throws ERR_DISK. */
export async function fileMarkAt(system: FileSystem, path: string): Promise<FileMark | null> {
  try {
    const { ino, mtimeMs, size } = await system.lstat(path);
    return { ino, size, mtimeMs };
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return null;
    throw diskError('looking at a share', error);
  }
}

/** A mark as text. */
export function formatFileMark({ ino, mtimeMs, size }: FileMark): string {
  return [ino, size, mtimeMs].map(String).join('/');
}
