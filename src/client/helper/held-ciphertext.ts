/**
 * The ciphertext that a helper holds, as it needs it: files named by storage index that come in, and that are whole.
 * node/helper/helper-files.ts has them on the disk.
 */
import type { Log } from '#core/environment.js';
import { reasonOf } from '#core/errors.js';

/** A file that comes in. It must be closed. */
export interface IncomingCiphertext {
  /** What is there, in bytes: what is to come is appended to it. */
  readonly size: number;
  /** @throws ERR_NO_SPACE, ERR_DISK. */
  append(bytes: Uint8Array): Promise<void>;
  /** Makes all of it durable, and the file one that is whole. @throws ERR_NO_SPACE, ERR_DISK. */
  complete(): Promise<void>;
  close(): Promise<void>;
}

/** A file that is whole. It must be closed. */
export interface WholeCiphertext {
  /** In bytes. */
  readonly size: number;
  /** Exactly `size` bytes from `offset`. They are the caller's. @throws ERR_DISK. */
  read(offset: number, size: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Of one kind of files, how many there are and what they hold, in bytes. */
export interface HeldFigures {
  readonly count: number;
  readonly size: number;
  /** Of those that nothing was written to for two days. */
  readonly oldSize: number;
}

/** Both kinds. */
export interface HeldFiles {
  /**
   * Opens what has come in before, or a new file.
   * @param sizeMax - what is longer is no part of the file: it is begun anew.
   * @throws ERR_NO_SPACE, ERR_FILE.
   */
  openIncoming(storageIndex: Uint8Array, sizeMax: number): Promise<IncomingCiphertext>;
  /** @returns undefined where there is none. @throws ERR_FILE. */
  openWhole(storageIndex: Uint8Array): Promise<WholeCiphertext | undefined>;
  /** Removes what is held of a file, whole or not. @throws ERR_FILE. */
  remove(storageIndex: Uint8Array): Promise<void>;
  /** What each storage index takes, in base32, in bytes. @throws ERR_FILE. */
  sizes(): Promise<ReadonlyMap<string, number>>;
  /** @throws ERR_FILE. */
  figures(): Promise<{ readonly incoming: HeldFigures; readonly encoding: HeldFigures }>;
}

/** Removes what is held of a file that is in the grid. Never throws: what cannot be removed now goes when it is old. */
export async function letGo(files: HeldFiles, log: Log, storageIndex: Uint8Array): Promise<void> {
  try {
    await files.remove(storageIndex);
  } catch (error) {
    log.warn('ciphertext not removed', { reason: reasonOf(error) });
  }
}
