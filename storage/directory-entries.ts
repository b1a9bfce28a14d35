/** What is in a directory that may not be there. */
import { TahoeError } from '#core/errors.js';
import { diskError, systemCodeOf } from './disk-error.js';
import type { FileSystem } from './file-system.js';

/** The names in a directory; none where there is no such directory. @throws the system's error. */
export async function entriesOf(system: FileSystem, directory: string): Promise<string[]> {
  try {
    return await system.readdir(directory);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** @throws ERR_STORE_GONE when there is no such directory; ERR_DISK when nobody can tell. */
export async function requireDirectory(system: FileSystem, directory: string): Promise<void> {
  try {
    if ((await system.lstat(directory)).isDirectory()) return;
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw diskError('looking at the storage directory', error);
  }
  throw new TahoeError('ERR_STORE_GONE', {});
}
