/**
 * Small files of our own beside the shares, in `<storage directory>/tallac/`, which the reference never looks at.
 *
 * A file is old or new after a crash, never half of one: it is written beside its place, synced and moved there,
 * and the directory is synced. What cannot be read as JSON counts as not there.
 */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { diskError, onDisk, systemCodeOf } from '../disk-error.js';
import { syncDirectory } from '../directory-sync.js';

/** The directory in a storage directory that is ours alone. */
export const OWN_DIRECTORY = 'tallac';

const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;
const UNFINISHED = '.unfinished';

/** The files of one storage directory. One process writes them. */
export class OwnFiles {
  readonly directory: string;

  /** @param storageDirectory - absolute. */
  constructor(storageDirectory: string) {
    this.directory = join(storageDirectory, OWN_DIRECTORY);
  }

  /** What a file holds; undefined when it is not there or makes no sense. @throws ERR_DISK. */
  async read(name: string): Promise<unknown> {
    try {
      return JSON.parse(await readFile(join(this.directory, name), 'utf8'));
    } catch (error) {
      if (error instanceof SyntaxError || systemCodeOf(error) === 'ENOENT') return undefined;
      throw diskError(`reading ${name}`, error);
    }
  }

  /** Puts `value` into the place of what a file holds, durably. @throws ERR_NO_SPACE, ERR_DISK. */
  async write(name: string, value: unknown): Promise<void> {
    const path = join(this.directory, name);
    await onDisk(`writing ${name}`, async () => {
      await mkdir(this.directory, { recursive: true, mode: DIRECTORY_MODE });
      try {
        const handle = await open(path + UNFINISHED, 'w', FILE_MODE);
        try {
          await handle.writeFile(`${JSON.stringify(value, undefined, 1)}\n`);
          await handle.sync();
        } finally {
          await handle.close();
        }
        await rename(path + UNFINISHED, path);
      } catch (error) {
        await rm(path + UNFINISHED, { force: true });
        throw error;
      }
      await syncDirectory(this.directory);
    });
  }
}
