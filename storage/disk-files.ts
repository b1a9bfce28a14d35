/**
 * Share files on a real disk, in the reference's layout.
 *
 * Files are made with mode 0600 and directories with 0700. A move into a final place is durable when `publish`
 * returns: the file's own directory is synced, and so is the parent of every directory that may be new. A sync
 * that failed is never tried again: the kernel may have dropped the data and would report success.
 * @see disk-layout.ts
 */
import { constants } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { silentLog } from '#core/environment.js';
import type { Clock, Log } from '#core/environment.js';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import { DiskAdvisories } from './disk-advisories.js';
import { DiskFile } from './disk-file.js';
import type { SyncRunner } from './disk-file.js';
import { DiskJournal } from './disk-journal.js';
import { entriesOf, requireDirectory } from './directory-entries.js';
import { DiskUploads } from './disk-uploads.js';
import { DirectorySync, syncDirectory } from './directory-sync.js';
import { barredCodes, diskError, isFull, onDisk, systemCodeOf, unusableCodes } from './disk-error.js';
import { DiskLayout, pathsUpTo, shareNumberOfEntry } from './disk-layout.js';
import { machineFileSystem } from './node-file-system.js';
import type { FileSystem, OpenFile } from './file-system.js';
import { QuickCalls } from './quick-calls.js';
import { QuickReads } from './quick-reads.js';
import { ShareCommits } from './share-commit.js';
import type { NoShareFile, PreparedShare, ShareChange, ShareFile, ShareFiles, SmallShare } from './share-files.js';
import { settleShares } from './share-settling.js';
import { SharedCalls } from './shared-calls.js';
import { SmallShares } from './small-shares.js';
import type { StoreOwnership } from './store-ownership.js';
import type { UploadRecord } from './upload-record.js';

const DIRECTORY_MODE = 0o700;
/** Directories known to be durable that are remembered. */
const DURABLE_COUNT_MAX = 10_000;

/** What the files stand on. */
export interface DiskFilesOptions {
  /** The file system that the directory is in; by default the machine's own, with small calls done at once. */
  readonly system?: FileSystem | undefined;
  /** How directories are synced; tests give their own. */
  readonly directories?: DirectorySync | undefined;
  /** When it is lost nothing is written, removed or acknowledged any more. */
  readonly ownership?: StoreOwnership | undefined;
  readonly log?: Log | undefined;
  /**
   * When small mutable writes are settled, and how quick the disk is. Without it they are settled when the journal is
   * full, and at the end, and nothing is done at once.
   */
  readonly clock?: Clock | undefined;
  /** A file of the journal holds about so much, in bytes; 8 MiB unless given. */
  readonly journalSize?: number | undefined;
}

/** The files of one storage directory. */
export class DiskFiles implements ShareFiles {
  readonly #layout: DiskLayout;
  readonly #system: FileSystem;
  readonly #directories: DirectorySync;
  readonly #ownership: StoreOwnership | undefined;
  readonly #quickReads: QuickReads | undefined;
  readonly #durable = new Set<string>();
  readonly #making = new SharedCalls();
  readonly #commits: ShareCommits;
  readonly #journal: DiskJournal;
  readonly #advisories: DiskAdvisories;
  readonly #uploads: DiskUploads;
  #failure: string | undefined;

  private constructor(layout: DiskLayout, options: DiskFilesOptions) {
    const { clock, log = silentLog, ownership } = options;
    const calls = clock && new QuickCalls(clock);
    const { system = machineFileSystem(calls) } = options;
    this.#layout = layout;
    this.#system = system;
    this.#directories = options.directories ?? new DirectorySync((path) => syncDirectory(path, system));
    this.#ownership = ownership;
    this.#quickReads = calls && new QuickReads(system, calls);
    const parts = {
      layout,
      system,
      log,
      toShareFile: (handle: OpenFile, size: number) => new DiskFile(handle, size, this.#runNewSync),
      syncDirectory: (path: string) => this.#syncDirectory(path),
    };
    this.#advisories = new DiskAdvisories(parts);
    this.#uploads = new DiskUploads({
      ...parts,
      makeIncoming: async () => {
        await this.#makeDirectory(layout.incoming);
      },
    });
    const change = {
      ...parts,
      makeDirectory: (storageIndex: Uint8Array) => this.#makeIndexDirectory(storageIndex),
      settle: (storageIndex: Uint8Array) => this.settle(storageIndex),
      distrust: (reason: string) => void (this.#failure ??= reason),
    };
    this.#commits = new ShareCommits({
      ...change,
      runSync: this.#runSync,
      removeDirectory: (storageIndex) => this.#removeIndexDirectory(storageIndex),
    });
    this.#journal = new DiskJournal({
      ...parts,
      commits: this.#commits,
      small: new SmallShares({ ...change, commits: this.#commits }),
      clock: options.clock,
      fileSize: options.journalSize,
      runSync: this.#runSync,
      settle: (storageIndex, shareNumbers) => this.#settleShares(storageIndex, shareNumbers),
    });
  }

  /**
   * Opens `directory`, making it where it is missing, finds the uploads that an earlier run left behind, and
   * carries to its end what it was changing.
   * @throws ERR_DISK, ERR_NO_SPACE.
   */
  static async open(directory: string, options: DiskFilesOptions = {}): Promise<DiskFiles> {
    const layout = new DiskLayout(directory);
    const files = new DiskFiles(layout, options);
    await onDisk('opening the storage directory', async () => {
      const created = await files.#system.mkdir(layout.shares, { recursive: true, mode: DIRECTORY_MODE });
      await files.#system.mkdir(layout.advisories, { recursive: true, mode: DIRECTORY_MODE });
      await files.#system.mkdir(layout.incoming, { recursive: true, mode: DIRECTORY_MODE });
      for (const path of pathsUpTo(layout.shares, created)) await files.#syncDirectory(path);
      for (const ours of [layout.writing, layout.uploads]) {
        const createdOurs = await files.#system.mkdir(ours, { recursive: true, mode: DIRECTORY_MODE });
        for (const path of pathsUpTo(ours, createdOurs)) await files.#syncDirectory(path);
      }
    });
    await files.#commits.recover();
    await files.#journal.recover();
    await files.#uploads.recover();
    return files;
  }

  #settleShares(storageIndex: Uint8Array, shareNumbers: readonly number[]): Promise<void> {
    return settleShares(shareNumbers, {
      // What cannot be read now is not settled.
      open: (shareNumber) => this.#openShare(storageIndex, shareNumber, constants.O_RDONLY, barredCodes, true),
      settleEntries: () => this.settle(storageIndex),
      isThere: async (shareNumber) => (await this.markOf(storageIndex, shareNumber)) !== undefined,
    });
  }

  async replace(storageIndex: Uint8Array, shares: readonly SmallShare[]): Promise<readonly string[]> {
    this.#checkTrust();
    return this.#journal.replace(storageIndex, shares);
  }

  markOf(storageIndex: Uint8Array, shareNumber: number): Promise<string | undefined> {
    return this.#commits.markOf(storageIndex, shareNumber);
  }

  get failure(): string | undefined {
    return this.#failure ?? this.#ownership?.lost;
  }

  async requireThere(): Promise<void> {
    await requireDirectory(this.#system, this.#layout.shares);
  }

  async list(storageIndex: Uint8Array): Promise<readonly number[]> {
    const names = await onDisk('listing shares', () =>
      entriesOf(this.#system, this.#layout.indexDirectory(storageIndex)),
    );
    return names.map(shareNumberOfEntry).filter((shareNumber) => shareNumber !== undefined);
  }

  async open(
    storageIndex: Uint8Array,
    shareNumber: number,
    access: 'read' | 'update',
  ): Promise<ShareFile | NoShareFile> {
    if (access === 'update') await this.#journal.release(storageIndex);
    return this.#openShare(storageIndex, shareNumber, access === 'read' ? constants.O_RDONLY : constants.O_RDWR);
  }

  async #openShare(
    storageIndex: Uint8Array,
    shareNumber: number,
    access: number,
    unusable = unusableCodes,
    isQuick = false,
  ): Promise<ShareFile | NoShareFile> {
    // Without O_NONBLOCK, opening a pipe would wait for somebody at its other end.
    const flags = access | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    let handle: OpenFile;
    try {
      handle = await this.#system.open(this.#layout.share(storageIndex, shareNumber), flags, undefined, isQuick);
    } catch (error) {
      const code = systemCodeOf(error) ?? '';
      if (code === 'ENOENT' || code === 'ENOTDIR') return 'absent';
      if (unusable.includes(code)) return 'unusable';
      throw diskError('opening a share', error);
    }
    return this.#toShareFile(handle);
  }

  async #toShareFile(handle: OpenFile): Promise<ShareFile | NoShareFile> {
    try {
      const stats = await handle.stat();
      if (stats.isFile()) return new DiskFile(handle, stats.size, this.#runSync, this.#quickReads);
    } catch (error) {
      await handle.close();
      throw diskError('opening a share', error);
    }
    await handle.close();
    return 'unusable';
  }

  createIncoming(storageIndex: Uint8Array, shareNumber: number): Promise<ShareFile> {
    return this.#uploads.create(storageIndex, shareNumber);
  }

  async removeIncoming(storageIndex: Uint8Array, shareNumber: number): Promise<void> {
    // Under the same name lies an upload to whoever owns the store now.
    if (this.#ownership?.lost === undefined) await this.#uploads.remove(storageIndex, shareNumber);
  }

  get keptUploads(): readonly UploadRecord[] {
    return this.#uploads.kept;
  }

  openKept(upload: UploadRecord): Promise<ShareFile> {
    return this.#uploads.open(upload);
  }

  keepUpload(upload: UploadRecord): Promise<void> {
    return this.#uploads.keep(upload);
  }

  async publish(storageIndex: Uint8Array, shareNumber: number): Promise<void> {
    const incoming = this.#layout.incomingShare(storageIndex, shareNumber);
    const share = this.#layout.share(storageIndex, shareNumber);
    await onDisk('placing a share', async () => {
      try {
        await this.#system.rename(incoming, share, true);
      } catch (error) {
        if (systemCodeOf(error) !== 'ENOENT') throw error;
        await this.#makeIndexDirectory(storageIndex);
        await this.#system.rename(incoming, share);
      }
    });
    try {
      await this.settle(storageIndex);
    } catch (error) {
      await onDisk('removing a share', () => this.#system.rm(share, { force: true }));
      throw error;
    }
    // A start sees that it is a share.
    await this.#uploads.forget(storageIndex, shareNumber).catch(() => undefined);
  }

  async #makeIndexDirectory(storageIndex: Uint8Array): Promise<void> {
    const path = this.#layout.indexDirectory(storageIndex);
    await this.#making.run(path, () =>
      onDisk('placing a share', async () => {
        if ((await this.#makeDirectory(path)) !== undefined) this.#forget(storageIndex);
      }),
    );
  }

  /** Makes a directory among the shares, and no other: where those are not there, the volume is gone. */
  async #makeDirectory(path: string): Promise<string | undefined> {
    const created = await this.#system.mkdir(path, { recursive: true, mode: DIRECTORY_MODE });
    if (created === undefined || created.startsWith(join(this.#layout.shares, sep))) return created;
    const made = pathsUpTo(path, created).slice(0, -1);
    for (const each of made) await this.#system.rmdir(each).catch(() => undefined);
    throw new TahoeError('ERR_STORE_GONE', {});
  }

  /** Best effort: a directory with something in it stays. */
  async #removeIndexDirectory(storageIndex: Uint8Array): Promise<void> {
    await this.#system.rmdir(this.#layout.indexDirectory(storageIndex)).catch(() => undefined);
  }

  async makeWay(storageIndex: Uint8Array): Promise<void> {
    await this.#assertOwner();
    await this.#makeIndexDirectory(storageIndex);
    await this.#settleWay(storageIndex);
  }

  async settle(storageIndex: Uint8Array): Promise<void> {
    await this.#settleWay(storageIndex, this.#layout.indexDirectory(storageIndex));
  }

  /** Makes the entries of the directories above an index durable, and what is in `others`. */
  async #settleWay(storageIndex: Uint8Array, ...others: readonly string[]): Promise<void> {
    const index = this.#layout.indexDirectory(storageIndex);
    const newest = [index, dirname(index)].filter((directory) => !this.#durable.has(directory));
    await Promise.all(
      [...others, ...newest.map((directory) => dirname(directory))].map((path) => this.#syncDirectory(path)),
    );
    if (this.#durable.size > DURABLE_COUNT_MAX) this.#durable.clear();
    for (const directory of newest) this.#durable.add(directory);
  }

  #forget(storageIndex: Uint8Array): void {
    this.#durable.delete(this.#layout.indexDirectory(storageIndex));
    this.#durable.delete(this.#layout.prefixDirectory(storageIndex));
  }

  prepare(storageIndex: Uint8Array, copied?: number): Promise<PreparedShare> {
    return this.#commits.prepare(storageIndex, copied);
  }

  discard(prepared: PreparedShare): Promise<void> {
    return this.#commits.discard(prepared);
  }

  async commit(storageIndex: Uint8Array, changes: readonly ShareChange[], keepDirectory: boolean): Promise<void> {
    try {
      await this.#journal.release(storageIndex);
    } catch (error) {
      for (const { prepared } of changes) if (prepared !== undefined) await this.discard(prepared);
      throw error;
    }
    await this.#commits.commit(storageIndex, changes, keepDirectory);
  }

  createScratch(): Promise<ShareFile> {
    return this.#commits.createScratch();
  }

  async quarantine(storageIndex: Uint8Array, shareNumber: number, name: string): Promise<void> {
    const { quarantine } = this.#layout;
    await this.#journal.release(storageIndex);
    const created = await onDisk('making the quarantine', () =>
      this.#system.mkdir(quarantine, { recursive: true, mode: DIRECTORY_MODE }),
    );
    await onDisk('moving a share to quarantine', () =>
      this.#system.rename(this.#layout.share(storageIndex, shareNumber), join(quarantine, name)),
    );
    for (const path of pathsUpTo(quarantine, created)) await this.#syncDirectory(path);
    await this.settle(storageIndex);
  }

  writeAdvisory(name: string, text: string): Promise<void> {
    return this.#advisories.write(name, text);
  }

  advisoryCount(): Promise<number> {
    return this.#advisories.count();
  }

  async freeBytes(): Promise<number> {
    try {
      const { bavail, bsize } = await this.#system.statfs(this.#layout.shares);
      return bavail * bsize;
    } catch (error) {
      await this.requireThere();
      throw diskError('measuring free space', error);
    }
  }

  close(): Promise<void> {
    return this.#journal.close();
  }

  async #syncDirectory(directory: string): Promise<void> {
    await this.#runSync('syncing a directory', () => this.#directories.sync(directory));
  }

  /** Of what somebody may have been told of: whatever keeps it from being durable, nothing is written any more. */
  readonly #runSync: SyncRunner = (what, sync) => this.#trySync(what, sync, () => true);

  /** Of a new file: where only space ran out it is thrown away, and nothing else was lost. */
  readonly #runNewSync: SyncRunner = (what, sync) => this.#trySync(what, sync, (error) => !isFull(error));

  async #trySync(what: string, sync: () => Promise<void>, isFatal: (error: unknown) => boolean): Promise<void> {
    this.#checkTrust();
    try {
      await sync();
    } catch (error) {
      // One of ours says that it was not even begun, for want of a file descriptor.
      if (!isTahoeError(error) && isFatal(error)) {
        this.#failure ??= `${what} failed (${systemCodeOf(error) ?? reasonOf(error)})`;
      }
      throw diskError(what, error);
    }
    // Another sync may have failed meanwhile and taken this one's data with it.
    this.#checkTrust();
    // Last: what follows a sync is an acknowledgement, or the move of a share into its place.
    await this.#assertOwner();
  }

  async #assertOwner(): Promise<void> {
    await onDisk('asserting that the store is ours', async () => this.#ownership?.assertOwner());
  }

  #checkTrust(): void {
    if (this.failure !== undefined) throw new TahoeError('ERR_STORE_READONLY', { reason: this.failure });
  }
}
