/**
 * The share store over share files: allocation, leases, reading, reports. It keeps immutable containers and
 * leaves alone whatever else stands at a storage index.
 *
 * A share that cannot be made sense of hides none of its siblings: listing and leases pass it by, reading it
 * fails for it alone, and a new upload takes its place. What happens to one storage index happens one at a time,
 * except for writes to uploads. When a sync has failed the store takes no more writes: what the kernel lost it
 * does not tell twice.
 */
import { formatBase32 } from '#core/base32.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log } from '#core/environment.js';
import { isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import type { LeaseSecrets } from '#core/lease.js';
import {
  CONTAINER_HEAD_SIZE,
  CONTAINER_HEADER_SIZE,
  decodeContainerShape,
  encodeContainerHeader,
  encodeLease,
  isMutableContainer,
  LEASE_RECORD_SIZE,
} from './container.js';
import type { ContainerShape } from './container.js';
import { advisoryName, formatAdvisory } from './disk-layout.js';
import { KeyedLock } from './keyed-lock.js';
import { keepLease } from './lease-file.js';
import { ALLOCATION_OWNER, ADDED_OWNER, createLease, leaseExpiry } from './leases.js';
import type { ShareFile, ShareFiles } from './share-files.js';
import { ADVISORY_COUNT_MAX } from './share-store.js';
import type {
  Allocation,
  AllocationRequest,
  CorruptionReport,
  OpenShare,
  ShareStore,
  StoreFigures,
  UploadHandle,
  UploadKey,
  UploadRefusal,
} from './share-store.js';
import type { Upload } from './upload.js';
import { UploadTable } from './upload-table.js';

/** What a store stands on and how it is set up. */
export interface StoreOptions {
  readonly crypto: CryptoProvider;
  readonly clock: Clock;
  readonly log: Log;
  /** Bytes of free space that shares never take. */
  readonly reservedSpace: number;
  /** Whether to refuse new shares and new leases. */
  readonly readonly: boolean;
  /** How free bytes are measured; by default what the files say. */
  readonly freeBytes?: () => Promise<number>;
}

/** What stands in a final place. */
type Occupant =
  | { readonly kind: 'absent' }
  /** A mutable container, or nothing that can be opened as a file: not ours to read or to replace. */
  | { readonly kind: 'foreign' }
  | { readonly kind: 'damaged'; readonly error: TahoeError }
  | { readonly kind: 'immutable'; readonly shape: ContainerShape; readonly file: ShareFile };

/** What stands at a storage index, by share number; uploads in progress are left out. */
type Occupants = ReadonlyMap<number, Occupant['kind']>;

/** The store. Everything it keeps is in `files`. */
export class ContainerStore implements ShareStore {
  readonly #files: ShareFiles;
  readonly #options: StoreOptions;
  readonly #uploads: UploadTable;
  readonly #lock = new KeyedLock();
  #closed = false;

  /** @param files - closed by the store. */
  constructor(files: ShareFiles, options: StoreOptions) {
    this.#files = files;
    this.#options = options;
    this.#uploads = new UploadTable({ files, ...options });
  }

  async allocate(request: AllocationRequest): Promise<Allocation> {
    this.#checkWritable();
    return this.#exclusively(request.storageIndex, async () => {
      // Taken first: an upload that becomes a share from here on still counts as one in progress.
      const inProgress = this.#uploads.of(request.storageIndex);
      const occupants = await this.#leaseAll(request.storageIndex, request, ALLOCATION_OWNER);
      const alreadyHave = immutableOf(occupants);
      if (alreadyHave.size > 0) await this.#files.settle(request.storageIndex);
      const asked = [...request.shareNumbers];
      const resumed = asked.filter((shareNumber) => isSameUpload(inProgress.get(shareNumber), request));
      const free = asked.filter(
        (shareNumber) => !inProgress.has(shareNumber) && (occupants.get(shareNumber) ?? 'damaged') === 'damaged',
      );
      const begun = await this.#beginUploads(request, free);
      return { alreadyHave, allocated: new Set([...resumed, ...begun]) };
    });
  }

  /** Begins those uploads that fit; all of them end again when one meets an error. @returns which they are. */
  async #beginUploads(request: AllocationRequest, shareNumbers: readonly number[]): Promise<number[]> {
    const begun: number[] = [];
    let room = this.#options.readonly ? 0 : await this.#availableSpace();
    try {
      for (const shareNumber of shareNumbers) {
        if (this.#options.readonly || request.allocatedSize > room || this.#uploads.isFull) break;
        await this.#beginUpload(request, shareNumber);
        begun.push(shareNumber);
        room -= request.allocatedSize;
      }
    } catch (error) {
      const uploads = this.#uploads.of(request.storageIndex);
      await Promise.allSettled(begun.map((shareNumber) => uploads.get(shareNumber)?.abort() ?? Promise.resolve()));
      throw error;
    }
    return begun;
  }

  async #beginUpload(request: AllocationRequest, shareNumber: number): Promise<void> {
    const { allocatedSize, storageIndex, uploadSecret } = request;
    const file = await this.#files.createIncoming(storageIndex, shareNumber);
    const lease = createLease(this.#options.crypto, 2, ALLOCATION_OWNER, request, this.#leaseExpiry());
    try {
      // The lease is the end of the file, which thereby has its final size from the start.
      await Promise.all([
        file.write([encodeContainerHeader(allocatedSize, 1)], 0),
        file.write([encodeLease(lease)], CONTAINER_HEADER_SIZE + allocatedSize),
      ]);
    } catch (error) {
      await file.close();
      await this.#files.removeIncoming(storageIndex, shareNumber);
      throw error;
    }
    this.#uploads.add({ storageIndex, shareNumber, allocatedSize, uploadSecret }, file);
  }

  upload(key: UploadKey): UploadHandle | UploadRefusal {
    const upload = this.#uploads.of(key.storageIndex).get(key.shareNumber);
    if (upload === undefined) return 'no-such-upload';
    if (!upload.isOpenedBy(key.uploadSecret)) return 'other-secret';
    return upload;
  }

  async listShares(storageIndex: Uint8Array): Promise<ReadonlySet<number>> {
    return immutableOf(await this.#survey(storageIndex, 'read', () => Promise.resolve()));
  }

  async openShare(storageIndex: Uint8Array, shareNumber: number): Promise<OpenShare | undefined> {
    if (this.#uploads.of(storageIndex).has(shareNumber)) return undefined;
    const occupant = await this.#occupant(storageIndex, shareNumber, 'read');
    if (occupant.kind === 'damaged') throw occupant.error;
    return occupant.kind === 'immutable' ? toOpenShare(occupant.file, occupant.shape) : undefined;
  }

  async addLease(storageIndex: Uint8Array, secrets: LeaseSecrets): Promise<boolean> {
    this.#checkWritable();
    return this.#exclusively(storageIndex, async () => {
      const occupants = await this.#leaseAll(storageIndex, secrets, ADDED_OWNER);
      return immutableOf(occupants).size > 0;
    });
  }

  /** Gives every complete and sound share the lease. @returns what stands at the index. */
  #leaseAll(storageIndex: Uint8Array, secrets: LeaseSecrets, ownerNumber: number): Promise<Occupants> {
    const { crypto, readonly } = this.#options;
    const hasRoom = async (): Promise<boolean> => !readonly && (await this.#availableSpace()) >= LEASE_RECORD_SIZE;
    return this.#survey(storageIndex, 'update', async (file, shape) => {
      const lease = createLease(crypto, shape.version, ownerNumber, secrets, this.#leaseExpiry());
      await keepLease({ crypto, file, shape, lease, hasRoom });
    });
  }

  async reportCorruption(report: CorruptionReport): Promise<boolean> {
    const { storageIndex, shareNumber, reason } = report;
    const uploading = this.#uploads.of(storageIndex).has(shareNumber);
    const occupant: Occupant = uploading ? { kind: 'absent' } : await this.#occupant(storageIndex, shareNumber, 'read');
    if (occupant.kind === 'immutable') await occupant.file.close();
    if (occupant.kind === 'absent' || occupant.kind === 'foreign') return false;
    const index = formatBase32(storageIndex);
    this.#options.log.warn('storage.corruption-report', { storageIndex: index, shareNumber });
    const text = formatAdvisory(storageIndex, shareNumber, reason);
    const full = (await this.#files.advisoryCount()) >= ADVISORY_COUNT_MAX;
    if (full || text.length > (await this.#availableSpace())) {
      this.#options.log.warn('storage.corruption-report-dropped', { storageIndex: index, shareNumber });
      return true;
    }
    await this.#files.writeAdvisory(advisoryName(this.#options.clock.nowMs(), storageIndex, shareNumber), text);
    return true;
  }

  async figures(): Promise<StoreFigures> {
    const readonly = this.#options.readonly || this.#files.failure !== undefined;
    return {
      availableSpace: readonly ? 0 : await this.#availableSpace(),
      uploadCount: this.#uploads.count,
      readonly,
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#uploads.abortAll();
    await this.#files.close();
  }

  #checkWritable(): void {
    const reason = this.#closed ? 'it is closed' : this.#files.failure;
    if (reason !== undefined) throw new TahoeError('ERR_STORE_READONLY', { reason });
  }

  #exclusively<Result>(storageIndex: Uint8Array, action: () => Promise<Result>): Promise<Result> {
    return this.#lock.run(formatBase32(storageIndex), action);
  }

  #leaseExpiry(): number {
    return leaseExpiry(this.#options.clock.nowMs());
  }

  async #availableSpace(): Promise<number> {
    const free = await (this.#options.freeBytes?.() ?? this.#files.freeBytes());
    return Math.max(0, free - this.#options.reservedSpace - this.#uploads.missingSize());
  }

  /** Calls `visit` with each complete and sound immutable share. @returns what stands at the index. */
  async #survey(
    storageIndex: Uint8Array,
    access: 'read' | 'update',
    visit: (file: ShareFile, shape: ContainerShape) => Promise<void>,
  ): Promise<Occupants> {
    const inProgress = this.#uploads.of(storageIndex);
    const occupants = new Map<number, Occupant['kind']>();
    for (const shareNumber of await this.#files.list(storageIndex)) {
      if (inProgress.has(shareNumber)) continue;
      const occupant = await this.#occupant(storageIndex, shareNumber, access);
      occupants.set(shareNumber, occupant.kind);
      if (occupant.kind !== 'immutable') continue;
      try {
        await visit(occupant.file, occupant.shape);
      } finally {
        await occupant.file.close();
      }
    }
    return occupants;
  }

  /** What stands in a final place; an immutable share's file is open, for the caller to close. */
  async #occupant(storageIndex: Uint8Array, shareNumber: number, access: 'read' | 'update'): Promise<Occupant> {
    const file = await this.#files.open(storageIndex, shareNumber, access);
    if (file === 'absent') return { kind: 'absent' };
    if (file === 'unusable') return { kind: 'foreign' };
    const occupant = await this.#examine(file);
    if (occupant.kind !== 'immutable') await file.close();
    if (occupant.kind === 'damaged') {
      const facts = { storageIndex: formatBase32(storageIndex), shareNumber, reason: reasonOf(occupant.error) };
      this.#options.log.warn('storage.damaged-share', facts);
    }
    return occupant;
  }

  async #examine(file: ShareFile): Promise<Occupant> {
    try {
      const head = await file.read(0, CONTAINER_HEAD_SIZE);
      if (isMutableContainer(head)) return { kind: 'foreign' };
      return { kind: 'immutable', shape: decodeContainerShape(head, file.size), file };
    } catch (error) {
      // An unreadable share is as damaged as a garbled one.
      if (isTahoeError(error, 'ERR_CONTAINER', 'ERR_DISK')) return { kind: 'damaged', error };
      await file.close();
      throw error;
    }
  }
}

function immutableOf(occupants: Occupants): Set<number> {
  return new Set([...occupants].filter(([, kind]) => kind === 'immutable').map(([shareNumber]) => shareNumber));
}

/** Whether a repeated request asks for the upload that it began before. */
function isSameUpload(upload: Upload | undefined, request: AllocationRequest): boolean {
  return upload?.allocatedSize === request.allocatedSize && upload.isOpenedBy(request.uploadSecret);
}

function toOpenShare(file: ShareFile, shape: ContainerShape): OpenShare {
  return {
    size: shape.dataSize,
    async read(offset, size) {
      const wanted = Math.max(0, Math.min(size, shape.dataSize - offset));
      const bytes = await file.read(CONTAINER_HEADER_SIZE + offset, wanted);
      if (bytes.length < wanted) throw new TahoeError('ERR_CONTAINER', { reason: 'it became shorter' });
      return bytes;
    },
    close: () => file.close(),
  };
}
