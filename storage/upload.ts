/**
 * One upload in progress: a file under `incoming` that fills up in any order and then becomes a share.
 *
 * A write counts as a whole or not at all. While its body arrives, bytes that were written before are compared
 * and all others go to disk; the range is recorded when the last byte is there, so an interrupted or refused
 * write leaves no recorded trace. Writes to the same bytes take turns; writes elsewhere run side by side. The
 * write that fills the last gap syncs the file and moves it into place before it is acknowledged. When the disk
 * fails the upload is dropped, and its share number is free again.
 */
import { equalBytes } from '#core/bytes.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import type { ByteRange } from '#wire/storage.js';
import { CONTAINER_HEADER_SIZE } from './container.js';
import { BatchPair, gather } from './gather.js';
import { RangeClaims, RangeSet } from './range-set.js';
import type { ShareFile } from './share-files.js';
import {
  RESERVATION_IDLE_TIMEOUT_MS,
  UPLOAD_FRAGMENT_COUNT_MAX,
  UPLOAD_IDLE_TIMEOUT_MS,
  UPLOAD_KEEP_DELAY_MS,
} from './share-store.js';
import { isMereReservation } from './reservations.js';
import type { UploadIdentity, UploadOwner } from './upload-owner.js';
import type { BodyPieces, UploadHandle, WriteProgress } from './share-store.js';

/** How long a write waits for another one that holds the same bytes: longer than a silent body is borne. */
const CLAIM_TIMEOUT_MS = 90_000;
/** After so many bytes the disk is set to work in the background, so that the last sync is short. */
const BACKGROUND_SYNC_SIZE = 8 << 20;

/** An upload and its file. */
export class Upload implements UploadHandle {
  readonly storageIndex: Uint8Array;
  readonly shareNumber: number;
  readonly allocatedSize: number;
  readonly #identity: UploadIdentity;
  readonly #file: ShareFile;
  readonly #owner: UploadOwner;
  readonly #written = new RangeSet();
  readonly #claims = new RangeClaims();
  #over = false;
  #closed = false;
  #operationCount = 0;
  #writeCount = 0;
  #idleSinceMs = 0;
  #cancelTimer: () => void = () => undefined;
  #unsyncedSize = 0;
  /** Whether header and lease are being written, or were. */
  #isFramed = false;
  /** Whether it is from before a restart, and nobody has gone on with it. */
  #isLeftOver = false;
  #backgroundSync: Promise<void> | undefined;
  /** What a restart has to know is being written. */
  #keeping: Promise<void> | undefined;
  #cancelKeeping: (() => void) | undefined;
  /** Why the upload is over, when the disk failed. */
  #failure: Error | undefined;
  #finishing: Promise<void> | undefined;
  #dropping: Promise<void> | undefined;

  /** @param file - empty; owned by the upload from now on. */
  constructor(identity: UploadIdentity, file: ShareFile, owner: UploadOwner) {
    this.storageIndex = identity.storageIndex;
    this.shareNumber = identity.shareNumber;
    this.allocatedSize = identity.allocatedSize;
    this.#identity = identity;
    this.#file = file;
    this.#owner = owner;
    this.#startTimer();
  }

  /** An upload that goes on after a restart. @throws ERR_DISK, ERR_NO_SPACE. */
  static async resume(
    identity: UploadIdentity,
    file: ShareFile,
    owner: UploadOwner,
    ranges: readonly ByteRange[],
  ): Promise<Upload> {
    const upload = new Upload(identity, file, owner);
    upload.#isLeftOver = upload.#isFramed = true;
    for (const range of ranges) upload.#written.add(range);
    await upload.#onFile(async () => {
      await file.write([identity.head], 0);
      await file.write([identity.lease], identity.head.length + identity.allocatedSize);
    });
    return upload;
  }

  /** Whether it is from before a restart, and gives way to one that is begun anew. */
  get isLeftOver(): boolean {
    return this.#isLeftOver;
  }

  get required(): readonly ByteRange[] {
    return this.#written.missing(this.allocatedSize);
  }

  /** Whether `uploadSecret` is the one that the upload was begun with. */
  isOpenedBy(uploadSecret: Uint8Array): boolean {
    const { crypto } = this.#owner;
    return crypto.equalSecrets(this.#identity.secretHash, crypto.blake2b256(uploadSecret));
  }

  /** The address of whoever asked for it, where that is known. */
  get client(): string | undefined {
    return this.#identity.client;
  }

  /** Whether hardly anything of it was written. */
  get isMereReservation(): boolean {
    return isMereReservation(this.#written.size, this.allocatedSize);
  }

  /** For how long nobody has written to it, in milliseconds; 0 while somebody does. */
  get idleMs(): number {
    return this.#writeCount > 0 ? 0 : this.#owner.clock.monotonicMs() - this.#idleSinceMs;
  }

  /** Bytes that the upload will still take from the disk. */
  get missingSize(): number {
    return this.allocatedSize - this.#written.size;
  }

  async write(range: ByteRange, body: BodyPieces): Promise<WriteProgress> {
    if (range.end > this.allocatedSize) {
      throw new TahoeError('ERR_BEYOND_ALLOCATION', { allocatedSize: this.allocatedSize });
    }
    this.#checkAlive();
    const endWrite = this.#owner.beginWrite();
    this.#isLeftOver = false;
    this.#cancelTimer();
    this.#writeCount += 1;
    try {
      await this.#writeInTurn(range, body);
      if (this.missingSize > 0) {
        this.#keepLater();
        return { complete: false, required: this.required };
      }
      await (this.#finishing ??= this.#finish());
      return { complete: true, required: [] };
    } finally {
      endWrite();
      this.#writeCount -= 1;
      if (this.#writeCount === 0) this.#startTimer();
    }
  }

  async #writeInTurn(range: ByteRange, body: BodyPieces): Promise<void> {
    const release = await this.#claims.take(range, (holder) => this.#waitFor(holder));
    try {
      if (this.#written.count >= UPLOAD_FRAGMENT_COUNT_MAX && !this.#written.touches(range)) {
        throw new TahoeError('ERR_TOO_MANY', { what: 'separate parts of a share', limit: UPLOAD_FRAGMENT_COUNT_MAX });
      }
      await this.#receive(range, body);
      this.#checkAlive();
      this.#written.add(range);
    } finally {
      release();
    }
  }

  async #waitFor(holder: Promise<void>): Promise<void> {
    let cancel: () => void = () => undefined;
    const timeout = new Promise<never>((_resolve, reject) => {
      cancel = this.#owner.clock.schedule(CLAIM_TIMEOUT_MS, () => {
        reject(new TahoeError('ERR_TIMEOUT', { what: 'another write to the same bytes', timeoutMs: CLAIM_TIMEOUT_MS }));
      });
    });
    try {
      await Promise.race([holder, timeout]);
    } finally {
      cancel();
    }
  }

  /** Takes the body in; one batch is gathered while the one before it is being written. */
  async #receive(range: ByteRange, body: BodyPieces): Promise<void> {
    const expected = range.end - range.begin;
    let received = 0;
    let placing: Promise<void> = Promise.resolve();
    const pair = new BatchPair(this.#owner.batchPool);
    try {
      const left = (): number => Math.max(1, Math.min(this.#owner.batchSize(), expected - received));
      for await (const batch of gather(body, left, pair)) {
        await placing;
        const offset = range.begin + received;
        received += batch.length;
        if (received > expected) break;
        placing = this.#place(offset, batch);
        placing.catch(() => undefined); // It is awaited in the next round; until then a failure may stand alone.
      }
    } finally {
      // The claim on these bytes and the arrays are let go only when nothing is being written any more.
      await placing.finally(() => {
        pair.release();
      });
    }
    if (received !== expected) throw new TahoeError('ERR_BODY_LENGTH', { expected, received });
  }

  async #place(offset: number, batch: Uint8Array): Promise<void> {
    for (const { begin, end, held } of this.#written.divide({ begin: offset, end: offset + batch.length })) {
      const slice = batch.subarray(begin - offset, end - offset);
      if (!held) await this.#writeToDisk(begin, slice);
      else if (!equalBytes(await this.#readFromDisk(begin, slice.length), slice)) {
        throw new TahoeError('ERR_CONFLICTING_WRITE', { offset: begin });
      }
    }
  }

  async #writeToDisk(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#onFile((file) => this.#writeFramed(file, offset, bytes));
    this.#unsyncedSize += bytes.length;
    if (this.#unsyncedSize >= BACKGROUND_SYNC_SIZE) this.#syncInBackground();
  }

  /** Header and lease go with the first bytes; a share that comes in one piece takes one write. */
  async #writeFramed(file: ShareFile, offset: number, bytes: Uint8Array): Promise<void> {
    const { head, lease } = this.#identity;
    const write = (parts: readonly Uint8Array[], position: number): Promise<void> => file.write(parts, position);
    if (this.#isFramed) return write([bytes], head.length + offset);
    this.#isFramed = true;
    if (bytes.length === this.allocatedSize) return write([head, bytes, lease], 0);
    await Promise.all([
      write([head], 0),
      write([bytes], head.length + offset),
      write([lease], head.length + this.allocatedSize),
    ]);
  }

  async #readFromDisk(offset: number, size: number): Promise<Uint8Array> {
    return this.#onFile((file) => file.read(CONTAINER_HEADER_SIZE + offset, size));
  }

  #syncInBackground(): void {
    if (this.#backgroundSync !== undefined || !this.#owner.beginBackgroundSync()) return;
    this.#unsyncedSize = 0;
    this.#backgroundSync = this.#syncAndKeep()
      .catch(() => undefined) // The next operation throws the same.
      .finally(() => {
        this.#backgroundSync = undefined;
        this.#owner.endBackgroundSync();
      });
  }

  /** Makes durable what is written so far, and keeps which bytes those are. */
  async #syncAndKeep(): Promise<void> {
    const { ranges } = this.#written;
    await this.#onFile((file) => file.sync());
    if (ranges.length === 0 || this.#finishing !== undefined || this.#over) return;
    const { allocatedSize, lease, secretHash, shareNumber, storageIndex } = this.#identity;
    this.#keeping = this.#owner.keep?.({ storageIndex, shareNumber, allocatedSize, secretHash, lease, ranges });
    await this.#keeping;
  }

  /** An upload that is over soon is not kept: a restart costs no more than what was just written. */
  #keepLater(): void {
    if (this.#owner.keep === undefined || this.#over) return;
    this.#cancelKeeping ??= this.#owner.clock.schedule(UPLOAD_KEEP_DELAY_MS, () => {
      this.#cancelKeeping = undefined;
      if (this.#over || this.#finishing !== undefined) return;
      this.#syncInBackground();
      if (this.#unsyncedSize > 0) this.#keepLater();
    });
  }

  async #finish(): Promise<void> {
    this.#cancelKeeping?.();
    try {
      await this.#backgroundSync;
      await this.#onFile(async (file) => {
        const outcomes = await Promise.allSettled([file.sync(), this.#owner.makeWay(this)]);
        for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
        await this.#owner.publish(this);
      });
    } catch (error) {
      await this.#drop();
      throw error;
    }
    this.#end();
    await this.#closeIfUnused();
  }

  /** Runs one operation on the open file. A failure of it is the end of the upload. */
  async #onFile<Result>(operation: (file: ShareFile) => Promise<Result>): Promise<Result> {
    this.#checkAlive();
    this.#operationCount += 1;
    try {
      return await operation(this.#file);
    } catch (error) {
      this.#failure ??= error instanceof Error ? error : new Error(reasonOf(error));
      // Once it is being moved into place, only the mover may free the number for another upload.
      if (this.#finishing === undefined) await this.#drop();
      throw error;
    } finally {
      this.#operationCount -= 1;
      await this.#closeIfUnused();
    }
  }

  #checkAlive(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#over) throw new TahoeError('ERR_NO_SUCH_UPLOAD', {});
  }

  /** Stops for now: what can go on after a restart is kept, and nothing else is left. */
  async suspend(): Promise<void> {
    await this.#backgroundSync;
    if (!this.#isFinishing()) await this.#suspendUnfinished();
    await this.#finishing;
  }

  #isFinishing(): boolean {
    return this.#finishing !== undefined;
  }

  async #suspendUnfinished(): Promise<void> {
    if (this.#owner.keep === undefined || this.#written.size === 0) return this.#drop();
    const keeping = this.#syncAndKeep();
    this.#backgroundSync = keeping.catch(() => undefined);
    try {
      await keeping;
    } catch {
      return this.#drop();
    }
    // A write may have filled the last gap meanwhile.
    if (this.#isFinishing()) return;
    this.#end();
    await this.#closeIfUnused();
  }

  async abort(): Promise<void> {
    if (this.#finishing !== undefined) {
      await this.#finishing;
      throw new TahoeError('ERR_SHARE_COMPLETE', {});
    }
    await this.#drop();
  }

  #drop(): Promise<void> {
    this.#dropping ??= this.#discard();
    return this.#dropping;
  }

  async #discard(): Promise<void> {
    this.#over = true;
    this.#cancelTimers();
    await this.#keeping?.catch(() => undefined);
    await this.#owner.discard(this);
    this.#owner.forget(this);
    await this.#closeIfUnused();
  }

  #end(): void {
    this.#over = true;
    this.#cancelTimers();
    this.#owner.forget(this);
  }

  #cancelTimers(): void {
    this.#cancelTimer();
    this.#cancelKeeping?.();
  }

  async #closeIfUnused(): Promise<void> {
    if (!this.#over || this.#operationCount > 0 || this.#closed) return;
    this.#closed = true;
    // What matters is synced by now, or thrown away.
    await this.#file.close().catch(() => undefined);
  }

  #startTimer(): void {
    if (this.#over) return;
    this.#idleSinceMs = this.#owner.clock.monotonicMs();
    const timeoutMs = this.isMereReservation ? RESERVATION_IDLE_TIMEOUT_MS : UPLOAD_IDLE_TIMEOUT_MS;
    this.#cancelTimer = this.#owner.clock.schedule(timeoutMs, () => {
      void this.#drop();
    });
  }
}
