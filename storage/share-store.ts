/**
 * What a storage server keeps, seen from above: shares filed under a storage index and a share number, uploads
 * on their way to becoming shares, leases, and reports of damage.
 *
 * An immutable share is uploaded once; a mutable one is written on by whoever shows its write enabler. Nothing here
 * knows HTTP; the routes stand on this interface, and every store passes the suite in test/conformance/share-store.ts. "Not there" and "not yours" are values; errors are for
 * disks that fail, limits that are reached and bytes that contradict each other.
 * @see Tahoe-LAFS docs/specifications/http-storage-node-protocol.rst, "Immutable"
 */
import type { LeaseSecrets } from '#core/lease.js';
import type { ByteRange } from '#wire/storage.js';
import type { SharePlace } from './store-events.js';
import type { ReadTestWriteReply, ReadTestWriteRequest } from '#wire/storage-mutable.js';
import type { WholeSharesReply } from '#wire/whole-shares.js';
import type { Content } from './content.js';
import type { ShareFile } from './share-files.js';

/** What bounds a mutable share, in bytes: the figure of the reference, beyond 2^53. */
export const MUTABLE_SHARE_SIZE_MAX = 69_105_000_000_000_000n;
/** An upload that nobody writes to for so long is aborted, in milliseconds. */
export const UPLOAD_IDLE_TIMEOUT_MS = 30 * 60_000;
/** The same for one of which hardly anything was written. */
export const RESERVATION_IDLE_TIMEOUT_MS = 10 * 60_000;
/** Where room lacks, an upload that nobody has written to for so long gives way, in milliseconds. */
export const UPLOAD_YIELD_MS = 60_000;
/** The same for one of which hardly anything was written. */
export const RESERVATION_YIELD_MS = 10_000;
/** What was written of an upload is kept for a restart so long after a write, in milliseconds. */
export const UPLOAD_KEEP_DELAY_MS = 1_000;
/** Uploads in progress at once, over all clients: each holds an open file. */
export const UPLOAD_COUNT_MAX = 2048;
/** Bodies being written at once, over all uploads. */
export const WRITE_COUNT_MAX = 1024;
/** Separate runs of written bytes that one upload may consist of on its way. */
export const UPLOAD_FRAGMENT_COUNT_MAX = 1024;
/** Leases on one share. */
export const LEASE_COUNT_MAX = 10_000;
/** How large the data of a mutable share may become here, in bytes: none of the offsets beyond reaches the disk. */
export const MUTABLE_DATA_SIZE_MAX = 2 ** 40;
/** How much larger a write may make a share than what it writes, in bytes: the rest is zeros. */
export const GAP_SIZE_MAX = 64 << 20;
/** What the read vectors of one request may give, in bytes. */
export const READ_REPLY_SIZE_MAX = 64 << 20;
/** Reports of damage that are kept. */
export const ADVISORY_COUNT_MAX = 1000;

/** A wish to store shares of `allocatedSize` bytes each under one storage index (16 bytes). */
export interface AllocationRequest extends LeaseSecrets {
  readonly storageIndex: Uint8Array;
  readonly shareNumbers: ReadonlySet<number>;
  readonly allocatedSize: number;
  /** What later writes to these uploads must show. */
  readonly uploadSecret: Uint8Array;
  /** The address of whoever asks, where it is known: nobody may reserve what he does not write to. */
  readonly client?: string | undefined;
}

/** The answer: shares that are here (asked for or not), and shares that may now be uploaded. */
export interface Allocation {
  readonly alreadyHave: ReadonlySet<number>;
  readonly allocated: ReadonlySet<number>;
}

/** Whole shares of one file, each WHOLE_SHARE_SIZE_MAX bytes at most. */
export interface StoreRequest extends LeaseSecrets {
  readonly storageIndex: Uint8Array;
  /** By share number. */
  readonly shares: ReadonlyMap<number, Uint8Array>;
  /** Store nothing where there is any complete share of the index. One that is being uploaded may never be complete. */
  readonly whereNone?: boolean;
}

/** Which upload, and the right to it. */
export interface UploadKey {
  readonly storageIndex: Uint8Array;
  readonly shareNumber: number;
  readonly uploadSecret: Uint8Array;
}

/** Why there is no upload to write to. */
export type UploadRefusal = 'no-such-upload' | 'other-secret';

/** What has become of an upload after a write. `complete` says that the share is on disk to stay. */
export interface WriteProgress {
  readonly complete: boolean;
  readonly required: readonly ByteRange[];
}

/** A body in the order of its bytes: piece by piece, or several pieces at a time. */
export type BodyPieces = AsyncIterable<Uint8Array | readonly Uint8Array[]>;

/** One upload in progress. */
export interface UploadHandle {
  readonly allocatedSize: number;
  /** What has still to be written, in order. */
  readonly required: readonly ByteRange[];
  /**
   * Writes `body` at `range`, a write that counts as a whole or not at all: after an error no byte of it is
   * recorded, and the same write may be tried again. Bytes that were written before must be the same again.
   * @param body - exactly as many bytes as the range holds, in pieces that the store may keep.
   * @throws ERR_BEYOND_ALLOCATION, ERR_CONFLICTING_WRITE, ERR_BODY_LENGTH, ERR_TOO_MANY: this write is refused.
   *   ERR_NO_SPACE, ERR_DISK, ERR_STORE_READONLY: the upload is gone, its number is free.
   *   ERR_NO_SUCH_UPLOAD when the upload ends meanwhile; ERR_TIMEOUT when another write holds this range.
   *   Whatever `body` throws.
   */
  write(range: ByteRange, body: BodyPieces): Promise<WriteProgress>;
  /** Ends the upload; its number is free when this resolves. */
  abort(): Promise<void>;
}

/** A share opened for reading. */
export interface OpenShare {
  /** Bytes of share data. */
  readonly size: number;
  /**
   * @param room - where the bytes may be put, `size` or more.
   * @returns the bytes at `offset`, `size` of them; fewer only behind the end of the share.
   * @throws ERR_DISK, or ERR_CONTAINER when the file became shorter.
   */
  read(offset: number, size: number, room?: Uint8Array): Promise<Uint8Array>;
  /** The same without waiting, for bytes inside the share; undefined where it takes waiting or fails. */
  readNow?(offset: number, size: number): Uint8Array | undefined;
  close(): Promise<void>;
}

/** What is done with one share while it is open. */
export type ShareVisit = (share: OpenShare, shareNumber: number) => Promise<void>;

/** A read-test-write on the mutable shares of one storage index. */
export interface SlotRequest extends ReadTestWriteRequest<Content>, LeaseSecrets {
  readonly storageIndex: Uint8Array;
  /** 32 bytes: what the shares here were made with, or will be. */
  readonly writeEnabler: Uint8Array;
  /** Asked before `sizeBytes` are read into memory; throws where they may not be. */
  readonly admitRead?: (sizeBytes: number) => void;
}

/** What a container is for. */
export type ShareType = 'immutable' | 'mutable';

/** A client's word that a share is damaged. */
export interface CorruptionReport {
  /** What the client read it as; immutable unless given. */
  readonly type?: ShareType;
  readonly storageIndex: Uint8Array;
  readonly shareNumber: number;
  readonly reason: string;
}

/** What the store has room for. */
export interface StoreFigures {
  /** Bytes that new shares may take: free space less the reserve and less what uploads in progress still need. */
  readonly availableSpace: number;
  readonly uploadCount: number;
  /** Whether the store takes no new shares, by configuration or because its disk failed. */
  readonly readonly: boolean;
}

/** The keeper of shares. Whoever opens one closes it, after the server in front of it. */
export interface ShareStore {
  /**
   * Renews or adds a lease on every share held under the storage index, of either type, then begins an upload for each share
   * asked for that is not here and fits. A share in progress is listed as allocated for the upload secret and
   * size it was begun with, and otherwise in neither set.
   * @throws ERR_NO_SPACE when a lease cannot be added; ERR_TOO_MANY; ERR_DISK; ERR_STORE_READONLY.
   */
  allocate(request: AllocationRequest): Promise<Allocation>;
  upload(key: UploadKey): UploadHandle | UploadRefusal;
  /**
   * Renews or adds a lease as `allocate` does, then stores those shares that are not here and not being uploaded, if all of
   * them fit and `whereNone` does not forbid it. They are on the disk when this resolves.
   * @returns which it stored, and all that were here.
   * @throws as `allocate`; nothing is stored then.
   */
  storeShares(request: StoreRequest): Promise<WholeSharesReply>;
  /** The numbers of the complete immutable shares; damaged ones are left out. @throws ERR_DISK, ERR_STORE_GONE. */
  listShares(storageIndex: Uint8Array): Promise<ReadonlySet<number>>;
  /**
   * Calls `visit` with each share that `listShares` or `listMutable` names, open as long as that takes, one after the other.
   * @throws as `listShares`; what `visit` throws.
   */
  visitShares(storageIndex: Uint8Array, type: ShareType, visit: ShareVisit): Promise<void>;
  /**
   * @returns undefined when there is no complete immutable share of that number.
   * @throws ERR_CONTAINER when the share's file is damaged; ERR_DISK; ERR_STORE_GONE.
   */
  openShare(storageIndex: Uint8Array, shareNumber: number): Promise<OpenShare | undefined>;
  /**
   * Does all tests, then all reads, then, if the tests held, all writes or none, and renews or adds the lease on each
   * share that was written and is still there. The shares that are not sound count as missing; one that is written
   * to is put into quarantine first.
   * @throws ERR_WRITE_ENABLER when another one belongs to any share here; ERR_SHARE_KIND when a number that is to be
   *   written or removed is not a mutable share's; ERR_TOO_LARGE beyond the limits above; ERR_NO_SPACE for what grows;
   *   ERR_TOO_MANY, ERR_DISK, ERR_STORE_READONLY. Nothing has changed then.
   */
  readTestWrite(request: SlotRequest): Promise<ReadTestWriteReply>;
  /**
   * An empty file without a name, for `sizeBytes` of a request that are too many for memory; the caller closes it.
   * @throws ERR_NO_SPACE, ERR_DISK, ERR_STORE_READONLY.
   */
  createScratch(sizeBytes: number): Promise<ShareFile>;
  /** The numbers of the mutable shares; damaged ones are left out. @throws ERR_DISK, ERR_STORE_GONE. */
  listMutable(storageIndex: Uint8Array): Promise<ReadonlySet<number>>;
  /**
   * The share as it is now, also when it is written to later.
   * @returns undefined when there is no mutable share of that number.
   * @throws ERR_CONTAINER when the share's file is damaged; ERR_DISK; ERR_STORE_GONE.
   */
  openMutable(storageIndex: Uint8Array, shareNumber: number): Promise<OpenShare | undefined>;
  /**
   * Renews the lease that these secrets made on each share of the storage index, or adds it.
   * @returns whether there was any share.
   * @throws ERR_NO_SPACE, ERR_TOO_MANY, ERR_DISK, ERR_STORE_READONLY.
   */
  addLease(storageIndex: Uint8Array, secrets: LeaseSecrets): Promise<boolean>;
  /**
   * Keeps the report for the operator, where there is room. @returns whether the share is here.
   * @throws ERR_DISK, ERR_STORE_READONLY.
   */
  reportCorruption(report: CorruptionReport): Promise<boolean>;
  /**
   * Removes a share of either kind, durably, if `isOver` says so while nothing else happens to its storage index.
   * One that is being uploaded is kept.
   * @throws ERR_DISK, ERR_STORE_READONLY, and what `isOver` throws.
   */
  removeShare(storageIndex: Uint8Array, shareNumber: number, isOver: () => Promise<boolean>): Promise<boolean>;
  /**
   * Puts a share that was found damaged into quarantine and keeps a report: its number is free again. Nothing
   * happens where there is none. @throws ERR_DISK, ERR_NO_SPACE, ERR_STORE_READONLY.
   */
  setAside(place: SharePlace, reason: string): Promise<void>;
  figures(): Promise<StoreFigures>;
  /** Ends every upload, or keeps it for the next start where uploads outlast one, and releases everything; idempotent. */
  close(): Promise<void>;
}
