/**
 * The spool: uploads while they arrive, in files of [node]tempdir that have no names.
 *
 * A file is created for its owner alone (0600) and its name removed at once: it lives as long as it is open, and
 * whatever ends the process leaves nothing behind. All files together hold at most so many bytes.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { isTahoeError, TahoeError, reasonOf } from '#core/errors.js';
import { fileError, systemCode } from './durable-file.js';

const FULL_DISK = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** What may be asked of a spool. */
export interface SpoolOptions {
  /** What all its files together may hold. */
  readonly bytesMax: number;
}

/** Makes spool files and counts what they hold. */
export class Spool {
  readonly #directory: string;
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(directory: string, { bytesMax }: SpoolOptions) {
    this.#directory = directory;
    this.#bytesMax = bytesMax;
  }

  /** What all open files hold now. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Opens an empty file; the caller closes it.
   * @throws ERR_FILE when the directory cannot be made or written to, ERR_NO_SPACE when the disk is full.
   */
  async open(): Promise<SpoolFile> {
    const path = join(this.#directory, `upload-${randomBytes(16).toString('hex')}`);
    try {
      await mkdir(this.#directory, { recursive: true, mode: DIRECTORY_MODE });
      const handle = await open(path, 'wx+', FILE_MODE);
      await removeName(path, handle);
      return new SpoolFile(handle, this.#directory, (bytes) => {
        this.#count(bytes);
      });
    } catch (error) {
      throw fileError(this.#directory, error);
    }
  }

  #count(bytes: number): void {
    if (bytes > 0 && this.#bytes + bytes > this.#bytesMax) {
      const where = `uploads: together they would hold more than ${String(this.#bytesMax)} bytes (spool_size)`;
      throw new TahoeError('ERR_NO_SPACE', { where });
    }
    this.#bytes += bytes;
  }
}

async function removeName(path: string, handle: FileHandle): Promise<void> {
  try {
    await rm(path);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** One file without a name: read anywhere, and written from front to back, or anywhere too. */
export class SpoolFile {
  readonly #handle: FileHandle;
  readonly #directory: string;
  readonly #count: (bytes: number) => void;
  #size = 0;
  #isClosed = false;

  /** @param count - told of every byte that comes and, by a negative number, goes; it may refuse. */
  constructor(handle: FileHandle, directory: string, count: (bytes: number) => void) {
    this.#handle = handle;
    this.#directory = directory;
    this.#count = count;
  }

  /** What the file holds, in bytes. */
  get size(): number {
    return this.#size;
  }

  /**
   * Appends all of a stream. It is read no faster than the disk takes it.
   * @param signal - stops between two pieces.
   * @throws ERR_NO_SPACE when the disk or the spool is full, ERR_DISK when writing fails, ERR_CANCELLED;
   *   whatever the stream throws.
   */
  async receive(source: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void> {
    for await (const piece of source) {
      if (signal?.aborted === true) throw new TahoeError('ERR_CANCELLED', { what: 'the upload' });
      await this.append(piece);
    }
  }

  /**
   * Appends some bytes. One at a time: wait for it before the next.
   * @throws ERR_NO_SPACE when the disk or the spool is full, ERR_DISK when writing fails.
   */
  async append(bytes: Uint8Array): Promise<void> {
    await this.write(this.#size, bytes);
  }

  /**
   * Writes bytes at an offset; a gap before them is zeros, and counts.
   * @throws as `append`.
   */
  async write(start: number, bytes: Uint8Array): Promise<void> {
    this.#grow(start + bytes.length);
    try {
      for (let done = 0; done < bytes.length;) {
        // A short write is no error to the system; it only becomes one when it is tried again.
        const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, start + done);
        done += bytesWritten;
      }
    } catch (error) {
      throw this.#failure('writing', error);
    }
  }

  /**
   * Cuts the file, or fills it up with zeros.
   * @throws as `append`.
   */
  async resize(size: number): Promise<void> {
    try {
      this.#grow(size);
      await this.#handle.truncate(size);
      this.#count(size - this.#size);
      this.#size = size;
    } catch (error) {
      throw this.#failure('resizing', error);
    }
  }

  /**
   * Reads a range.
   * @param into - where to put it, when it has just the right size; else a new array is made.
   * @returns `size` bytes, fewer where the file ends earlier.
   * @throws ERR_DISK when reading fails.
   */
  async read(offset: number, size: number, into?: Uint8Array): Promise<Uint8Array> {
    const available = Math.max(0, Math.min(size, this.#size - offset));
    const bytes = into?.length === available ? into : new Uint8Array(available);
    try {
      for (let done = 0; done < bytes.length;) {
        const { bytesRead } = await this.#handle.read(bytes, done, bytes.length - done, offset + done);
        if (bytesRead === 0) throw new Error('the file ends too early');
        done += bytesRead;
      }
    } catch (error) {
      throw this.#failure('reading', error);
    }
    return bytes;
  }

  /** Closes the file, which is the end of it. A second time does nothing. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#count(-this.#size);
    await this.#handle.close();
  }

  #grow(size: number): void {
    if (size <= this.#size) return;
    this.#count(size - this.#size);
    this.#size = size;
  }

  #failure(what: string, error: unknown): TahoeError {
    if (isTahoeError(error)) return error;
    if (FULL_DISK.has(systemCode(error) ?? '')) {
      return new TahoeError('ERR_NO_SPACE', { where: `uploads in '${this.#directory}'` }, { cause: error });
    }
    const facts = { what: `${what} a file in '${this.#directory}'`, reason: reasonOf(error) };
    return new TahoeError('ERR_DISK', facts, { cause: error });
  }
}
