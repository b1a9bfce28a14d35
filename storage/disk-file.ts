/**
 * One open file on a disk. What the system does by halves is done to its end here: reads and writes that come back
 * short are gone on with, and a read that a signal interrupted is repeated.
 */
import { onDisk, systemCodeOf } from './disk-error.js';
import type { OpenFile } from './file-system.js';
import type { QuickReads } from './quick-reads.js';
import type { ShareFile } from './share-files.js';

/** Times that a read is tried while signals interrupt it. */
const READ_TRY_COUNT = 10;

/** Runs a sync. @throws ERR_DISK, ERR_NO_SPACE, ERR_STORE_READONLY. */
export type SyncRunner = (what: string, sync: () => Promise<void>) => Promise<void>;

/** @see ShareFile */
export class DiskFile implements ShareFile {
  readonly size: number;
  readonly #handle: OpenFile;
  readonly #runSync: SyncRunner;
  readonly #quickReads: QuickReads | undefined;

  /** @param quickReads - what small reads are tried with. */
  constructor(handle: OpenFile, size: number, runSync: SyncRunner, quickReads?: QuickReads) {
    this.#handle = handle;
    this.size = size;
    this.#runSync = runSync;
    this.#quickReads = quickReads;
  }

  readNow(offset: number, size: number): Uint8Array | undefined {
    return this.#quickReads?.read(this.#handle, offset, size);
  }

  async read(offset: number, size: number, room?: Uint8Array): Promise<Uint8Array> {
    const bytes = room?.subarray(0, size) ?? new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
    let filled = 0;
    while (filled < size) {
      const bytesRead = await onDisk('reading a share', () => this.#readSome(bytes, filled, offset + filled));
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  }

  /** Of all calls, libuv does not repeat a read that a signal interrupted. */
  async #readSome(bytes: Uint8Array, filled: number, position: number): Promise<number> {
    for (let tries = 1; ; tries += 1) {
      try {
        return (await this.#handle.read(bytes, filled, bytes.length - filled, position)).bytesRead;
      } catch (error) {
        if (systemCodeOf(error) !== 'EINTR' || tries === READ_TRY_COUNT) throw error;
      }
    }
  }

  async write(parts: readonly Uint8Array[], offset: number): Promise<void> {
    let left = [...parts];
    let position = offset;
    while (left.length > 0) {
      const { bytesWritten } = await onDisk('writing a share', () => this.#handle.writev(left, position));
      position += bytesWritten;
      left = withoutFirst(left, bytesWritten);
    }
  }

  async sync(withTimes = false): Promise<void> {
    await this.#runSync('syncing a share', () => (withTimes ? this.#handle.sync() : this.#handle.datasync()));
  }

  async close(isKept = false): Promise<void> {
    await onDisk('closing a share', async () => {
      if (!isKept || this.#handle.closeNow === undefined) await this.#handle.close();
      else this.#handle.closeNow();
    });
  }
}

/** `parts` without their first `size` bytes: a write may be cut short with no error. */
function withoutFirst(parts: readonly Uint8Array[], size: number): Uint8Array[] {
  let skipped = size;
  const left: Uint8Array[] = [];
  for (const part of parts) {
    if (skipped < part.length) left.push(skipped > 0 ? part.subarray(skipped) : part);
    skipped = Math.max(0, skipped - part.length);
  }
  return left;
}
