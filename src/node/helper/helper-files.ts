/**
 * The ciphertext that a helper holds, on the disk, where the reference has it:
 *
 *     helper/CHK_incoming/<storage index in base32>   what has come in of a file
 *     helper/CHK_encoding/<storage index in base32>   a file that is whole: it was synced before it got there
 *
 * What comes in is synced each SYNC_SIZE bytes, and nothing behind is written before. So of a file that an earlier run has left only
 * what lies behind the last such boundary may have been torn by a power cut, and that much is fetched once more.
 */
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBase32 } from '#core/base32.js';
import type { Clock } from '#core/environment.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import type { HeldFigures, HeldFiles, IncomingCiphertext, WholeCiphertext } from '#client/helper/held-ciphertext.js';
import { fileError, isFull, syncDirectory, systemCode } from '../durable-file.js';

/** What comes in is synced in steps of so many bytes. */
export const SYNC_SIZE = 1_048_576;
/** Files that nothing was written to for so long count as old. */
const OLD_AGE_MS = 172_800_000;
/** Files that nothing was written to for so long are removed. */
export const STALE_AGE_MS = 604_800_000;
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;

interface FoundFile {
  readonly name: string;
  readonly path: string;
  readonly size: number;
  readonly ageMs: number;
}

/** The files of one helper. */
export class HelperFiles implements HeldFiles {
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #incoming: string;
  readonly #encoding: string;
  /** Files that this run has written to: of these nothing is in doubt. */
  readonly #own = new Set<string>();

  private constructor(directory: string, clock: Pick<Clock, 'nowMs'>) {
    this.#clock = clock;
    this.#incoming = join(directory, 'CHK_incoming');
    this.#encoding = join(directory, 'CHK_encoding');
  }

  /** @param directory - its two folders are made when they are missing. @throws ERR_FILE, ERR_NO_SPACE. */
  static async open(directory: string, clock: Pick<Clock, 'nowMs'>): Promise<HelperFiles> {
    const files = new HelperFiles(directory, clock);
    for (const path of [files.#incoming, files.#encoding]) {
      await mkdir(path, { recursive: true, mode: DIRECTORY_MODE }).catch((error: unknown) => {
        throw fileError(path, error);
      });
    }
    return files;
  }

  async openIncoming(storageIndex: Uint8Array, sizeMax: number): Promise<IncomingCiphertext> {
    const name = formatBase32(storageIndex);
    const path = join(this.#incoming, name);
    const handle = await opened(path, 'a+');
    try {
      const { size: found } = await handle.stat();
      const sure = this.#own.has(name) ? found : Math.floor(Math.max(0, found - 1) / SYNC_SIZE) * SYNC_SIZE;
      const size = sure > sizeMax ? 0 : sure;
      await handle.truncate(size);
      this.#own.add(name);
      const target = join(this.#encoding, name);
      return new IncomingFile(handle, size, {
        place: async () => {
          await rename(path, target);
          await syncDirectory(this.#encoding);
          await syncDirectory(this.#incoming);
        },
        doubted: () => this.#own.delete(name),
      });
    } catch (error) {
      await handle.close();
      throw fileError(path, error);
    }
  }

  async openWhole(storageIndex: Uint8Array): Promise<WholeCiphertext | undefined> {
    const path = join(this.#encoding, formatBase32(storageIndex));
    try {
      const handle = await open(path, 'r');
      const { size } = await handle.stat();
      return { size, read: (offset, count) => readAll(handle, offset, count), close: () => handle.close() };
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw fileError(path, error);
    }
  }

  async remove(storageIndex: Uint8Array): Promise<void> {
    const name = formatBase32(storageIndex);
    for (const directory of [this.#incoming, this.#encoding]) await removed(join(directory, name));
    this.#own.delete(name);
  }

  async sizes(): Promise<ReadonlyMap<string, number>> {
    const sizes = new Map<string, number>();
    for (const { name, size } of await this.#all()) sizes.set(name, (sizes.get(name) ?? 0) + size);
    return sizes;
  }

  async figures(): Promise<{ readonly incoming: HeldFigures; readonly encoding: HeldFigures }> {
    return {
      incoming: sumOf(await this.#found(this.#incoming)),
      encoding: sumOf(await this.#found(this.#encoding)),
    };
  }

  /** Removes what nothing was written to for STALE_AGE_MS, but for what `isBusy`. @returns how many files. @throws ERR_FILE. */
  async removeStale(isBusy: (name: string) => boolean): Promise<number> {
    const stale = (await this.#all()).filter(({ ageMs, name }) => ageMs > STALE_AGE_MS && !isBusy(name));
    for (const { path } of stale) await removed(path);
    return stale.length;
  }

  async #all(): Promise<FoundFile[]> {
    return [...(await this.#found(this.#incoming)), ...(await this.#found(this.#encoding))];
  }

  async #found(directory: string): Promise<FoundFile[]> {
    const found: FoundFile[] = [];
    try {
      for (const name of await readdir(directory)) {
        const path = join(directory, name);
        // It may have gone since.
        const is = await stat(path).catch(() => undefined);
        if (is?.isFile() === true) found.push({ name, path, size: is.size, ageMs: this.#clock.nowMs() - is.mtimeMs });
      }
    } catch (error) {
      throw fileError(directory, error);
    }
    return found;
  }
}

interface IncomingEvents {
  /** Puts the synced file where whole ones are. */
  readonly place: () => Promise<void>;
  /** Writing or syncing has failed: what was not synced in an earlier step may not be there. */
  readonly doubted: () => void;
}

/** Written from front to back, by one job at a time. */
class IncomingFile implements IncomingCiphertext {
  readonly #handle: FileHandle;
  readonly #events: IncomingEvents;
  #size: number;

  constructor(handle: FileHandle, size: number, events: IncomingEvents) {
    this.#handle = handle;
    this.#size = size;
    this.#events = events;
  }

  get size(): number {
    return this.#size;
  }

  async append(bytes: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < bytes.length;) {
        const untilSync = SYNC_SIZE - (this.#size % SYNC_SIZE);
        const { bytesWritten } = await this.#handle.write(bytes, done, Math.min(bytes.length - done, untilSync));
        done += bytesWritten;
        this.#size += bytesWritten;
        if (this.#size % SYNC_SIZE === 0) await this.#handle.datasync();
      }
    } catch (error) {
      this.#events.doubted();
      throw diskError('writing', error);
    }
  }

  async complete(): Promise<void> {
    try {
      await this.#handle.sync();
      await this.#events.place();
    } catch (error) {
      this.#events.doubted();
      throw diskError('syncing', error);
    }
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

async function opened(path: string, flags: string): Promise<FileHandle> {
  try {
    return await open(path, flags, FILE_MODE);
  } catch (error) {
    throw fileError(path, error);
  }
}

async function removed(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (error) {
    throw fileError(path, error);
  }
}

async function readAll(handle: FileHandle, offset: number, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  try {
    for (let done = 0; done < size;) {
      const { bytesRead } = await handle.read(bytes, done, size - done, offset + done);
      if (bytesRead === 0) throw new Error('the file ends too early');
      done += bytesRead;
    }
  } catch (error) {
    throw diskError('reading', error);
  }
  return bytes;
}

function sumOf(files: readonly FoundFile[]): HeldFigures {
  const sum = (some: readonly FoundFile[]): number => some.reduce((all, { size }) => all + size, 0);
  return { count: files.length, size: sum(files), oldSize: sum(files.filter(({ ageMs }) => ageMs > OLD_AGE_MS)) };
}

function diskError(what: string, error: unknown): TahoeError {
  if (isFull(error))
    return new TahoeError('ERR_NO_SPACE', { where: 'files that the helper uploads' }, { cause: error });
  const facts = { what: `${what} a file of the helper`, reason: reasonOf(error) };
  return new TahoeError('ERR_DISK', facts, { cause: error });
}
