/**
 * Uploads in progress on a disk: a file under `shares/incoming` each, and for those that take their time a record
 * beside it in `tallac/uploads`, by which they go on after a restart.
 *
 * A record says no more than what is on the disk for good, and stands for one file: before another file gets the same
 * name it is removed for good. A start keeps the files that have a record, and removes everything else that it finds
 * in either directory; so does the reference with the whole of `incoming`, whereupon the records go too.
 * @see upload-record.ts
 */
import { constants } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBase32 } from '#core/base32.js';
import { CONTAINER_HEADER_SIZE } from './container.js';
import { entriesOf } from './directory-entries.js';
import { onDisk, systemCodeOf } from './disk-error.js';
import type { DiskLayout } from './disk-layout.js';
import type { FileSystem, OpenFile } from './file-system.js';
import type { ShareFile } from './share-files.js';
import { UPLOAD_COUNT_MAX } from './share-store.js';
import { decodeUploadFile, encodeUploadSlot, UPLOAD_SLOT_SIZE } from './upload-record.js';
import type { UploadRecord } from './upload-record.js';

const FILE_MODE = 0o600;
/** Times that an incoming file is tried to be made where something is in its way. */
const CREATE_TRY_COUNT = 5;

/** What the uploads of a storage directory stand on. */
export interface DiskUploadsOptions {
  readonly layout: DiskLayout;
  readonly system: FileSystem;
  readonly toShareFile: (handle: OpenFile, size: number) => ShareFile;
  readonly syncDirectory: (path: string) => Promise<void>;
  /** Makes the directory of all uploads where it is missing. */
  readonly makeIncoming: () => Promise<void>;
}

/** The uploads of one storage directory. */
export class DiskUploads {
  readonly #options: DiskUploadsOptions;
  /** The number of the newest slot of each record, by the upload's name. */
  readonly #numbers = new Map<string, number>();
  /** Records that were removed, perhaps not for good. */
  readonly #removed = new Set<string>();
  #kept: readonly UploadRecord[] = [];

  constructor(options: DiskUploadsOptions) {
    this.#options = options;
  }

  /** What an earlier run was in the middle of. */
  get kept(): readonly UploadRecord[] {
    return this.#kept;
  }

  /** Finds what can go on, and removes the rest. @throws ERR_DISK. */
  async recover(): Promise<void> {
    const { layout, syncDirectory, system } = this.#options;
    await onDisk('looking for unfinished uploads', async () => {
      const names = await entriesOf(system, layout.uploads);
      const kept = new Map<string, UploadRecord>();
      for (const name of names) {
        const record = kept.size < UPLOAD_COUNT_MAX ? await this.#readRecord(name) : undefined;
        if (record === undefined) await system.rm(join(layout.uploads, name), { recursive: true, force: true });
        else kept.set(name, record);
      }
      // Before the files go: a record without a file is nothing, one of another file would be a lie.
      if (kept.size < names.length) await syncDirectory(layout.uploads);
      for (const name of await entriesOf(system, layout.incoming)) {
        if (!kept.has(name)) await system.rm(join(layout.incoming, name), { recursive: true, force: true });
      }
      this.#kept = [...kept.values()];
    });
  }

  /** @returns undefined when there is nothing that could go on. */
  async #readRecord(name: string): Promise<UploadRecord | undefined> {
    const { layout, system } = this.#options;
    const found = decodeUploadFile(await system.readFile(join(layout.uploads, name)).catch(() => new Uint8Array(0)));
    if (found === undefined || nameOf(found.record.storageIndex, found.record.shareNumber) !== name) return undefined;
    const { shareNumber, storageIndex } = found.record;
    // Once it is a share the other name of the file may still be there.
    if ((await this.#sizeOf(layout.share(storageIndex, shareNumber))) !== undefined) return undefined;
    const fileSize = await this.#sizeOf(layout.incomingShare(storageIndex, shareNumber));
    const ranges = found.record.ranges.filter(({ end }) => CONTAINER_HEADER_SIZE + end <= (fileSize ?? 0));
    if (ranges.length === 0) return undefined;
    this.#numbers.set(name, found.number);
    return { ...found.record, ranges };
  }

  /** The size of a file; 0 for what is no file, undefined when there is nothing. */
  async #sizeOf(path: string): Promise<number | undefined> {
    try {
      const facts = await this.#options.system.lstat(path);
      return facts.isFile() ? facts.size : 0;
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes(systemCodeOf(error) ?? '')) return undefined;
      throw error;
    }
  }

  /** The file of an upload that goes on. @throws ERR_DISK. */
  async open({ shareNumber, storageIndex }: UploadRecord): Promise<ShareFile> {
    const { layout, system, toShareFile } = this.#options;
    return onDisk('going on with an upload', async () => {
      const flags = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK;
      return toShareFile(await system.open(layout.incomingShare(storageIndex, shareNumber), flags), 0);
    });
  }

  /** @see ShareFiles.createIncoming */
  async create(storageIndex: Uint8Array, shareNumber: number): Promise<ShareFile> {
    const { layout, syncDirectory, system, toShareFile } = this.#options;
    const name = nameOf(storageIndex, shareNumber);
    if (this.#removed.has(name)) {
      await onDisk('forgetting an upload', () => system.rm(join(layout.uploads, name), { force: true }));
      await syncDirectory(layout.uploads);
      this.#removed.delete(name);
    }
    const path = layout.incomingShare(storageIndex, shareNumber);
    return toShareFile(await onDisk('beginning an upload', () => this.#createExclusively(path)), 0);
  }

  async #createExclusively(path: string): Promise<OpenFile> {
    const { makeIncoming, system } = this.#options;
    for (let tries = 1; ; tries += 1) {
      try {
        return await system.open(path, 'wx+', FILE_MODE);
      } catch (error) {
        const code = systemCodeOf(error);
        if (tries === CREATE_TRY_COUNT || (code !== 'EEXIST' && code !== 'ENOENT')) throw error;
        if (code === 'EEXIST') await system.unlink(path);
        else await makeIncoming();
      }
    }
  }

  /** Keeps what is known of an upload whose named ranges are durable. @throws ERR_DISK, ERR_NO_SPACE, ERR_STORE_READONLY. */
  async keep(record: UploadRecord): Promise<void> {
    const { layout, syncDirectory, system, toShareFile } = this.#options;
    const name = nameOf(record.storageIndex, record.shareNumber);
    const path = join(layout.uploads, name);
    const before = this.#numbers.get(name);
    const number = (before ?? 0) + 1;
    const file = await onDisk('keeping an upload', async () =>
      toShareFile(await (before === undefined ? this.#createExclusively(path) : system.open(path, 'r+')), 0),
    );
    this.#numbers.set(name, number);
    try {
      await file.write([encodeUploadSlot(number, record)], (number % 2) * UPLOAD_SLOT_SIZE);
      await file.sync();
    } finally {
      await file.close();
    }
    if (before === undefined) await Promise.all([layout.uploads, layout.incoming].map(syncDirectory));
  }

  /** Drops what was kept: the upload is a share, or given up. @throws ERR_DISK. */
  async forget(storageIndex: Uint8Array, shareNumber: number): Promise<void> {
    const { layout, system } = this.#options;
    const name = nameOf(storageIndex, shareNumber);
    if (!this.#numbers.delete(name)) return;
    this.#removed.add(name);
    await onDisk('forgetting an upload', () => system.rm(join(layout.uploads, name), { force: true }));
  }

  /** Removes an upload's file. @throws ERR_DISK. */
  async remove(storageIndex: Uint8Array, shareNumber: number): Promise<void> {
    const { layout, system } = this.#options;
    try {
      await this.forget(storageIndex, shareNumber);
    } finally {
      await onDisk('removing an upload', () =>
        system.rm(layout.incomingShare(storageIndex, shareNumber), { force: true }),
      );
    }
  }
}

function nameOf(storageIndex: Uint8Array, shareNumber: number): string {
  return `${formatBase32(storageIndex)}.${String(shareNumber)}`;
}
