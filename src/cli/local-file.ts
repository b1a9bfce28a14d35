/**
 * Local files that are sent to the grid: opened, measured and read in pieces; and what a failed file operation is
 * called in front of the person at the keyboard.
 */
import type { Stats } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { TahoeError } from '#core/errors.js';
import { fileError, systemCode } from '#node/durable-file.js';

/** How much of a file is read at a time, in bytes. */
const PIECE_SIZE = 256 << 10;

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or directory',
  EACCES: 'permission is denied',
  EPERM: 'permission is denied',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of the path is not a directory',
  EROFS: 'the file system is read-only',
  EMFILE: 'too many files are open',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'there are too many symbolic links',
};

/** ERR_NO_SPACE or ERR_FILE in plain words. */
export function localFileError(file: string, error: unknown): TahoeError {
  const reason = REASONS[systemCode(error) ?? ''];
  return reason === undefined ? fileError(file, error) : new TahoeError('ERR_FILE', { file, reason }, { cause: error });
}

/** A file that is open for reading. */
export interface LocalFile {
  /** In bytes; undefined for pipes, devices and what claims to be empty: they end when they end. */
  readonly sizeBytes: number | undefined;
  /**
   * Its content, once. What is added to a regular file meanwhile is not read.
   * @throws ERR_FILE when it cannot be read or has become shorter.
   */
  read(): AsyncGenerator<Uint8Array, void>;
  close(): Promise<void>;
}

/**
 * Opens a file; the caller closes it.
 * @throws ERR_FILE when it cannot be opened or is a directory.
 */
export async function openLocalFile(path: string): Promise<LocalFile> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw localFileError(path, error);
  });
  const stats = await handle.stat();
  if (stats.isDirectory()) {
    await handle.close();
    throw new TahoeError('ERR_FILE', { file: path, reason: 'it is a directory' });
  }
  const sizeBytes = sizeOf(stats);
  return { sizeBytes, read: () => readPieces(handle, path, sizeBytes), close: () => handle.close() };
}

function sizeOf(stats: Stats): number | undefined {
  // Files of /proc claim to be empty and are not.
  return stats.isFile() && stats.size > 0 ? stats.size : undefined;
}

async function* readPieces(handle: FileHandle, path: string, sizeBytes = Infinity): AsyncGenerator<Uint8Array, void> {
  for (let done = 0; done < sizeBytes;) {
    const buffer = new Uint8Array(Math.min(PIECE_SIZE, sizeBytes - done));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, null).catch((error: unknown) => {
      throw localFileError(path, error);
    });
    if (bytesRead === 0) {
      if (sizeBytes === Infinity) return;
      throw new TahoeError('ERR_FILE', { file: path, reason: 'it became shorter while it was read' });
    }
    done += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
