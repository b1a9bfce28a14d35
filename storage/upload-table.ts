/**
 * All uploads in progress: which there are, what they will still take from the disk, and how much of the
 * process's memory and of the disk's attention they may have together.
 */
import { formatBase32 } from '#core/base32.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log } from '#core/environment.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import { BatchPool, batchSize } from './gather.js';
import type { ShareFile, ShareFiles } from './share-files.js';
import { UPLOAD_COUNT_MAX, WRITE_COUNT_MAX } from './share-store.js';
import type { StoreEvents } from './store-events.js';
import { Upload } from './upload.js';
import type { UploadIdentity, UploadOwner } from './upload.js';

/** Background syncs at once: libuv has four threads, and reads and writes need theirs. */
const BACKGROUND_SYNC_COUNT_MAX = 1;

/** What the table stands on. */
export interface UploadTableOptions {
  readonly files: ShareFiles;
  readonly crypto: CryptoProvider;
  readonly clock: Clock;
  readonly log: Log;
  readonly events?: StoreEvents | undefined;
}

/** The uploads, by storage index and share number. */
export class UploadTable implements UploadOwner {
  readonly clock: Clock;
  readonly crypto: CryptoProvider;
  readonly batchPool = new BatchPool();
  readonly #files: ShareFiles;
  readonly #log: Log;
  readonly #events: StoreEvents | undefined;
  readonly #uploads = new Map<string, Map<number, Upload>>();
  #count = 0;
  #writeCount = 0;
  #backgroundSyncCount = 0;

  constructor(options: UploadTableOptions) {
    this.clock = options.clock;
    this.crypto = options.crypto;
    this.#files = options.files;
    this.#log = options.log;
    this.#events = options.events;
  }

  get count(): number {
    return this.#count;
  }

  /** Whether one more upload would be too many. */
  get isFull(): boolean {
    return this.#count >= UPLOAD_COUNT_MAX;
  }

  /** Bytes that all uploads together will still take from the disk. */
  missingSize(): number {
    let size = 0;
    for (const uploads of this.#uploads.values()) for (const upload of uploads.values()) size += upload.missingSize;
    return size;
  }

  /** The uploads of one storage index as they are now, by share number. */
  of(storageIndex: Uint8Array): ReadonlyMap<number, Upload> {
    return new Map(this.#uploads.get(formatBase32(storageIndex)));
  }

  /** Begins an upload to `file`, which it owns from now on. */
  add(identity: UploadIdentity, file: ShareFile): void {
    const key = formatBase32(identity.storageIndex);
    const uploads = this.#uploads.get(key) ?? new Map<number, Upload>();
    this.#uploads.set(key, uploads.set(identity.shareNumber, new Upload(identity, file, this)));
    this.#count += 1;
  }

  /** Ends all uploads; one that is just becoming a share is let through. */
  async abortAll(): Promise<void> {
    const uploads = [...this.#uploads.values()].flatMap((ofIndex) => [...ofIndex.values()]);
    await Promise.allSettled(uploads.map((upload) => upload.abort()));
  }

  beginWrite(): () => void {
    if (this.#writeCount >= WRITE_COUNT_MAX) {
      throw new TahoeError('ERR_TOO_MANY', { what: 'bodies being written', limit: WRITE_COUNT_MAX });
    }
    this.#writeCount += 1;
    return () => {
      this.#writeCount -= 1;
    };
  }

  batchSize(): number {
    return batchSize(this.#writeCount);
  }

  beginBackgroundSync(): boolean {
    if (this.#backgroundSyncCount >= BACKGROUND_SYNC_COUNT_MAX) return false;
    this.#backgroundSyncCount += 1;
    return true;
  }

  endBackgroundSync(): void {
    this.#backgroundSyncCount -= 1;
  }

  async makeWay(upload: Upload): Promise<void> {
    await this.#files.makeWay?.(upload.storageIndex);
  }

  async publish(upload: Upload): Promise<void> {
    const { shareNumber, storageIndex } = upload;
    await this.#files.publish(storageIndex, shareNumber);
    this.#events?.tell({ kind: 'added', type: 'immutable', storageIndex, shareNumber });
  }

  async discard(upload: Upload): Promise<void> {
    try {
      await this.#files.removeIncoming(upload.storageIndex, upload.shareNumber);
    } catch (error) {
      this.#log.warn('storage.upload-not-removed', { reason: reasonOf(error) });
    }
  }

  forget(upload: Upload): void {
    const key = formatBase32(upload.storageIndex);
    const uploads = this.#uploads.get(key);
    if (uploads?.get(upload.shareNumber) !== upload) return;
    uploads.delete(upload.shareNumber);
    if (uploads.size === 0) this.#uploads.delete(key);
    this.#count -= 1;
  }
}
