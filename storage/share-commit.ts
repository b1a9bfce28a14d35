/**
 * How files get into final places, one or several at a time, all or none.
 *
 * A file is made in `tallac/writing`, synced, and renamed over the old one: that is one change, and the power may
 * fail at any time. For several shares a record is synced beside the files before the first of them is renamed; what
 * it names is carried to its end at the next start. What another program did to those places meanwhile is left
 * as it is. New shares are placed first: that may fail for want of space, and is undone; the rest needs none.
 * @see commit-record.ts
 */
import { constants } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBase32, parseBase32 } from '#core/base32.js';
import { utf8 } from '#core/bytes.js';
import type { Log } from '#core/environment.js';
import { reasonOf } from '#core/errors.js';
import { formatCommitRecord, parseCommitRecord, stateOfStep } from './commit-record.js';
import type { CommitStep, StepState } from './commit-record.js';
import { onDisk, systemCodeOf } from './disk-error.js';
import type { SyncRunner } from './disk-file.js';
import type { DiskLayout } from './disk-layout.js';
import { fileMarkAt, formatFileMark } from './file-mark.js';
import type { FileMark } from './file-mark.js';
import type { FileSystem, OpenFile } from './file-system.js';
import type { PreparedShare, ShareChange, ShareFile } from './share-files.js';

const FILE_MODE = 0o600;
const RECORD_SUFFIX = '.commit';
const UNFINISHED_SUFFIX = '.new';

/** What the commits of a storage directory stand on. */
export interface ShareCommitsOptions {
  readonly layout: DiskLayout;
  readonly system: FileSystem;
  readonly log: Log;
  /** For new files. */
  readonly toShareFile: (handle: OpenFile, size: number) => ShareFile;
  /** Syncs what may have been acknowledged. */
  readonly runSync: SyncRunner;
  readonly syncDirectory: (path: string) => Promise<void>;
  /** Makes the directory of a storage index, where it is missing. */
  readonly makeDirectory: (storageIndex: Uint8Array) => Promise<void>;
  /** Removes it, if it is empty. Never throws. */
  readonly removeDirectory: (storageIndex: Uint8Array) => Promise<void>;
  /** Makes what stands at a storage index durable. */
  readonly settle: (storageIndex: Uint8Array) => Promise<void>;
  /** A change came to a halt between old and new: no more writes until a restart has carried it to its end. */
  readonly distrust: (reason: string) => void;
}

class PreparedFile implements PreparedShare {
  readonly name: string;
  readonly file: ShareFile;

  constructor(name: string, file: ShareFile) {
    this.name = name;
    this.file = file;
  }
}

/** The changes to final places of one storage directory. */
export class ShareCommits {
  readonly #options: ShareCommitsOptions;
  #fileCount = 0;

  constructor(options: ShareCommitsOptions) {
    this.#options = options;
  }

  /** Makes a file that is to be placed, empty or a copy of the share of that number. @throws ERR_DISK, ERR_NO_SPACE. */
  async prepare(storageIndex: Uint8Array, copied?: number): Promise<PreparedShare> {
    const { layout, system, toShareFile } = this.#options;
    const name = this.#newName(formatBase32(storageIndex));
    const path = this.#pathOf(name);
    try {
      return await onDisk('preparing a share', async () => {
        if (copied === undefined)
          return new PreparedFile(name, toShareFile(await system.open(path, 'wx+', FILE_MODE), 0));
        const mode = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE;
        await system.copyFile(layout.share(storageIndex, copied), path, mode);
        const handle = await system.open(path, 'r+');
        return new PreparedFile(name, toShareFile(handle, (await handle.stat()).size));
      });
    } catch (error) {
      await this.#remove(name);
      throw error;
    }
  }

  /** An empty file that has no name any more. @throws ERR_DISK, ERR_NO_SPACE. */
  async createScratch(): Promise<ShareFile> {
    const { system, toShareFile } = this.#options;
    const path = this.#pathOf(this.#newName('scratch'));
    return onDisk('making a scratch file', async () => {
      const handle = await system.open(path, 'wx+', FILE_MODE);
      await system.unlink(path);
      return toShareFile(handle, 0);
    });
  }

  /** Throws a prepared file away. Never throws. */
  async discard(prepared: PreparedShare): Promise<void> {
    await prepared.file.close().catch(() => undefined);
    await this.#remove(asPrepared(prepared).name);
  }

  /** @see ShareFiles */
  async commit(storageIndex: Uint8Array, changes: readonly ShareChange[], keepDirectory: boolean): Promise<void> {
    const steps = await this.#seal(storageIndex, changes);
    const record = await this.#keepRecord(storageIndex, steps);
    const placed: CommitStep[] = [];
    try {
      for (const step of steps) {
        await this.#place(storageIndex, step);
        placed.push(step);
      }
    } catch (error) {
      await this.#takeBack(storageIndex, steps, placed, record);
      throw error;
    }
    await this.#options.settle(storageIndex);
    if (record !== undefined) await this.#dropRecord(record);
    const isRemoval = steps.some(({ prepared }) => prepared === null);
    if (isRemoval && !keepDirectory) await this.#options.removeDirectory(storageIndex);
  }

  /** Syncs and closes what is prepared; on an error it is thrown away. @returns the steps, new shares first. */
  async #seal(storageIndex: Uint8Array, changes: readonly ShareChange[]): Promise<CommitStep[]> {
    const isMarked = changes.length > 1;
    const sealing = changes.map(async ({ prepared, shareNumber }): Promise<CommitStep> => {
      const before = isMarked ? await this.#durableMarkOf(this.#options.layout.share(storageIndex, shareNumber)) : null;
      if (prepared === undefined) return { shareNumber, before, prepared: null };
      await prepared.file.sync();
      const { name } = asPrepared(prepared);
      const mark = isMarked ? await this.#markOf(this.#pathOf(name)) : null;
      return { shareNumber, before, prepared: { name, ino: mark?.ino ?? 0 } };
    });
    try {
      const results = await Promise.allSettled(sealing);
      const steps = results.map((result) => {
        if (result.status === 'rejected') throw result.reason;
        return result.value;
      });
      // One share is placed in any case; for several, what may fail for want of space comes first.
      if (isMarked) await this.#options.makeDirectory(storageIndex);
      for (const { prepared } of changes) await prepared?.file.close();
      return steps.sort((one, other) => rankOf(one) - rankOf(other));
    } catch (error) {
      for (const { prepared } of changes) if (prepared !== undefined) await this.discard(prepared);
      throw error;
    }
  }

  /** Makes the record of a change to several shares durable, and with it the names of the prepared files. */
  async #keepRecord(storageIndex: Uint8Array, steps: readonly CommitStep[]): Promise<string | undefined> {
    if (steps.length < 2) return undefined;
    const { layout, syncDirectory, system, toShareFile } = this.#options;
    const name = `${this.#newName(formatBase32(storageIndex))}${RECORD_SUFFIX}`;
    const text = formatCommitRecord({ storageIndex: formatBase32(storageIndex), steps });
    try {
      const path = this.#pathOf(`${name}${UNFINISHED_SUFFIX}`);
      const file = await onDisk('recording a change', async () =>
        toShareFile(await system.open(path, 'wx', FILE_MODE), 0),
      );
      try {
        await file.write([utf8(text)], 0);
        await file.sync();
      } finally {
        await file.close();
      }
      await onDisk('recording a change', () => system.rename(path, this.#pathOf(name)));
      await syncDirectory(layout.writing);
      return name;
    } catch (error) {
      await this.#remove(`${name}${UNFINISHED_SUFFIX}`);
      await this.#dropAll(steps, name);
      throw error;
    }
  }

  async #place(storageIndex: Uint8Array, { prepared, shareNumber }: CommitStep): Promise<void> {
    if (prepared !== null) await this.#move(storageIndex, shareNumber, prepared.name);
    else await this.remove(storageIndex, shareNumber);
  }

  /** Removes what stands in a final place. @throws ERR_DISK. */
  async remove(storageIndex: Uint8Array, shareNumber: number): Promise<void> {
    const { layout, system } = this.#options;
    await onDisk('removing a share', () => system.rm(layout.share(storageIndex, shareNumber), { force: true }));
  }

  /**
   * Puts a prepared file into a final place, open as it is; nothing is synced.
   * @param isQuick - whether it replaces nothing that would have to be freed.
   * @throws ERR_DISK, ERR_NO_SPACE.
   */
  async move(storageIndex: Uint8Array, shareNumber: number, prepared: PreparedShare, isQuick: boolean): Promise<void> {
    await this.#move(storageIndex, shareNumber, asPrepared(prepared).name, isQuick);
  }

  async #move(storageIndex: Uint8Array, shareNumber: number, name: string, isQuick = false): Promise<void> {
    const { layout, makeDirectory, system } = this.#options;
    const from = this.#pathOf(name);
    const place = layout.share(storageIndex, shareNumber);
    await onDisk('placing a share', async () => {
      try {
        await system.rename(from, place, isQuick);
      } catch (error) {
        if (systemCodeOf(error) !== 'ENOENT') throw error;
        await makeDirectory(storageIndex);
        await system.rename(from, place);
      }
    });
  }

  /** After a failure: has nothing placed, or else sees to it that nothing is written until it all is. */
  async #takeBack(
    storageIndex: Uint8Array,
    steps: readonly CommitStep[],
    placed: readonly CommitStep[],
    record: string | undefined,
  ): Promise<void> {
    const { layout, system } = this.#options;
    try {
      if (placed.some((step) => rankOf(step) > 0)) throw new Error('a share was replaced already');
      for (const { prepared, shareNumber } of placed) {
        await system.rename(layout.share(storageIndex, shareNumber), this.#pathOf(prepared?.name ?? ''));
      }
    } catch (error) {
      this.halt(error);
      return;
    }
    await this.#dropAll(steps, record);
  }

  /** A change to several shares can be neither made nor taken back. */
  halt(cause: unknown): void {
    const why = reasonOf(cause);
    this.#options.distrust(`a change to several shares came to a halt (${why}); a restart carries it to its end`);
  }

  /** Drops a change of which nothing was placed. */
  async #dropAll(steps: readonly CommitStep[], record: string | undefined): Promise<void> {
    if (record !== undefined) await this.#dropRecord(record).catch(() => undefined);
    for (const { prepared } of steps) if (prepared !== null) await this.#remove(prepared.name);
  }

  /** Durably: at a later start it would be taken for a change that stopped half way. */
  async #dropRecord(name: string): Promise<void> {
    await this.#remove(name);
    await this.#options.syncDirectory(this.#options.layout.writing);
  }

  /** Carries to its end what an earlier run began, and empties the directory of prepared files. @throws ERR_DISK. */
  async recover(): Promise<void> {
    const { layout, syncDirectory, system } = this.#options;
    const names = await onDisk('reading what was being written', () => system.readdir(layout.writing));
    const records = names.filter((name) => name.endsWith(RECORD_SUFFIX));
    for (const name of records) await this.#resume(name, new Set(names));
    for (const name of records) await this.#remove(name);
    if (records.length > 0) await syncDirectory(layout.writing);
    for (const name of names) await this.#remove(name);
  }

  async #resume(name: string, names: ReadonlySet<string>): Promise<void> {
    const { layout, log, settle, system } = this.#options;
    const text = await onDisk('reading a record', () => system.readFile(this.#pathOf(name)));
    const record = parseCommitRecord(text);
    if (record === undefined) {
      log.error('storage.commit-damaged', { record: name });
      return;
    }
    const storageIndex = parseBase32(record.storageIndex);
    const states = new Map<CommitStep, StepState>();
    for (const step of record.steps) {
      const found = await this.#markOf(layout.share(storageIndex, step.shareNumber));
      states.set(step, stateOfStep(step, found, names.has(step.prepared?.name ?? '')));
    }
    const has = (state: StepState): boolean => [...states.values()].includes(state);
    const facts = { storageIndex: record.storageIndex };
    if (has('foreign') || (has('lost') && !has('done'))) {
      log.warn(has('foreign') ? 'storage.commit-overtaken' : 'storage.commit-dropped', facts);
      return;
    }
    const open = record.steps.filter((step) => states.get(step) === 'open');
    for (const step of open) await this.#place(storageIndex, step);
    await settle(storageIndex);
    log.info('storage.commit-resumed', { ...facts, shareCount: open.length });
  }

  /** @see ShareFiles */
  async markOf(storageIndex: Uint8Array, shareNumber: number): Promise<string | undefined> {
    const mark = await this.#markOf(this.#options.layout.share(storageIndex, shareNumber));
    return mark === null ? undefined : formatFileMark(mark);
  }

  /** What `markOf` says of the place that a prepared file is moved to, not yet as text. @throws ERR_DISK. */
  async markOfPrepared(prepared: PreparedShare): Promise<FileMark> {
    const path = this.#pathOf(asPrepared(prepared).name);
    const { ino, mtimeMs, size } = await onDisk('preparing a share', () => this.#options.system.lstat(path));
    return { ino, size, mtimeMs };
  }

  /** A mark that a power cut leaves as it is: where the clock was set back, the time before the last write is the later one. */
  async #durableMarkOf(path: string): Promise<FileMark | null> {
    const mark = await this.#markOf(path);
    if (mark === null) return null;
    const { runSync, system } = this.#options;
    const handle = await onDisk('looking at a share', () => system.open(path, 'r'));
    try {
      await runSync('syncing a share', () => handle.sync());
    } finally {
      await onDisk('closing a share', () => handle.close());
    }
    return mark;
  }

  #markOf(path: string): Promise<FileMark | null> {
    return fileMarkAt(this.#options.system, path);
  }

  /** Best effort: the next start removes what is left. */
  async #remove(name: string): Promise<void> {
    await this.#options.system.rm(this.#pathOf(name), { force: true }).catch(() => undefined);
  }

  #newName(beginning: string): string {
    this.#fileCount += 1;
    return `${beginning}.${String(this.#fileCount)}`;
  }

  #pathOf(name: string): string {
    return join(this.#options.layout.writing, name);
  }
}

/** The order of placing: new shares, replaced ones, removed ones. */
function rankOf({ before, prepared }: CommitStep): number {
  if (prepared === null) return 2;
  return before === null ? 0 : 1;
}

function asPrepared(prepared: PreparedShare): PreparedFile {
  if (!(prepared instanceof PreparedFile)) throw new TypeError('the file was prepared elsewhere');
  return prepared;
}
