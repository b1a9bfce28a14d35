/**
 * One file of the journal: groups of records are appended, and when all that they tell of is in its place for good the
 * file begins again. It keeps its size, so that a sync has no more to write than the group itself.
 * @see journal-record.ts
 */
import { onDisk, systemCodeOf } from './disk-error.js';
import { DiskFile } from './disk-file.js';
import type { SyncRunner } from './disk-file.js';
import type { FileSystem } from './file-system.js';
import { encodeGroup, encodeJournalHead, groupSize, JOURNAL_PAGE_SIZE, sizeOfRecords } from './journal-record.js';
import type { JournalRecord } from './journal-record.js';

const FILE_MODE = 0o600;

/** An open file of the journal. */
export class JournalFile {
  readonly #file: DiskFile;
  /** Bytes that were written at some time: beyond them a sync costs more. */
  #size: number;
  #end = JOURNAL_PAGE_SIZE;
  #epoch = 0;

  private constructor(file: DiskFile, size: number) {
    this.#file = file;
    this.#size = size;
  }

  /** Opens the file at `path`, or makes an empty one. @throws ERR_DISK, ERR_NO_SPACE. */
  static async open(path: string, system: FileSystem, runSync: SyncRunner): Promise<JournalFile> {
    return onDisk('opening the journal', async () => {
      const handle = await system.open(path, 'r+').catch((error: unknown) => {
        if (systemCodeOf(error) !== 'ENOENT') throw error;
        return system.open(path, 'wx+', FILE_MODE);
      });
      try {
        const { size } = await handle.stat();
        return new JournalFile(new DiskFile(handle, size, runSync), size);
      } catch (error) {
        await handle.close();
        throw error;
      }
    });
  }

  /** The whole content. @throws ERR_DISK. */
  read(): Promise<Uint8Array> {
    return this.#file.read(0, this.#size);
  }

  /** Which time of use this is: higher than every one before, of any file of the journal. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Where the next group goes, in bytes. */
  get end(): number {
    return this.#end;
  }

  /** Says, durably, that nothing in it counts any more up to `epoch`. @throws as a sync. */
  async clear(epoch: number): Promise<void> {
    await this.#file.write([encodeJournalHead(epoch)], 0);
    await this.#file.sync();
    this.#size = Math.max(this.#size, JOURNAL_PAGE_SIZE);
    this.#end = JOURNAL_PAGE_SIZE;
  }

  /** Begins to be used anew. */
  begin(epoch: number): void {
    this.#epoch = epoch;
    this.#end = JOURNAL_PAGE_SIZE;
  }

  /**
   * Sees to it that a group can be appended: where there is no room, nothing of the group is there. A page more is left
   * for a record that takes the last one back when the disk is full.
   * @param growth - by how much the file grows when it is too small, in bytes.
   * @throws ERR_DISK, ERR_NO_SPACE.
   */
  async makeRoom(records: readonly JournalRecord[], growth: number): Promise<void> {
    const end = this.#end + groupSize(sizeOfRecords(records));
    if (end + JOURNAL_PAGE_SIZE <= this.#size) return;
    try {
      await this.#file.write([new Uint8Array(growth)], end);
      this.#size = end + growth;
    } catch (error) {
      const takesBack = records.every(({ kind }) => kind === 'settled');
      if (!takesBack || end > this.#size) throw error;
    }
  }

  /**
   * Appends a group, for which there is room, and makes it durable.
   * @throws ERR_DISK, ERR_NO_SPACE: it is not there, or in part, and is written over by the next one.
   */
  async append(records: readonly JournalRecord[]): Promise<void> {
    const begin = this.#end;
    await this.#file.write(encodeGroup(this.#epoch, records), begin);
    await this.#file.sync();
    this.#end = begin + groupSize(sizeOfRecords(records));
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
