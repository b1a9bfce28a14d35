/**
 * The table under the index: sorted keys and values in LevelDB, in a directory of their own. The only file that
 * knows LevelDB.
 *
 * Writes are not synced: what a crash takes from the table is found in the share files again. Every failure is
 * ERR_INDEX, whereupon the index throws the table away and makes a new one.
 */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClassicLevel } from 'classic-level';
import { reasonOf, TahoeError } from '#core/errors.js';
import { isFull } from '../disk-error.js';
import { isSoundLog, isSoundTable } from './table-check.js';

/** What of the newest entries is held in memory, in bytes; then it becomes a file. */
export const WRITE_BUFFER_BYTES = 1_048_576;

const DIRECTORY_MODE = 0o700;

/** One key and its value. */
export type TableEntry = readonly [key: Uint8Array, value: Uint8Array];

/** A key that gets a value, or loses it. */
export interface TableChange {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

/** From which key to which; undefined is the end of the table. */
export interface KeyRange {
  /** Not included. */
  readonly after: Uint8Array | undefined;
  /** Included. */
  readonly through: Uint8Array | undefined;
}

/** An open table. One process has it at a time. */
export class IndexTable {
  readonly #level: ClassicLevel<Uint8Array, Uint8Array>;

  private constructor(level: ClassicLevel<Uint8Array, Uint8Array>) {
    this.#level = level;
  }

  /**
   * Opens the table in `directory`, making it where it is missing, once every file of it was checked.
   * @throws ERR_INDEX when it is damaged, and when another process has it, which `isLocked` tells.
   */
  static async open(directory: string, writeBufferSize = WRITE_BUFFER_BYTES): Promise<IndexTable> {
    return onTable(async () => {
      await mkdir(directory, { recursive: true, mode: DIRECTORY_MODE });
      // Loaded here, so that a machine without a binary of it hears what is missing.
      const { ClassicLevel } = await import('classic-level');
      await checkFiles(directory);
      const options = { keyEncoding: 'view', valueEncoding: 'view', compression: false, writeBufferSize } as const;
      const level = new ClassicLevel<Uint8Array, Uint8Array>(directory, options);
      await level.open();
      return new IndexTable(level);
    });
  }

  /** Removes a table that is not open, whatever state it is in. @throws ERR_INDEX. */
  static async destroy(directory: string): Promise<void> {
    await onTable(() => rm(directory, { recursive: true, force: true }));
  }

  /** The values in the order of the keys. @throws ERR_INDEX. */
  async getMany(keys: Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    const values = await onTable(() => this.#level.getMany(keys));
    return values.map((value) => (value === undefined ? undefined : plain(value)));
  }

  /** The first `limit` entries of a range, in order. @throws ERR_INDEX. */
  async range({ after, through }: KeyRange, limit: number): Promise<readonly TableEntry[]> {
    const bounds = {
      ...(after === undefined ? {} : { gt: after }),
      ...(through === undefined ? {} : { lte: through }),
    };
    const entries = await onTable(() => this.#level.iterator({ ...bounds, limit }).all());
    return entries.map(([key, value]) => [plain(key), plain(value)] as const);
  }

  /** Makes all the changes, or after a crash none of them. @throws ERR_INDEX. */
  async write(changes: readonly TableChange[]): Promise<void> {
    const operations = changes.map(({ key, value }) =>
      value === undefined ? ({ type: 'del', key } as const) : ({ type: 'put', key, value } as const),
    );
    await onTable(() => this.#level.batch(operations));
  }

  /** @throws ERR_INDEX. */
  async close(): Promise<void> {
    await onTable(() => this.#level.close());
  }
}

/** Whether opening failed because another process has the table. */
export function isLocked(error: unknown): boolean {
  return codes(error).includes('LEVEL_LOCKED');
}

/** Whether something failed because the disk is full: LevelDB says so in words. */
export function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return isFull(error) || /No space left on device|quota exceeded/i.test(error.message) || isDiskFull(error.cause);
}

/**
 * Checks what LevelDB would trust. A damaged table is removed: where it counts LevelDB then misses it and does not
 * open, and where it was left by a crash nothing is lost.
 */
async function checkFiles(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    if (/^[0-9]+\.log$|^MANIFEST-/.test(name) && !isSoundLog(await readFile(path))) {
      throw new Error(`${name} is damaged`);
    }
    if (/^[0-9]+\.(ldb|sst)$/.test(name) && !isSoundTable(await readFile(path))) await rm(path);
  }
}

/** LevelDB's bytes are Buffers, whose slices are no copies. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The codes of an error and of what caused it. */
function codes(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  const code = 'code' in error && typeof error.code === 'string' ? [error.code] : [];
  return [...code, ...codes(error.cause)];
}

async function onTable<Result>(action: () => Promise<Result>): Promise<Result> {
  try {
    return await action();
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    throw new TahoeError('ERR_INDEX', { reason: reasonOf(cause) }, { cause: error });
  }
}
