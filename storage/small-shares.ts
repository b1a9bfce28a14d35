/**
 * How small files get into final places with no sync: a journal that was synced tells of them, and of all that a request
 * places or of none.
 *
 * Each file is made in `tallac/writing` and, once it is recorded, renamed over the old one. New shares are placed first:
 * that may fail for want of space, and is undone; the rest needs none.
 * @see share-journal.ts
 */
import { join } from 'node:path';
import { formatBase32 } from '#core/base32.js';
import { reasonOf } from '#core/errors.js';
import { onDisk, systemCodeOf } from './disk-error.js';
import type { DiskLayout } from './disk-layout.js';
import { fileMarkAt, formatFileMark } from './file-mark.js';
import type { FileSystem, OpenFile } from './file-system.js';
import { HeldFiles } from './held-files.js';
import type { ShareFile, SmallShare } from './share-files.js';
import type { JournalledShare } from './share-journal.js';

const FILE_MODE = 0o600;

/** What they stand on, in one storage directory. */
export interface SmallSharesOptions {
  readonly layout: DiskLayout;
  readonly system: FileSystem;
  /** For new files. */
  readonly toShareFile: (handle: OpenFile, size: number) => ShareFile;
  /** Makes the directory of a storage index, where it is missing. */
  readonly makeDirectory: (storageIndex: Uint8Array) => Promise<void>;
  /** Makes what stands at a storage index durable, and what does not. */
  readonly settle: (storageIndex: Uint8Array) => Promise<void>;
  /** A change came to a halt between old and new: no more writes until a restart has carried it to its end. */
  readonly distrust: (reason: string) => void;
}

/** A file that was made beside its place. */
interface MadeShare extends JournalledShare {
  readonly path: string;
  readonly place: string;
  readonly file: ShareFile;
  readonly mark: string;
}

/** The small files of one storage directory. */
export class SmallShares {
  readonly #options: SmallSharesOptions;
  readonly #held = new HeldFiles();
  #fileCount = 0;

  constructor(options: SmallSharesOptions) {
    this.#options = options;
  }

  /**
   * Puts small shares of one storage index into their places, with no sync: whoever is told of the files sees to that, and
   * has them placed.
   * @param keep - gets the shares and what places them all.
   * @returns what `markOf` says of each from now on.
   * @throws ERR_DISK, ERR_NO_SPACE, or what `keep` throws; what was not placed is gone.
   */
  async place(
    storageIndex: Uint8Array,
    shares: readonly SmallShare[],
    keep: (shares: readonly JournalledShare[], place: () => Promise<void>) => Promise<void>,
  ): Promise<string[]> {
    const made: MadeShare[] = [];
    try {
      // What may fail for want of space comes before the record: on a full disk that could not be taken back.
      if (shares.some(({ isNew }) => isNew)) await this.#options.makeDirectory(storageIndex);
      for (const share of shares) made.push(await this.#make(storageIndex, share));
      await keep(made, () => this.#moveAll(storageIndex, made));
    } catch (error) {
      for (const { file, path } of made) {
        await file.close().catch(() => undefined);
        await this.#remove(path);
      }
      throw error;
    }
    for (const { file, modifiedMs, place } of made) this.#held.hold(place, file, modifiedMs);
    return made.map(({ mark }) => mark);
  }

  async #make(storageIndex: Uint8Array, share: SmallShare): Promise<MadeShare> {
    const { layout, system, toShareFile } = this.#options;
    const { bytes, isNew, shareNumber } = share;
    const place = layout.share(storageIndex, shareNumber);
    this.#fileCount += 1;
    const path = join(layout.writing, `${formatBase32(storageIndex)}.small.${String(this.#fileCount)}`);
    let file: ShareFile | undefined;
    try {
      const handle = await onDisk('preparing a share', () => system.open(path, 'wx+', FILE_MODE));
      file = toShareFile(handle, 0);
      await file.write([bytes], 0);
      const { ino, mtimeMs } = await onDisk('preparing a share', () => handle.stat());
      // The clock may have been set back since the old file was written: the record must not seem older than that.
      const modifiedMs = Math.max(mtimeMs, isNew ? 0 : await this.#modifiedMs(place));
      return { ...share, path, place, file, modifiedMs, mark: formatFileMark({ ino, mtimeMs, size: bytes.length }) };
    } catch (error) {
      await file?.close().catch(() => undefined);
      await this.#remove(path);
      throw error;
    }
  }

  /** When what stands in a place was written to; 0 where nothing does. */
  async #modifiedMs(place: string): Promise<number> {
    return this.#held.modifiedMs(place) ?? (await fileMarkAt(this.#options.system, place))?.mtimeMs ?? 0;
  }

  async #moveAll(storageIndex: Uint8Array, made: readonly MadeShare[]): Promise<void> {
    const moved: MadeShare[] = [];
    try {
      for (const each of [...made].sort((one, other) => Number(other.isNew) - Number(one.isNew))) {
        await this.#move(storageIndex, each);
        moved.push(each);
      }
    } catch (error) {
      if (moved.length > 0) await this.#takeBack(storageIndex, moved);
      throw error;
    }
  }

  async #move(storageIndex: Uint8Array, { isNew, path, place }: MadeShare): Promise<void> {
    const { makeDirectory, system } = this.#options;
    await onDisk('placing a share', async () => {
      try {
        // Quick is what has nothing to free.
        await system.rename(path, place, isNew || this.#held.modifiedMs(place) !== undefined);
      } catch (error) {
        if (systemCodeOf(error) !== 'ENOENT') throw error;
        await makeDirectory(storageIndex);
        await system.rename(path, place);
      }
    });
  }

  /** Has nothing placed, durably, or else sees to it that nothing is written until a restart has placed it all. */
  async #takeBack(storageIndex: Uint8Array, moved: readonly MadeShare[]): Promise<void> {
    const { distrust, settle, system } = this.#options;
    try {
      if (!moved.every(({ isNew }) => isNew)) throw new Error('a share was replaced already');
      for (const { place } of moved) await system.rm(place, { force: true });
      await settle(storageIndex);
    } catch (error) {
      distrust(`a change to several shares came to a halt (${reasonOf(error)}); a restart carries it to its end`);
    }
  }

  /** A share that was placed without a sync has become durable, or will never be. */
  letGo(storageIndex: Uint8Array, shareNumber: number): void {
    this.#held.letGo(this.#options.layout.share(storageIndex, shareNumber));
  }

  /** Closes what is open. */
  close(): Promise<void> {
    return this.#held.close();
  }

  /** Best effort: the next start removes what is left. */
  async #remove(path: string): Promise<void> {
    await this.#options.system.rm(path, { force: true }).catch(() => undefined);
  }
}
