/** Share files as the debug commands read them: in ranges, so that a share of any size costs little memory. */
import { constants, open } from 'node:fs/promises';
import { TahoeError } from '#core/errors.js';
import { localFileError } from '../local-file.js';

/** A share file that is open for reading. */
export interface LocalShare {
  readonly path: string;
  /** The file's, in bytes. */
  readonly size: number;
  /** @returns `size` bytes, fewer where the file ends. @throws ERR_FILE when it cannot be read. */
  read(offset: number, size: number): Promise<Uint8Array>;
}

/**
 * Opens a share file for as long as `use` takes.
 * @throws ERR_FILE when it cannot be opened or is no regular file; whatever `use` throws.
 */
export async function withLocalShare<Result>(
  path: string,
  use: (share: LocalShare) => Promise<Result>,
): Promise<Result> {
  const failed = (error: unknown): never => {
    throw localFileError(path, error);
  };
  // Without O_NONBLOCK, opening a pipe would wait for somebody at its other end.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(failed);
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new TahoeError('ERR_FILE', { file: path, reason: 'it is no regular file' });
    const read = async (offset: number, size: number): Promise<Uint8Array> => {
      const bytes = new Uint8Array(Math.max(0, Math.min(size, stats.size - offset)));
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, offset).catch(failed);
      return bytes.subarray(0, bytesRead);
    };
    return await use({ path, size: stats.size, read });
  } finally {
    await handle.close();
  }
}
