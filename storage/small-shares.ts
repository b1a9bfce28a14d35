/**
 * How small files get into final places with no sync: a journal that was synced tells of them, and of all that a request
 * places or of none.
 *
 * Each file is prepared as for a commit and, once it is recorded, moved over the old one. New shares are placed first:
 * that may fail for want of space, and is undone; the rest needs none.
 * @see share-journal.ts
 */
import type { DiskLayout } from './disk-layout.js';
import { fileMarkAt, formatFileMark } from './file-mark.js';
import type { FileSystem } from './file-system.js';
import { HeldFiles } from './held-files.js';
import type { ShareCommits } from './share-commit.js';
import type { PreparedShare, SmallShare } from './share-files.js';
import type { JournalledShare } from './share-journal.js';

/** What they stand on, in one storage directory. */
export interface SmallSharesOptions {
  readonly layout: DiskLayout;
  readonly system: FileSystem;
  readonly commits: ShareCommits;
  /** Makes the directory of a storage index, where it is missing. */
  readonly makeDirectory: (storageIndex: Uint8Array) => Promise<void>;
  /** Makes what stands at a storage index durable, and what does not. */
  readonly settle: (storageIndex: Uint8Array) => Promise<void>;
}

/** A share whose file was made beside its place. */
interface MadeShare extends JournalledShare {
  readonly prepared: PreparedShare;
  readonly place: string;
  readonly mark: string;
}

/** The small files of one storage directory. */
export class SmallShares {
  readonly #options: SmallSharesOptions;
  readonly #held = new HeldFiles();

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
      for (const { prepared } of made) await this.#options.commits.discard(prepared);
      throw error;
    }
    for (const { modifiedMs, place, prepared } of made) this.#held.hold(place, prepared.file, modifiedMs);
    return made.map(({ mark }) => mark);
  }

  async #make(storageIndex: Uint8Array, share: SmallShare): Promise<MadeShare> {
    const { commits, layout } = this.#options;
    const place = layout.share(storageIndex, share.shareNumber);
    const prepared = await commits.prepare(storageIndex);
    try {
      await prepared.file.write([share.bytes], 0);
      const mark = await commits.markOfPrepared(prepared);
      // The clock may have been set back since the old file was written: the record must not seem older than that.
      const modifiedMs = Math.max(mark.mtimeMs, share.isNew ? 0 : await this.#modifiedMs(place));
      return { ...share, prepared, place, modifiedMs, mark: formatFileMark(mark) };
    } catch (error) {
      await commits.discard(prepared);
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
      for (const each of made.toSorted((one, other) => Number(other.isNew) - Number(one.isNew))) {
        const isQuick = each.isNew || this.#held.modifiedMs(each.place) !== undefined;
        await this.#options.commits.move(storageIndex, each.shareNumber, each.prepared, isQuick);
        moved.push(each);
      }
    } catch (error) {
      if (moved.length > 0) await this.#takeBack(storageIndex, moved);
      throw error;
    }
  }

  /** Has nothing placed, durably, or else sees to it that nothing is written until a restart has placed it all. */
  async #takeBack(storageIndex: Uint8Array, moved: readonly MadeShare[]): Promise<void> {
    const { commits, settle } = this.#options;
    try {
      if (!moved.every(({ isNew }) => isNew)) throw new Error('a share was replaced already');
      for (const { shareNumber } of moved) await commits.remove(storageIndex, shareNumber);
      await settle(storageIndex);
    } catch (error) {
      commits.halt(error);
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
}
