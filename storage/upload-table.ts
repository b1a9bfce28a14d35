/**
 * All uploads in progress: which there are, what they will still take from the disk, and how much of the
 * process's memory and of the disk's attention they may have together.
 */
import { formatBase32 } from '#core/base32.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log } from '#core/environment.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import { BatchPool, batchSize } from './gather.js';
import type { ByteRange } from '#wire/storage.js';
import type { ShareFile, ShareFiles } from './share-files.js';
import type { Reserved, ReservationState } from './reservations.js';
import { RESERVATION_YIELD_MS, UPLOAD_COUNT_MAX, UPLOAD_YIELD_MS, WRITE_COUNT_MAX } from './share-store.js';
import type { StoreEvents } from './store-events.js';
import { Upload } from './upload.js';
import type { UploadIdentity, UploadOwner } from './upload-owner.js';

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
  readonly keep: UploadOwner['keep'];
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
    const { files } = options;
    this.keep = files.keepUpload && ((upload) => files.keepUpload?.(upload) ?? Promise.resolve());
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
    return this.#all().reduce((size, upload) => size + upload.missingSize, 0);
  }

  #all(): Upload[] {
    return [...this.#uploads.values()].flatMap((ofIndex) => [...ofIndex.values()]);
  }

  /**
   * Who holds how much of what there is, in uploads of which hardly anything was written.
   * @param room - bytes that nobody holds.
   */
  reservations(client: string | undefined, room: number): ReservationState {
    const mere = this.#all().filter((upload) => upload.isMereReservation);
    const everybody = heldBy(mere);
    return {
      free: { size: room + everybody.size, count: UPLOAD_COUNT_MAX - this.#count + everybody.count },
      everybody,
      client: heldBy(mere.filter((upload) => upload.client === client)),
    };
  }

  /**
   * Gives up uploads that nobody writes to, the longest idle first, where that makes room for another.
   * @param size - bytes that it lacks.
   * @returns how many bytes that gave.
   */
  async makeRoom(size: number): Promise<number> {
    const idle = this.#all()
      .filter((upload) => upload.idleMs >= (upload.isMereReservation ? RESERVATION_YIELD_MS : UPLOAD_YIELD_MS))
      .sort((one, other) => other.idleMs - one.idleMs);
    if (idle.length === 0 || heldBy(idle).size < size) return 0;
    let given = 0;
    for (const upload of idle) {
      if (given >= size && !this.isFull) break;
      given += upload.missingSize;
      await upload.abort().catch(() => undefined);
    }
    this.#log.info('storage.uploads-gave-way', { sizeBytes: given });
    return given;
  }

  /** The uploads of one storage index as they are now, by share number. */
  of(storageIndex: Uint8Array): ReadonlyMap<number, Upload> {
    return new Map(this.#uploads.get(formatBase32(storageIndex)));
  }

  /** Begins an upload to `file`, which it owns from now on. */
  add(identity: UploadIdentity, file: ShareFile): void {
    this.#enter(new Upload(identity, file, this));
  }

  /** Goes on with an upload of which those bytes are there. @throws ERR_DISK, ERR_NO_SPACE. */
  async resume(identity: UploadIdentity, file: ShareFile, ranges: readonly ByteRange[]): Promise<void> {
    this.#enter(await Upload.resume(identity, file, this, ranges));
  }

  #enter(upload: Upload): void {
    const key = formatBase32(upload.storageIndex);
    const uploads = this.#uploads.get(key) ?? new Map<number, Upload>();
    this.#uploads.set(key, uploads.set(upload.shareNumber, upload));
    this.#count += 1;
  }

  /** Ends all uploads, or keeps them for the next start; one that is just becoming a share is let through. */
  async suspendAll(): Promise<void> {
    await Promise.allSettled(this.#all().map((upload) => upload.suspend()));
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

function heldBy(uploads: readonly Upload[]): Reserved {
  return { size: uploads.reduce((size, upload) => size + upload.missingSize, 0), count: uploads.length };
}
