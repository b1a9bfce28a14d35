/**
 * How uploads begin: those that are asked for, as far as there is room, and those that a restart goes on with. Small ones
 * are over at once.
 * @see upload-table.ts
 */
import { concat } from '#core/bytes.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { Log } from '#core/environment.js';
import { reasonOf } from '#core/errors.js';
import { encodeContainerHeader, encodeLease } from './container.js';
import type { FinalPlaces, Occupants } from './final-places.js';
import { ALLOCATION_OWNER, createLease } from './leases.js';
import { mayReserve } from './reservations.js';
import type { ShareFiles } from './share-files.js';
import type { AllocationRequest, StoreRequest } from './share-store.js';
import type { StoreEvents } from './store-events.js';
import type { Upload } from './upload.js';
import type { UploadRecord } from './upload-record.js';
import type { UploadTable } from './upload-table.js';

/** What the intake stands on. */
export interface UploadIntakeOptions {
  readonly files: ShareFiles;
  readonly uploads: UploadTable;
  readonly places: FinalPlaces;
  readonly crypto: CryptoProvider;
  readonly log: Log;
  /** Whether nothing new is taken. */
  readonly readonly: boolean;
  /** Bytes that new shares may take. */
  readonly availableSpace: () => Promise<number>;
  /** Sets room aside while `action` runs. @throws ERR_NO_SPACE. */
  readonly withRoom: (size: number, action: () => Promise<void>) => Promise<void>;
  readonly events?: StoreEvents | undefined;
  /** When a lease that is made now ends, Unix seconds. */
  readonly leaseExpiry: () => number;
}

/** Begins the uploads of a store. */
export class UploadIntake {
  readonly #options: UploadIntakeOptions;

  constructor(options: UploadIntakeOptions) {
    this.#options = options;
  }

  /**
   * Begins those uploads that fit; all of them end again when one meets an error.
   * @param occupants - what stands at the index: what is damaged is put into quarantine.
   * @returns the numbers of those that have begun.
   */
  async begin(
    request: AllocationRequest,
    shareNumbers: readonly number[],
    occupants: Occupants,
  ): Promise<readonly number[]> {
    const { availableSpace, places, readonly, uploads } = this.#options;
    const { client } = request;
    const begun: number[] = [];
    if (readonly || shareNumbers.length === 0) return begun;
    let room = await availableSpace();
    try {
      for (const shareNumber of shareNumbers) {
        if (request.allocatedSize > room || uploads.isFull)
          room += await uploads.makeRoom(request.allocatedSize - room);
        if (request.allocatedSize > room || uploads.isFull) break;
        if (client !== undefined && !mayReserve(request.allocatedSize, uploads.reservations(client, room))) break;
        if (occupants.has(shareNumber)) await places.quarantine(request.storageIndex, shareNumber);
        await this.#beginOne(request, shareNumber);
        begun.push(shareNumber);
        room -= request.allocatedSize;
      }
    } catch (error) {
      const ofIndex = uploads.of(request.storageIndex);
      await Promise.allSettled(begun.map((shareNumber) => ofIndex.get(shareNumber)?.abort() ?? Promise.resolve()));
      throw error;
    }
    return begun;
  }

  async #beginOne(request: AllocationRequest, shareNumber: number): Promise<void> {
    const { crypto, files, leaseExpiry, uploads } = this.#options;
    const { allocatedSize, client, storageIndex, uploadSecret } = request;
    const file = await files.createIncoming(storageIndex, shareNumber);
    const head = encodeContainerHeader(allocatedSize, 1);
    const lease = encodeLease(createLease(crypto, 2, ALLOCATION_OWNER, request, leaseExpiry()));
    const secretHash = crypto.blake2b256(uploadSecret);
    uploads.add({ storageIndex, shareNumber, allocatedSize, secretHash, client, head, lease }, file);
  }

  /**
   * Puts shares into their places as wholes, with one wait for the disk, if all of them fit.
   * @param occupants - what stands at the index: what is damaged is put into quarantine.
   * @returns the numbers of those that were put there.
   * @throws ERR_DISK, ERR_NO_SPACE: none is there.
   */
  async store(
    request: StoreRequest,
    shareNumbers: readonly number[],
    occupants: Occupants,
  ): Promise<readonly number[]> {
    const { availableSpace, events, files, places, readonly, withRoom } = this.#options;
    const { shares, storageIndex } = request;
    const containers = shareNumbers.map((shareNumber) => this.#containerOf(request, shares.get(shareNumber)));
    const size = containers.reduce((sum, { length }) => sum + length, 0);
    if (readonly || containers.length === 0 || size > (await availableSpace())) return [];
    await withRoom(size, async () => {
      for (const shareNumber of shareNumbers)
        if (occupants.has(shareNumber)) await places.quarantine(storageIndex, shareNumber);
      await files.replace(
        storageIndex,
        containers.map((bytes, i) => ({ shareNumber: shareNumbers[i] ?? 0, bytes, isNew: true })),
      );
    });
    for (const shareNumber of shareNumbers)
      events?.tell({ kind: 'added', type: 'immutable', storageIndex, shareNumber });
    return shareNumbers;
  }

  #containerOf(request: StoreRequest, data: Uint8Array = new Uint8Array(0)): Uint8Array {
    const { crypto, leaseExpiry } = this.#options;
    const lease = encodeLease(createLease(crypto, 2, ALLOCATION_OWNER, request, leaseExpiry()));
    return concat(encodeContainerHeader(data.length, 1), data, lease);
  }

  /** Goes on with what an earlier run kept; what cannot go on is given up. Never throws. */
  async resume(): Promise<void> {
    const { files, log } = this.#options;
    for (const upload of files.keptUploads ?? []) {
      try {
        await this.#resumeOne(upload);
      } catch (error) {
        log.warn('storage.upload-not-resumed', { reason: reasonOf(error) });
        await files.removeIncoming(upload.storageIndex, upload.shareNumber).catch(() => undefined);
      }
    }
  }

  async #resumeOne(upload: UploadRecord): Promise<void> {
    const { files, uploads } = this.#options;
    const file = await files.openKept?.(upload);
    const head = encodeContainerHeader(upload.allocatedSize, 1);
    if (file !== undefined) await uploads.resume({ ...upload, head }, file, upload.ranges);
  }
}

/** Whether a repeated request asks for the upload that it began before. */
export function isSameUpload(upload: Upload | undefined, request: AllocationRequest | undefined): boolean {
  if (upload === undefined || upload.allocatedSize !== request?.allocatedSize) return false;
  return upload.isOpenedBy(request.uploadSecret);
}

/** Which of those asked for may be taken: they are not being uploaded, and nothing sound stands in their places. */
export function freeOf(
  asked: readonly number[],
  inProgress: ReadonlyMap<number, Upload>,
  occupants: Occupants,
): number[] {
  return asked.filter(
    (shareNumber) => !inProgress.has(shareNumber) && (occupants.get(shareNumber) ?? 'damaged') === 'damaged',
  );
}
