/**
 * The index of a share store: an inventory that answers without walking the disk. It is a cache and never the
 * truth: whatever is doubtful about it is made anew from the share files.
 *
 * It hears of every change by the store's events and looks at the share soon afterwards, many in one batch, so
 * that no acknowledgement waits for it. At its start, and after any doubt, it compares itself with the whole disk
 * in the background; until that is done it is not complete, and answers come from the disk. Everything that
 * touches the table is done one after the other.
 */
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log } from '#core/environment.js';
import { isTahoeError, reasonOf } from '#core/errors.js';
import { KeyedLock } from '../keyed-lock.js';
import type { SharePlace, StoreEvent } from '../store-events.js';
import { scanRun, scanRuns } from './index-scan.js';
import type { ScanParts } from './index-scan.js';
import { IndexTable, isDiskFull, isLocked } from './index-table.js';
import { applyChanges } from './index-update.js';
import type { PendingChange } from './index-update.js';
import { nextRecord } from './record-change.js';
import type { ShareInventory } from './share-inventory.js';
import { decodeShareRecord, encodeShareRecord, keyText, placeOfKey, shareKey } from './share-record.js';
import type { ShareRecord } from './share-record.js';
import { countDirectory, noUsage } from './usage.js';
import type { Usage } from './usage.js';
import { walkUsage } from './usage-walk.js';

/** How long changes are collected before they are looked at. */
export const COLLECT_MS = 1_000;
/** Changed shares that are looked at in one batch. */
export const BATCH_LENGTH = 256;
/** Changed shares that are remembered; when there are more, everything is compared again. */
export const PENDING_COUNT_MAX = 100_000;
/** How long an index that broke again before it was complete is left alone. */
export const RETRY_MS = 60_000;
/** Records that are handed out at a time. */
export const RECORDS_PAGE_LENGTH = 512;

/** What an index stands on. */
export interface IndexOptions {
  /** Where the table lies; nothing else may be there. */
  readonly directory: string;
  readonly inventory: ShareInventory;
  readonly crypto: CryptoProvider;
  readonly clock: Clock;
  readonly log: Log;
  /** How much the table holds in memory before it writes a file; by default WRITE_BUFFER_BYTES. */
  readonly writeBufferBytes?: number;
}

/** A share and what the index knows of it. */
export interface IndexedShare {
  readonly place: SharePlace;
  readonly record: ShareRecord;
}

/** The index. Whoever opens it closes it, after the store. */
export class ShareIndex {
  readonly #options: IndexOptions;
  readonly #lock = new KeyedLock();
  #table: IndexTable | undefined;
  #pending = new Map<string, PendingChange>();
  #cancelTimer: (() => void) | undefined;
  #cancelRetry: (() => void) | undefined;
  #usage: Usage = noUsage;
  readonly #prefixBytes = new Map<string, number>();
  /** How far the table has been compared with the disk; undefined is not at all. */
  #comparedThrough: Uint8Array | undefined;
  #isComplete = false;
  #failureCount = 0;
  #generation = 0;
  #scan: Promise<void> = Promise.resolve();
  #isClosed = false;

  private constructor(options: IndexOptions) {
    this.#options = options;
  }

  /**
   * Opens the index and begins to compare it with the disk.
   * On a full disk it goes without a table until there is room for one.
   * @throws ERR_INDEX when another process has it, or none can be made.
   */
  static async open(options: IndexOptions): Promise<ShareIndex> {
    const index = new ShareIndex(options);
    try {
      index.#table = await openTable(options);
      index.#beginScan();
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      index.#renewLater(undefined, error);
    }
    return index;
  }

  /** Whether the whole disk has been compared, so that answers come from the index. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Hears of a change; it neither waits nor fails. */
  readonly note = (event: StoreEvent): void => {
    if (this.#isClosed) return;
    const { storageIndex, shareNumber, kind } = event;
    const place = { storageIndex, shareNumber };
    const change = kind === 'leased' || kind === 'damaged' ? 'leases' : 'data';
    this.#remember(place, { place, change, isNew: kind === 'added', checksum: undefined });
  };

  /** Takes somebody's word for the SHA-256 (32 bytes) of the data of an immutable share that was just added. */
  tellChecksum(place: SharePlace, checksum: Uint8Array): void {
    if (!this.#isClosed) this.#remember(place, { place, change: 'data', isNew: true, checksum });
  }

  #remember(place: SharePlace, change: PendingChange): void {
    const text = keyText(shareKey(place));
    const before = this.#pending.get(text);
    this.#pending.set(text, before === undefined ? change : merge(before, change));
    if (this.#pending.size > PENDING_COUNT_MAX) {
      this.#pending.clear();
      this.#beginScan();
    }
    this.#cancelTimer ??= this.#options.clock.schedule(COLLECT_MS, () => {
      this.#cancelTimer = undefined;
      void this.#applyPending();
    });
  }

  /** Waits until all changes told before are in. @returns whether the index is complete. */
  async settle(): Promise<boolean> {
    await this.#applyPending();
    return this.#isComplete;
  }

  /** Waits for the comparison under way. @returns whether the index is complete then. */
  async compared(): Promise<boolean> {
    for (let scan: Promise<void> | undefined; scan !== this.#scan;) {
      scan = this.#scan;
      await scan;
    }
    return this.settle();
  }

  /** What is stored, changes told before included. Walks the disk while the index is not complete. @throws ERR_DISK. */
  async usage(): Promise<Usage> {
    if (!(await this.settle())) return walkUsage(this.#options.inventory);
    return countDirectory(
      this.#usage,
      [...this.#prefixBytes.values()].reduce((sum, bytes) => sum + bytes, 0),
    );
  }

  /** What is known of one share; undefined when there is none. Looks at the disk while not complete. @throws ERR_DISK. */
  async record(place: SharePlace): Promise<ShareRecord | undefined> {
    if (!(await this.settle())) return this.#recordFromDisk(place);
    const key = shareKey(place);
    const found = await this.#onTable(async (table) => {
      const [sealed] = await table.getMany([key]);
      return { sealed };
    });
    if (found === undefined) return this.#recordFromDisk(place);
    if (found.sealed === undefined) return undefined;
    const record = decodeShareRecord(this.#options.crypto, key, found.sealed);
    if (record === undefined) this.#doubt('a record makes no sense');
    return record ?? this.#recordFromDisk(place);
  }

  /**
   * The records behind a key, in order, RECORDS_PAGE_LENGTH at most; `next` is where to go on, undefined at the end.
   * @returns undefined when the index is in doubt: ask again once it is complete.
   */
  async page(
    after: Uint8Array | undefined,
  ): Promise<{ readonly shares: readonly IndexedShare[]; readonly next: Uint8Array | undefined } | undefined> {
    const entries = await this.#onTable((table) => table.range({ after, through: undefined }, RECORDS_PAGE_LENGTH));
    if (entries === undefined || !this.#isComplete) return undefined;
    const shares: IndexedShare[] = [];
    for (const [key, sealed] of entries) {
      const place = placeOfKey(key);
      if (place === undefined) continue;
      const record = decodeShareRecord(this.#options.crypto, key, sealed);
      if (record === undefined) {
        this.#doubt('a record makes no sense');
        return undefined;
      }
      shares.push({ place, record });
    }
    return { shares, next: entries.length < RECORDS_PAGE_LENGTH ? undefined : entries.at(-1)?.[0] };
  }

  /** Puts `change(record)` in the place of a record that still is as it was. */
  async amend({ place, record }: IndexedShare, change: (record: ShareRecord) => ShareRecord): Promise<void> {
    const { crypto } = this.#options;
    const key = shareKey(place);
    await this.#onTable(async (table) => {
      const before = encodeShareRecord(crypto, key, record);
      const [sealed] = await table.getMany([key]);
      if (sealed === undefined || Buffer.compare(sealed, before) !== 0) return;
      await table.write([{ key, value: encodeShareRecord(crypto, key, change(record)) }]);
    });
  }

  /** Takes what was told before, and closes. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    await this.#applyPending();
    this.#isClosed = true;
    this.#generation += 1;
    this.#cancelTimer?.();
    this.#cancelRetry?.();
    await this.#scan;
    await this.#onTable((table) => table.close());
    this.#table = undefined;
  }

  async #recordFromDisk(place: SharePlace): Promise<ShareRecord | undefined> {
    const seen = await this.#options.inventory.examine(place);
    return seen === undefined ? undefined : nextRecord(undefined, seen, 'unknown');
  }

  /** Looks at every share that changed before the call. */
  async #applyPending(): Promise<void> {
    while (this.#pending.size > 0 && this.#table !== undefined) {
      const isDone = await this.#onTable((table) => this.#applyBatch(table));
      if (isDone !== true) return;
    }
    // One that is under way may hold changes that are no longer pending.
    await this.#lock.run('table', () => Promise.resolve());
  }

  async #applyBatch(table: IndexTable): Promise<boolean> {
    const batch = [...this.#pending].slice(0, BATCH_LENGTH);
    for (const [text] of batch) this.#pending.delete(text);
    const isCounted = (key: Uint8Array): boolean =>
      this.#isComplete || (this.#comparedThrough !== undefined && Buffer.compare(key, this.#comparedThrough) <= 0);
    const changes = batch.map(([, change]) => change);
    const generation = this.#generation;
    try {
      const { usage, prefixBytes, doubt } = await applyChanges(this.#parts(table), changes, this.#usage, isCounted);
      // A comparison that has begun meanwhile counts from nothing, and meets these records.
      if (this.#generation !== generation) return true;
      this.#usage = usage;
      for (const [prefix, bytes] of prefixBytes) this.#prefixBytes.set(prefix, bytes);
      if (doubt === undefined) return true;
      this.#options.log.warn('storage.index-compared-again', { reason: doubt });
      this.#beginScan();
    } catch (error) {
      if (isTahoeError(error, 'ERR_INDEX')) throw error;
      this.#compareLater(error);
    }
    return true;
  }

  /** The disk itself cannot be read; shares fail with it, and it may come back. */
  #compareLater(error: unknown): void {
    this.#options.log.error('storage.index-not-compared', { reason: reasonOf(error) });
    this.#isComplete = false;
    this.#later(() => this.#beginScan());
  }

  #parts(table: IndexTable): ScanParts {
    const { crypto, inventory } = this.#options;
    return { crypto, inventory, table };
  }

  /** Compares everything, from the beginning. */
  #beginScan(): void {
    this.#generation += 1;
    this.#isComplete = false;
    this.#comparedThrough = undefined;
    this.#usage = noUsage;
    this.#prefixBytes.clear();
    const generation = this.#generation;
    this.#scan = this.#scan.then(() => this.#scanAll(generation));
  }

  async #scanAll(generation: number): Promise<void> {
    const { inventory, log } = this.#options;
    const isStale = (): boolean => this.#generation !== generation || this.#isClosed;
    try {
      const prefixBytes = await inventory.prefixBytes();
      if (!isStale()) for (const [prefix, bytes] of prefixBytes) this.#prefixBytes.set(prefix, bytes);
      for await (const run of scanRuns(inventory)) {
        const isDone = await this.#onTable(async (table) => {
          if (isStale()) return false;
          const usage = await scanRun(this.#parts(table), run, this.#usage);
          if (isStale()) return false;
          this.#usage = usage;
          this.#comparedThrough = run.range.through;
          this.#isComplete = run.range.through === undefined;
          return true;
        });
        if (isDone !== true) return;
      }
      this.#failureCount = 0;
      log.info('storage.index-complete');
    } catch (error) {
      this.#compareLater(error);
    }
  }

  /** Runs `action` when the table is free. @returns undefined when there is no table, or none any more. */
  async #onTable<Result>(action: (table: IndexTable) => Promise<Result>): Promise<Result | undefined> {
    return this.#lock.run('table', async () => {
      const table = this.#table;
      if (table === undefined) return undefined;
      try {
        return await action(table);
      } catch (error) {
        if (!isTahoeError(error, 'ERR_INDEX')) throw error;
        this.#doubt(reasonOf(error));
        return undefined;
      }
    });
  }

  /** Throws the table away and makes a new one. A second failure in a row waits. */
  #doubt(reason: string): void {
    if (this.#isClosed || this.#table === undefined) return;
    this.#options.log.warn('storage.index-made-anew', { reason });
    const table = this.#table;
    this.#table = undefined;
    this.#isComplete = false;
    this.#generation += 1;
    this.#failureCount += 1;
    const renew = (): void => {
      this.#scan = this.#scan.then(() => this.#renew(table));
    };
    if (this.#failureCount > 1) this.#later(renew);
    else renew();
  }

  #renewLater(old: IndexTable | undefined, error: unknown): void {
    this.#options.log.error('storage.index-not-made', { reason: reasonOf(error) });
    this.#later(() => {
      this.#scan = this.#scan.then(() => this.#renew(old));
    });
  }

  async #renew(old: IndexTable | undefined): Promise<void> {
    const { directory, writeBufferBytes } = this.#options;
    await this.#lock.run('table', async () => {
      await old?.close().catch(() => undefined);
      if (this.#isClosed) return;
      try {
        await IndexTable.destroy(directory);
        this.#table = await IndexTable.open(directory, writeBufferBytes);
        this.#beginScan();
      } catch (error) {
        this.#renewLater(old, error);
      }
    });
  }

  #later(action: () => void): void {
    this.#cancelRetry?.();
    this.#cancelRetry = this.#options.clock.schedule(RETRY_MS, action);
  }
}

async function openTable({ directory, log, writeBufferBytes }: IndexOptions): Promise<IndexTable> {
  try {
    return await IndexTable.open(directory, writeBufferBytes);
  } catch (error) {
    if (isLocked(error)) throw error;
    log.warn('storage.index-made-anew', { reason: reasonOf(error) });
    await IndexTable.destroy(directory);
    return IndexTable.open(directory, writeBufferBytes);
  }
}

/** Both changes as one: the data changed if they did in either, and what was new at first is new. */
function merge(before: PendingChange, after: PendingChange): PendingChange {
  const change = before.change === 'data' || after.change === 'data' ? 'data' : 'leases';
  const checksum = after.checksum ?? (after.change === 'leases' ? before.checksum : undefined);
  return { place: after.place, change, isNew: before.isNew, checksum };
}
