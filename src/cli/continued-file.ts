/**
 * A file from the grid that arrives in several attempts. What has come so far lies beside its place, under a name
 * that follows from the capability, so that no other file can be gone on with by mistake; the file appears under its
 * own name when all of it is there.
 *
 * All up to a multiple of 4 MiB is on the disk before more is written, and an attempt begins at such a multiple:
 * what a power cut may have left behind it is fetched again.
 */
import { createHash } from 'node:crypto';
import { open, realpath, rename } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { UNFINISHED, syncDirectory, systemCode } from '#node/durable-file.js';
import { localFileError } from './local-file.js';

const STEP_SIZE = 4 << 20;

/** Such a file. Call `finish` once all is written, and `close` in any case. */
export interface ContinuedTarget {
  /** How much of it is there already, in bytes. */
  readonly offset: number;
  /** What follows. @throws ERR_NO_SPACE, ERR_FILE. */
  write(piece: Uint8Array): Promise<void>;
  /** Puts the file in its place. @throws ERR_NO_SPACE, ERR_FILE; then nothing is in its place. */
  finish(): Promise<void>;
  /** Keeps what was written for another attempt. */
  close(): Promise<void>;
}

/**
 * @param path - absolute, where the file goes.
 * @param capability - what it is; a secret, of which only a hash is seen.
 * @param size - of the whole file, in bytes.
 * @throws ERR_FILE, ERR_NO_SPACE.
 */
export async function openContinuedTarget(path: string, capability: string, size: number): Promise<ContinuedTarget> {
  try {
    const place = await realpath(path).catch(() => path);
    const mark = createHash('sha256').update(`continued ${capability}`).digest('hex').slice(0, 16);
    const unfinished = join(dirname(place), `.${basename(place).slice(0, 64)}.${mark}${UNFINISHED}`);
    const handle = await openOrCreate(unfinished);
    const { size: found } = await handle.stat();
    const offset = found === size ? size : Math.floor(Math.min(found, size) / STEP_SIZE) * STEP_SIZE;
    await handle.truncate(offset);
    return new PartFile(path, handle, { unfinished, place, offset });
  } catch (error) {
    throw localFileError(path, error);
  }
}

async function openOrCreate(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+');
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    return open(path, 'wx+');
  }
}

class PartFile implements ContinuedTarget {
  readonly offset: number;
  readonly #name: string;
  readonly #handle: FileHandle;
  readonly #paths: { readonly unfinished: string; readonly place: string };
  #end: number;
  #isOpen = true;

  constructor(name: string, handle: FileHandle, file: { unfinished: string; place: string; offset: number }) {
    this.#name = name;
    this.#handle = handle;
    this.#paths = file;
    this.offset = file.offset;
    this.#end = file.offset;
  }

  async write(piece: Uint8Array): Promise<void> {
    await this.#attempt(async () => {
      for (let done = 0; done < piece.length;) {
        const left = STEP_SIZE - (this.#end % STEP_SIZE);
        const { bytesWritten } = await this.#handle.write(piece, done, Math.min(left, piece.length - done), this.#end);
        done += bytesWritten;
        this.#end += bytesWritten;
        if (this.#end % STEP_SIZE === 0) await this.#handle.datasync();
      }
    });
  }

  async finish(): Promise<void> {
    await this.#attempt(async () => {
      await this.#handle.sync();
      await this.close();
      await rename(this.#paths.unfinished, this.#paths.place);
      await syncDirectory(dirname(this.#paths.place));
    });
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#handle.close();
  }

  async #attempt(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      throw localFileError(this.#name, error);
    }
  }
}
