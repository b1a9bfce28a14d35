/**
 * Where a file from the grid is written to. A file appears under its name only when all of it is there: until then
 * it is beside its place under another name, and whatever interrupts it leaves what was there before. Devices and
 * pipes are written to directly.
 */
import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { open, realpath, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { TahoeError } from '#core/errors.js';
import { UNFINISHED, systemCode } from '#node/durable-file.js';
import { localFileError } from './local-file.js';

/** A file that is being written. Call `finish` once, or `discard`. */
export interface FileTarget {
  /** @throws ERR_NO_SPACE, ERR_FILE. */
  write(piece: Uint8Array): Promise<void>;
  /** Puts the file in its place. @throws ERR_NO_SPACE, ERR_FILE; then nothing is in its place. */
  finish(): Promise<void>;
  /** Forgets what was written. Does nothing after `finish`. */
  discard(): Promise<void>;
}

/**
 * @param path - absolute. A file that is there is replaced and keeps its permissions; a link is followed.
 * @throws ERR_FILE when it is a directory, its directory is not there, or it cannot be written; ERR_NO_SPACE.
 */
export async function openFileTarget(path: string): Promise<FileTarget> {
  try {
    const existing = await stat(path).catch(unlessMissing);
    if (existing?.isDirectory() === true) throw new TahoeError('ERR_FILE', { file: path, reason: 'it is a directory' });
    if (existing !== undefined && !existing.isFile()) return new DirectTarget(path, await open(path, 'w'));
    return await openReplacement(path, existing);
  } catch (error) {
    throw error instanceof TahoeError ? error : localFileError(path, error);
  }
}

function unlessMissing(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error;
  return undefined;
}

async function openReplacement(path: string, existing: Stats | undefined): Promise<FileTarget> {
  const place = existing === undefined ? path : await realpath(path);
  const unfinished = join(
    dirname(place),
    `.${basename(place).slice(0, 64)}.${randomBytes(8).toString('hex')}${UNFINISHED}`,
  );
  const handle = await open(unfinished, 'wx');
  const target = new ReplacingTarget(path, handle, { unfinished, place });
  try {
    if (existing !== undefined) await handle.chmod(existing.mode & 0o777);
    return target;
  } catch (error) {
    await target.discard();
    throw error;
  }
}

/** A device or a pipe. */
class DirectTarget implements FileTarget {
  protected readonly name: string;
  protected readonly handle: FileHandle;
  #isOpen = true;

  constructor(name: string, handle: FileHandle) {
    this.name = name;
    this.handle = handle;
  }

  async write(piece: Uint8Array): Promise<void> {
    // writeFile goes on after short writes, from where the last one ended.
    await this.attempt(() => this.handle.writeFile(piece));
  }

  async finish(): Promise<void> {
    await this.attempt(() => this.close());
  }

  async discard(): Promise<void> {
    await this.close();
  }

  protected async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.handle.close();
  }

  protected async attempt(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      throw localFileError(this.name, error);
    }
  }
}

/** A regular file. */
class ReplacingTarget extends DirectTarget {
  readonly #unfinished: string;
  readonly #place: string;

  constructor(name: string, handle: FileHandle, paths: { readonly unfinished: string; readonly place: string }) {
    super(name, handle);
    this.#unfinished = paths.unfinished;
    this.#place = paths.place;
  }

  override async finish(): Promise<void> {
    await this.attempt(async () => {
      // Before the rename, or a power cut could leave the name and lose the bytes.
      await this.handle.sync();
      await this.close();
      await rename(this.#unfinished, this.#place);
    });
  }

  override async discard(): Promise<void> {
    await this.close();
    await rm(this.#unfinished, { force: true });
  }
}
