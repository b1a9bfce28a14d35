/**
 * One upload in progress: a file under `incoming` that fills up in any order and then becomes a share.
 *
 * A write counts as a whole or not at all. While its body arrives, bytes that were written before are compared
 * and all others go to disk; the range is recorded when the last byte is there, so an interrupted or refused
 * write leaves no recorded trace. Writes to the same bytes take turns; writes elsewhere run side by side. The
 * write that fills the last gap syncs the file and moves it into place before it is acknowledged. When the disk
 * fails the upload is dropped, and its share number is free again.
 */
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock } from '#core/environment.js';
import { equalBytes } from '#core/bytes.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import type { ByteRange } from '#wire/storage.js';
import { CONTAINER_HEADER_SIZE } from './container.js';
import { BatchPair, gather } from './gather.js';
import type { BatchPool } from './gather.js';
import { RangeClaims, RangeSet } from './range-set.js';
import type { ShareFile } from './share-files.js';
import { UPLOAD_FRAGMENT_COUNT_MAX, UPLOAD_IDLE_TIMEOUT_MS } from './share-store.js';
import type { BodyPieces, UploadHandle, WriteProgress } from './share-store.js';

/** How long a write waits for another one that holds the same bytes: longer than a silent body is borne. */
const CLAIM_TIMEOUT_MS = 90_000;
/** After so many bytes the disk is set to work in the background, so that the last sync is short. */
const BACKGROUND_SYNC_SIZE = 8 << 20;

/** What an upload needs of the table it is in. */
export interface UploadOwner {
  readonly clock: Clock;
  readonly crypto: CryptoProvider;
  /** Counts one body more. @throws ERR_TOO_MANY. @returns what counts it off. */
  beginWrite(): () => void;
  /** How large a batch may be now, in bytes. */
  batchSize(): number;
  readonly batchPool: BatchPool;
  /** Whether a background sync may begin now; if so, `endBackgroundSync` follows. */
  beginBackgroundSync(): boolean;
  endBackgroundSync(): void;
  /** Makes sure that there is a place for the share, while the file is being synced. */
  makeWay(upload: Upload): Promise<void>;
  /** Makes the synced file a share. */
  publish(upload: Upload): Promise<void>;
  /** Removes the incoming file. Never throws. */
  discard(upload: Upload): Promise<void>;
  /** The upload is over: its number is free. */
  forget(upload: Upload): void;
}

/** Which upload it is, and what opens it. */
export interface UploadIdentity {
  readonly storageIndex: Uint8Array;
  readonly shareNumber: number;
  readonly allocatedSize: number;
  readonly uploadSecret: Uint8Array;
  /** What stands in front of the data in the file, and behind them. */
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
}

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
  #cancelTimer: () => void = () => undefined;
  #unsyncedSize = 0;
  /** Whether header and lease are being written, or were. */
  #isFramed = false;
  #backgroundSync: Promise<void> | undefined;
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

  /** Whether `uploadSecret` is the one that the upload was begun with. */
  isOpenedBy(uploadSecret: Uint8Array): boolean {
    return this.#owner.crypto.equalSecrets(this.#identity.uploadSecret, uploadSecret);
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
    this.#cancelTimer();
    this.#writeCount += 1;
    try {
      await this.#writeInTurn(range, body);
      if (this.missingSize > 0) return { complete: false, required: this.#written.missing(this.allocatedSize) };
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
    const { head, tail } = this.#identity;
    const write = (parts: readonly Uint8Array[], position: number): Promise<void> => file.write(parts, position);
    if (this.#isFramed) return write([bytes], head.length + offset);
    this.#isFramed = true;
    if (bytes.length === this.allocatedSize) return write([head, bytes, tail], 0);
    await Promise.all([
      write([head], 0),
      write([bytes], head.length + offset),
      write([tail], head.length + this.allocatedSize),
    ]);
  }

  async #readFromDisk(offset: number, size: number): Promise<Uint8Array> {
    return this.#onFile((file) => file.read(CONTAINER_HEADER_SIZE + offset, size));
  }

  #syncInBackground(): void {
    if (this.#backgroundSync !== undefined || !this.#owner.beginBackgroundSync()) return;
    this.#unsyncedSize = 0;
    this.#backgroundSync = this.#onFile((file) => file.sync())
      .catch(() => undefined) // The next operation throws the same.
      .finally(() => {
        this.#backgroundSync = undefined;
        this.#owner.endBackgroundSync();
      });
  }

  async #finish(): Promise<void> {
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
    this.#cancelTimer();
    await this.#owner.discard(this);
    this.#owner.forget(this);
    await this.#closeIfUnused();
  }

  #end(): void {
    this.#over = true;
    this.#cancelTimer();
    this.#owner.forget(this);
  }

  async #closeIfUnused(): Promise<void> {
    if (!this.#over || this.#operationCount > 0 || this.#closed) return;
    this.#closed = true;
    // What matters is synced by now, or thrown away.
    await this.#file.close().catch(() => undefined);
  }

  #startTimer(): void {
    if (this.#over) return;
    this.#cancelTimer = this.#owner.clock.schedule(UPLOAD_IDLE_TIMEOUT_MS, () => {
      void this.#drop();
    });
  }
}
