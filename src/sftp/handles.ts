/**
 * What a user has open: files and listings, by the handle that the client was given. All connections of a user together
 * have a number of them, and of what is read some keep their memory: those that were read last.
 */
import { TahoeError } from '#core/errors.js';
import type { OpenContents } from './file-reader.js';
import type { ListedName } from './replies.js';
import { refusal } from './status.js';
import type { OpenedFile } from './user-files.js';

/** How much one user may have open at a time, over all connections. */
export const HANDLES_PER_USER_MAX = 512;
/** How many files of one user are read ahead at a time; each takes some 6 MiB. */
export const READERS_PER_USER_MAX = 8;

/** A directory that is being listed: the names that are still to come. */
export interface OpenListing {
  readonly kind: 'listing';
  readonly names: ListedName[];
}

/** What a handle stands for. */
export type OpenHandle = OpenedFile | OpenListing;

/** What all connections of one user share. */
export class UserShare {
  #handleCount = 0;
  readonly #readers = new Set<OpenContents>();

  /** @throws ERR_TOO_MANY */
  take(): void {
    if (this.#handleCount >= HANDLES_PER_USER_MAX) {
      throw new TahoeError('ERR_TOO_MANY', { what: 'open files of this user', limit: HANDLES_PER_USER_MAX });
    }
    this.#handleCount++;
  }

  giveBack(): void {
    this.#handleCount--;
  }

  /** These contents are read now; those read longest ago let go of their memory when there are many. */
  reading(contents: OpenContents): void {
    this.#readers.delete(contents);
    this.#readers.add(contents);
    const [oldest] = this.#readers;
    if (this.#readers.size <= READERS_PER_USER_MAX || oldest === undefined) return;
    this.#readers.delete(oldest);
    oldest.rest();
  }

  notReading(contents: OpenContents): void {
    this.#readers.delete(contents);
  }
}

/** The handles of one connection. */
export class Handles {
  readonly #open = new Map<string, OpenHandle>();
  readonly #share: UserShare;
  #count = 0;

  constructor(share: UserShare) {
    this.#share = share;
  }

  /** Opens something, if the user may have one more. @throws ERR_TOO_MANY, and what `open` throws. */
  async add(open: () => Promise<OpenHandle>): Promise<string> {
    this.#share.take();
    try {
      const opened = await open();
      const handle = String(this.#count++);
      this.#open.set(handle, opened);
      return handle;
    } catch (error) {
      this.#share.giveBack();
      throw error;
    }
  }

  /** @throws ERR_SFTP when there is no such handle. */
  get(handle: string): OpenHandle {
    const opened = this.#open.get(handle);
    if (opened === undefined) throw refusal('noSuchFile', 'there is no such handle');
    return opened;
  }

  /** Closes one. @throws ERR_SFTP, and what storing a file throws. */
  async close(handle: string): Promise<void> {
    const opened = this.get(handle);
    this.#open.delete(handle);
    try {
      await this.#closeOne(opened);
    } finally {
      this.#share.giveBack();
    }
  }

  /** Closes all; what was written and not closed is lost. */
  async abandonAll(): Promise<void> {
    const handles = [...this.#open.keys()];
    for (const opened of this.#open.values()) if (opened.kind === 'written') opened.file.abandon();
    await Promise.allSettled(handles.map((handle) => this.close(handle)));
  }

  async #closeOne(opened: OpenHandle): Promise<void> {
    if (opened.kind === 'written') await opened.file.close();
    if (opened.kind !== 'read') return;
    this.#share.notReading(opened.file.contents);
    opened.file.contents.close();
  }
}
