/**
 * The share store over share files: allocation, leases, reports, and the way to reading (share-reading.ts) and to mutable
 * shares (slot.ts).
 *
 * A share that cannot be made sense of hides none of its siblings: listing and leases pass it by, reading it
 * fails for it alone, and who needs its number has it put into quarantine. What happens to one storage index happens
 * one at a time, except for writes to uploads. Each change is told when it is on the disk. When a sync has failed the
 * store takes no more writes: what the kernel lost it does not tell twice.
 */
import { formatBase32 } from '#core/base32.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import type { LeaseSecrets } from '#core/lease.js';
import type { ReadTestWriteReply } from '#wire/storage-mutable.js';
import type { WholeSharesReply } from '#wire/whole-shares.js';
import type { LeaseRecord } from './container.js';
import { advisoryName, formatAdvisory } from './disk-layout.js';
import { closeOccupant, FinalPlaces, numbersOf } from './final-places.js';
import type { Occupant, Occupants } from './final-places.js';
import { KeyedLock } from './keyed-lock.js';
import { KeptSlots } from './kept-slots.js';
import { keepLease, keepMutableLease } from './lease-file.js';
import { ALLOCATION_OWNER, ADDED_OWNER, createLease, leaseExpiry } from './leases.js';
import type { ShareFile, ShareFiles } from './share-files.js';
import { ShareReading } from './share-reading.js';
import { ADVISORY_COUNT_MAX } from './share-store.js';
import type {
  Allocation,
  AllocationRequest,
  CorruptionReport,
  OpenShare,
  ShareStore,
  ShareType,
  ShareVisit,
  SlotRequest,
  StoreFigures,
  StoreRequest,
  UploadHandle,
  UploadKey,
  UploadRefusal,
} from './share-store.js';
import { Slot } from './slot.js';
import { StoreEvents } from './store-events.js';
import type { SharePlace } from './store-events.js';
import type { Upload } from './upload.js';
import { freeOf, isSameUpload, UploadIntake } from './upload-intake.js';
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
  /** Who this server is (its tub id, 20 bytes), recorded in mutable shares; zeros unless given. */
  readonly nodeId?: Uint8Array;
  /** Who is told of every change. */
  readonly events?: StoreEvents;
}

const NODE_ID_SIZE = 20;

/** The store. Everything it keeps is in `files`. */
export class ContainerStore implements ShareStore {
  readonly #files: ShareFiles;
  readonly #options: StoreOptions & { readonly events: StoreEvents };
  readonly #uploads: UploadTable;
  readonly #intake: UploadIntake;
  readonly #places: FinalPlaces;
  readonly #lock = new KeyedLock();
  readonly #reading: ShareReading;
  readonly #kept: KeptSlots;
  /** Bytes by which mutable shares are being grown. */
  #growth = 0;
  /** Reports that were kept: what tells those of one millisecond apart. */
  #reportCount = -1;
  #closed = false;

  /** @param files - closed by the store. */
  constructor(files: ShareFiles, options: StoreOptions) {
    this.#files = files;
    const { clock, events = new StoreEvents() } = options;
    this.#options = { ...options, events };
    this.#uploads = new UploadTable({ files, ...this.#options });
    this.#places = new FinalPlaces({ files, ...this.#options });
    this.#intake = new UploadIntake({
      ...this.#options,
      files,
      uploads: this.#uploads,
      places: this.#places,
      availableSpace: () => this.#availableSpace(),
      withRoom: (size, action) => this.#withRoom(size, action),
      leaseExpiry: () => this.#leaseExpiry(),
    });
    this.#reading = new ShareReading({ clock, files, places: this.#places, uploads: this.#uploads });
    this.#kept = new KeptSlots(clock);
    events.listen((event) => {
      this.#reading.forget(event);
      this.#kept.forget(event.storageIndex);
    });
  }

  async allocate(request: AllocationRequest): Promise<Allocation> {
    this.#checkWritable();
    return this.#exclusively(request.storageIndex, async () => {
      // Taken first: an upload that becomes a share from here on still counts as one in progress.
      const inProgress = await this.#uploadsInProgress(request.storageIndex, request.shareNumbers, request);
      const occupants = await this.#leaseAll(request.storageIndex, request, ALLOCATION_OWNER);
      const alreadyHave = numbersOf(occupants, 'immutable');
      if (alreadyHave.size > 0) await this.#files.settle(request.storageIndex);
      const asked = [...request.shareNumbers];
      const resumed = asked.filter((shareNumber) => isSameUpload(inProgress.get(shareNumber), request));
      const begun = await this.#intake.begin(request, freeOf(asked, inProgress, occupants), occupants);
      return { alreadyHave, allocated: new Set([...resumed, ...begun]) };
    });
  }

  async storeShares(request: StoreRequest): Promise<WholeSharesReply> {
    this.#checkWritable();
    const { shares, storageIndex, whereNone = false } = request;
    return this.#exclusively(storageIndex, async () => {
      const inProgress = await this.#uploadsInProgress(storageIndex, shares);
      const occupants = await this.#leaseAll(storageIndex, request, ALLOCATION_OWNER);
      const alreadyHave = numbersOf(occupants, 'immutable');
      if (alreadyHave.size > 0) await this.#files.settle(storageIndex);
      const asked = whereNone && alreadyHave.size > 0 ? [] : [...shares.keys()];
      const stored = await this.#intake.store(request, freeOf(asked, inProgress, occupants), occupants);
      return { alreadyHave, stored: new Set(stored) };
    });
  }

  /** What a restart has left gives way to whoever begins anew. */
  async #uploadsInProgress(
    storageIndex: Uint8Array,
    asked: { has(shareNumber: number): boolean },
    request?: AllocationRequest,
  ): Promise<ReadonlyMap<number, Upload>> {
    for (const [shareNumber, upload] of this.#uploads.of(storageIndex)) {
      if (!upload.isLeftOver || !asked.has(shareNumber) || isSameUpload(upload, request)) continue;
      await upload.abort();
    }
    return this.#uploads.of(storageIndex);
  }

  /** Goes on with the uploads that an earlier run was in the middle of. Once, before anything else. */
  resumeUploads(): Promise<void> {
    return this.#intake.resume();
  }

  upload(key: UploadKey): UploadHandle | UploadRefusal {
    const upload = this.#uploads.of(key.storageIndex).get(key.shareNumber);
    if (upload === undefined) return 'no-such-upload';
    if (!upload.isOpenedBy(key.uploadSecret)) return 'other-secret';
    return upload;
  }

  listShares(storageIndex: Uint8Array): Promise<ReadonlySet<number>> {
    return this.#reading.list(storageIndex, 'immutable');
  }

  listMutable(storageIndex: Uint8Array): Promise<ReadonlySet<number>> {
    return this.#reading.list(storageIndex, 'mutable');
  }

  visitShares(storageIndex: Uint8Array, type: ShareType, visit: ShareVisit): Promise<void> {
    return this.#reading.visit(storageIndex, type, visit);
  }

  openShare(storageIndex: Uint8Array, shareNumber: number): Promise<OpenShare | undefined> {
    return this.#reading.open(storageIndex, shareNumber, 'immutable');
  }

  openMutable(storageIndex: Uint8Array, shareNumber: number): Promise<OpenShare | undefined> {
    return this.#reading.open(storageIndex, shareNumber, 'mutable');
  }

  async readTestWrite(request: SlotRequest): Promise<ReadTestWriteReply> {
    this.#checkWritable();
    const { crypto, events, nodeId = new Uint8Array(NODE_ID_SIZE) } = this.#options;
    const { storageIndex } = request;
    return this.#exclusively(storageIndex, () => {
      const slot = new Slot(
        {
          crypto,
          events,
          files: this.#files,
          places: this.#places,
          kept: this.#kept,
          nodeId,
          leaseExpiry: this.#leaseExpiry(),
          uploading: this.#uploads.of(storageIndex),
          withRoom: (growth, action) => this.#withRoom(growth, action),
        },
        request,
      );
      return slot.readTestWrite();
    });
  }

  async createScratch(sizeBytes: number): Promise<ShareFile> {
    this.#checkWritable();
    if (sizeBytes > (await this.#availableSpace())) throw new TahoeError('ERR_NO_SPACE', { where: 'a large request' });
    return this.#files.createScratch();
  }

  async #withRoom<Result>(growth: number, action: () => Promise<Result>): Promise<Result> {
    if (growth > 0 && this.#options.readonly) {
      throw new TahoeError('ERR_NO_SPACE', { where: 'what shares are to grow by: this store is set to readonly' });
    }
    if (growth > 0 && growth > (await this.#availableSpace())) {
      throw new TahoeError('ERR_NO_SPACE', { where: 'what shares are to grow by' });
    }
    this.#growth += growth;
    try {
      return await action();
    } finally {
      this.#growth -= growth;
    }
  }

  async addLease(storageIndex: Uint8Array, secrets: LeaseSecrets): Promise<boolean> {
    this.#checkWritable();
    return this.#exclusively(storageIndex, async () => {
      const occupants = await this.#leaseAll(storageIndex, secrets, ADDED_OWNER);
      const isFound = numbersOf(occupants, 'immutable').size + numbersOf(occupants, 'mutable').size > 0;
      if (!isFound) await this.#files.requireThere?.();
      return isFound;
    });
  }

  /** Gives every complete and sound share the lease. @returns what stands at the index. */
  #leaseAll(storageIndex: Uint8Array, secrets: LeaseSecrets, ownerNumber: number): Promise<Occupants> {
    const { events } = this.#options;
    const uploading = this.#uploads.of(storageIndex);
    return this.#places.survey(storageIndex, 'update', uploading, async (occupant, shareNumber) => {
      if (await this.#leaseOne(occupant, secrets, ownerNumber))
        events.tell({ kind: 'leased', storageIndex, shareNumber });
    });
  }

  /** @returns whether anything changed. */
  async #leaseOne(occupant: Occupant, secrets: LeaseSecrets, ownerNumber: number): Promise<boolean> {
    const { crypto, nodeId = new Uint8Array(NODE_ID_SIZE), readonly } = this.#options;
    const hasRoom = async (size: number): Promise<boolean> => !readonly && (await this.#availableSpace()) >= size;
    const leaseFor = (version: 1 | 2, owner: number): LeaseRecord =>
      createLease(crypto, version, owner, secrets, this.#leaseExpiry());
    if (occupant.kind === 'immutable') {
      const { file, shape } = occupant;
      return keepLease({ crypto, file, shape, lease: leaseFor(shape.version, ownerNumber), hasRoom });
    }
    if (occupant.kind !== 'mutable') return false;
    // Owner 0 would be an empty slot.
    const lease = { ...leaseFor(occupant.share.shape.version, ADDED_OWNER), nodeId };
    return keepMutableLease({ crypto, share: occupant.share, lease, hasRoom });
  }

  async reportCorruption(report: CorruptionReport): Promise<boolean> {
    const { storageIndex, shareNumber, reason, type = 'immutable' } = report;
    const uploading = this.#uploads.of(storageIndex).has(shareNumber);
    const occupant: Occupant = uploading
      ? { kind: 'absent' }
      : await this.#places.open(storageIndex, shareNumber, 'read');
    await closeOccupant(occupant);
    if (occupant.kind === 'absent') await this.#files.requireThere?.();
    if (occupant.kind !== type && occupant.kind !== 'damaged') return false;
    const index = formatBase32(storageIndex);
    this.#options.log.warn('storage.corruption-report', { storageIndex: index, shareNumber });
    this.#options.events.tell({ kind: 'damaged', storageIndex, shareNumber, reason: 'a client reported it' });
    await this.#keepAdvisory({ storageIndex, shareNumber, reason, type });
    return true;
  }

  /** Where there is room for it. */
  async #keepAdvisory({ storageIndex, shareNumber, reason, type }: Required<CorruptionReport>): Promise<void> {
    const { clock, log } = this.#options;
    const text = formatAdvisory(storageIndex, shareNumber, reason, type);
    const full = (await this.#files.advisoryCount()) >= ADVISORY_COUNT_MAX;
    if (full || text.length > (await this.#availableSpace())) {
      log.warn('storage.corruption-report-dropped', { storageIndex: formatBase32(storageIndex), shareNumber });
      return;
    }
    this.#reportCount += 1;
    const name = advisoryName(clock.nowMs(), storageIndex, shareNumber, this.#reportCount);
    await this.#files.writeAdvisory(name, text);
  }

  async removeShare(storageIndex: Uint8Array, shareNumber: number, isOver: () => Promise<boolean>): Promise<boolean> {
    this.#checkWritable();
    return this.#exclusively(storageIndex, async () => {
      const uploading = this.#uploads.of(storageIndex);
      if (uploading.has(shareNumber) || !(await isOver())) return false;
      await this.#files.commit(storageIndex, [{ shareNumber, prepared: undefined }], uploading.size > 0);
      this.#options.events.tell({ kind: 'removed', storageIndex, shareNumber });
      return true;
    });
  }

  async setAside({ shareNumber, storageIndex }: SharePlace, reason: string): Promise<void> {
    this.#checkWritable();
    await this.#exclusively(storageIndex, async () => {
      if (this.#uploads.of(storageIndex).has(shareNumber)) return;
      const occupant = await this.#places.open(storageIndex, shareNumber, 'read');
      await closeOccupant(occupant);
      if (occupant.kind === 'absent' || occupant.kind === 'foreign') return;
      this.#places.tellDamage(storageIndex, shareNumber, reason);
      const type = occupant.kind === 'mutable' ? 'mutable' : 'immutable';
      await this.#keepAdvisory({ storageIndex, shareNumber, reason, type });
      await this.#places.setAside(storageIndex, shareNumber);
    });
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
    await this.#uploads.suspendAll();
    this.#reading.close();
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
    return Math.max(0, free - this.#options.reservedSpace - this.#uploads.missingSize() - this.#growth);
  }
}
