/**
 * The files under a share store: what `container-store.ts` needs of a disk, and no more.
 *
 * There are two kinds of place. A final place belongs to a storage index and a share number and holds either kind
 * of container. An incoming place holds an upload in progress. `publish` moves one to the other so that it stays
 * there when the power fails. Implemented by `disk-files.ts` and `memory-files.ts`.
 */
import type { UploadRecord } from './upload-record.js';

/** The largest file that `replace` takes, in bytes. */
export const SMALL_SHARE_SIZE_MAX = 64 * 1024;
/** The most that the files of one `replace` take together, in bytes. */
export const SMALL_SHARES_SIZE_MAX = 2 << 20;

/** An open file. Every operation may throw ERR_DISK, and those that write ERR_NO_SPACE. */
export interface ShareFile {
  /** The size when it was opened or made, in bytes. */
  readonly size: number;
  /**
   * @param room - where the bytes may be put, `size` or more.
   * @returns `size` bytes at `offset`, fewer only where the file ends; owned by the caller.
   */
  read(offset: number, size: number, room?: Uint8Array): Promise<Uint8Array>;
  /** The same without waiting, where that is possible and there are so many. */
  readNow?(offset: number, size: number): Uint8Array | undefined;
  /** Writes all bytes of all parts at `offset`; a gap in front of them reads as zeros. */
  write(parts: readonly Uint8Array[], offset: number): Promise<void>;
  /** Makes bytes and size durable. @param withTimes - and when it was written to. */
  sync(withTimes?: boolean): Promise<void>;
  /** @param isKept - whether its place still leads to it: nothing has to be freed then, and it may be done at once. */
  close(isKept?: boolean): Promise<void>;
}

/** Nothing, or something that cannot be opened or is no regular file (a directory, a pipe, a link). */
export type NoShareFile = 'absent' | 'unusable';

/** A file that is to stand in a final place, or is thrown away. */
export interface PreparedShare {
  readonly file: ShareFile;
}

/** What is to become of a final place: another file in it, or none. */
export interface ShareChange {
  readonly shareNumber: number;
  readonly prepared: PreparedShare | undefined;
}

/** A small file for a final place. */
export interface SmallShare {
  readonly shareNumber: number;
  /** The whole file: SMALL_SHARE_SIZE_MAX at most. */
  readonly bytes: Uint8Array;
  /** Whether nothing stands in that place. */
  readonly isNew: boolean;
}

/** Files for shares. Every operation may throw ERR_DISK. */
export interface ShareFiles {
  /** Why nothing that was written can be trusted to be durable any more; undefined while all is well. */
  readonly failure: string | undefined;
  /**
   * To be called before it is said that there is nothing: where the volume is gone, nobody knows.
   * @throws ERR_STORE_GONE when the place of all shares is not there.
   */
  requireThere?(): Promise<void>;
  /** The numbers of all entries in final places, whatever they are. */
  list(storageIndex: Uint8Array): Promise<readonly number[]>;
  /** Opens a final place; links are not followed and nothing but a regular file is opened. */
  open(storageIndex: Uint8Array, shareNumber: number, access: 'read' | 'update'): Promise<ShareFile | NoShareFile>;
  /** Makes an empty incoming file, replacing what an earlier run left there. */
  createIncoming(storageIndex: Uint8Array, shareNumber: number): Promise<ShareFile>;
  removeIncoming(storageIndex: Uint8Array, shareNumber: number): Promise<void>;
  /** Keeps what a restart has to know of an upload, where uploads outlast one. The named ranges are durable. */
  keepUpload?(upload: UploadRecord): Promise<void>;
  /** What an earlier run kept: each is opened, or its incoming file removed. */
  readonly keptUploads?: readonly UploadRecord[];
  /** The incoming file of a kept upload. */
  openKept?(upload: UploadRecord): Promise<ShareFile>;
  /**
   * Makes the way to the final places of a storage index and has it stay there: `publish` has less to do then. May
   * be left out, and is done while the incoming file is being synced.
   */
  makeWay?(storageIndex: Uint8Array): Promise<void>;
  /**
   * Moves a synced incoming file to its final place, replacing what is there, and makes the move durable. After
   * an error it is in neither place.
   */
  publish(storageIndex: Uint8Array, shareNumber: number): Promise<void>;
  /** Makes the final places of a storage index durable, whoever moved files there. */
  settle(storageIndex: Uint8Array): Promise<void>;
  /**
   * Makes a file that is to stand in a final place.
   * @param copied - the number of the share whose file it begins as a copy of; without it the file is empty.
   */
  prepare(storageIndex: Uint8Array, copied?: number): Promise<PreparedShare>;
  /** Throws it away. Never throws. */
  discard(prepared: PreparedShare): Promise<void>;
  /**
   * Makes all changes at one storage index, durably, or none of them, also when the power fails in between. The
   * prepared files are closed and used up.
   * @param keepDirectory - whether the index's directory stays when nothing is left in it.
   */
  commit(storageIndex: Uint8Array, changes: readonly ShareChange[], keepDirectory: boolean): Promise<void>;
  /**
   * Puts small files into final places of one storage index, whatever stands there, durably, all or none, also when the
   * power fails in between: as `commit`, and with one sync for all who ask at the same time.
   * @param shares - of SMALL_SHARES_SIZE_MAX together, at most.
   * @returns what `markOf` says of each from now on.
   */
  replace(storageIndex: Uint8Array, shares: readonly SmallShare[]): Promise<readonly string[]>;
  /** Text that another file in that place would not have; undefined where there is none. */
  markOf(storageIndex: Uint8Array, shareNumber: number): Promise<string | undefined>;
  /** Moves what stands in a final place out of the way, to where the operator finds it under `name`. */
  quarantine(storageIndex: Uint8Array, shareNumber: number, name: string): Promise<void>;
  /** An empty file without a name, gone when it is closed. */
  createScratch(): Promise<ShareFile>;
  /** Keeps a report of damage under `name`, durably and as a whole. @throws ERR_STORE_READONLY too. */
  writeAdvisory(name: string, text: string): Promise<void>;
  advisoryCount(): Promise<number>;
  /** Bytes that new files may take. */
  freeBytes(): Promise<number>;
  close(): Promise<void>;
}
