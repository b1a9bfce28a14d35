/** Reading a file that others write. */
import { isTahoeError } from '#core/errors.js';
import type { VersionReader } from './version-reader.js';

/** How often a file that changes while it is read is looked at anew. */
export const READ_ATTEMPTS = 3;

/**
 * Reads, and begins anew when the file was overwritten on the way.
 * @throws what `begin` and `read` throw.
 */
export async function whileItMoves<Result>(
  begin: () => Promise<{ readonly reader: VersionReader; readonly read: () => Promise<Result> }>,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    const { read, reader } = await begin();
    try {
      return await read();
    } catch (error) {
      const isShort = isTahoeError(error, 'ERR_NOT_ENOUGH_SHARES');
      if (!isShort || !reader.hasMoved || attempt >= READ_ATTEMPTS) throw error;
    }
  }
}
