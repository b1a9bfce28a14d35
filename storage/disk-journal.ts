/**
 * The journal of a storage directory on a disk: carried out when the directory is opened, and written anew from the first
 * small mutable write on.
 * @see share-journal.ts
 */
import { dirname } from 'node:path';
import type { Log } from '#core/environment.js';
import type { DiskLayout } from './disk-layout.js';
import type { SyncRunner } from './disk-file.js';
import type { FileSystem } from './file-system.js';
import { JournalFile } from './journal-file.js';
import { recoverJournal } from './journal-recovery.js';
import type { ShareCommits } from './share-commit.js';
import type { SmallShare } from './share-files.js';
import { ShareJournal } from './share-journal.js';
import type { ShareJournalOptions } from './share-journal.js';
import type { SmallShares } from './small-shares.js';

/** What each of the two files holds unless told, in bytes. */
const FILE_SIZE = 8 << 20;

/** What the journal stands on. */
export interface DiskJournalOptions extends Omit<ShareJournalOptions, 'fileSize'> {
  readonly layout: DiskLayout;
  readonly system: FileSystem;
  readonly log: Log;
  readonly commits: ShareCommits;
  readonly small: SmallShares;
  readonly runSync: SyncRunner;
  readonly syncDirectory: (path: string) => Promise<void>;
  readonly fileSize?: number | undefined;
}

/** The journal, opened or not. */
export class DiskJournal {
  readonly #options: DiskJournalOptions;
  #journal: Promise<ShareJournal> | undefined;
  /** All records of this epoch and of those before it have been carried out. */
  #epoch = 0;
  /** The newest that each file tells of. */
  #epochs: readonly number[] = [];

  constructor(options: DiskJournalOptions) {
    this.#options = options;
  }

  /** Carries out what an earlier run recorded. Comes before everything else. @throws ERR_DISK, ERR_NO_SPACE. */
  async recover(): Promise<void> {
    const { commits } = this.#options;
    const { epoch, epochs } = await recoverJournal({
      ...this.#options,
      replace: async (storageIndex, shareNumber, bytes) => {
        const prepared = await commits.prepare(storageIndex);
        await prepared.file.write([bytes], 0);
        await commits.commit(storageIndex, [{ shareNumber, prepared }], true);
      },
    });
    this.#epoch = epoch;
    this.#epochs = epochs;
    if (epochs.some((each) => each > 0)) await (await this.#open()).close();
  }

  /** Clears both files, the older first: what it tells of a share must not outlast what the newer one does. */
  async #open(): Promise<ShareJournal> {
    const { layout, runSync, syncDirectory, system } = this.#options;
    const files: JournalFile[] = [];
    try {
      for (const path of layout.journals) files.push(await JournalFile.open(path, system, runSync));
      const age = (file: JournalFile): number => this.#epochs[files.indexOf(file)] ?? 0;
      for (const file of files.toSorted((one, other) => age(one) - age(other))) await file.clear(this.#epoch);
      await syncDirectory(dirname(layout.journals[0]));
      return new ShareJournal(files, this.#epoch, {
        ...this.#options,
        fileSize: this.#options.fileSize ?? FILE_SIZE,
        settle: (storageIndex, shareNumbers) => this.#settle(storageIndex, shareNumbers),
      });
    } catch (error) {
      await Promise.allSettled(files.map((file) => file.close()));
      throw error;
    }
  }

  #settle(storageIndex: Uint8Array, shareNumbers: readonly number[]): Promise<void> {
    for (const shareNumber of shareNumbers) this.#options.small.letGo(storageIndex, shareNumber);
    return this.#options.settle(storageIndex, shareNumbers);
  }

  /** @see ShareFiles */
  async replace(storageIndex: Uint8Array, shares: readonly SmallShare[]): Promise<readonly string[]> {
    this.#journal ??= this.#open().catch((error: unknown) => {
      this.#journal = undefined;
      throw error;
    });
    const journal = await this.#journal;
    return this.#options.small.place(storageIndex, shares, (made, place) => journal.place(storageIndex, made, place));
  }

  /** Before a final place of the index is changed in another way than by `replace`. @throws as a sync. */
  async release(storageIndex: Uint8Array): Promise<void> {
    await (await this.#journal)?.release(storageIndex);
  }

  /** Makes everything durable that was placed. */
  async close(): Promise<void> {
    try {
      await (await this.#journal)?.close();
    } finally {
      await this.#options.small.close();
    }
  }
}
