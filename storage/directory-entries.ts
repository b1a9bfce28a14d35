/** What is in a directory that may not be there. */
import { systemCodeOf } from './disk-error.js';
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
