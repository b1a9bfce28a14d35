/**
 * The journal of small writes: many of them share one sync.
 *
 * Small shares that are written as wholes are recorded in the journal, with one sync for all who wait, and then put into
 * their places without any; the shares of one request are recorded together or not at all. Some time later the places are
 * synced, those that were written again only once, and the record is dropped. What cannot be synced then is tried again.
 * After a power cut the places are made what the journal says.
 *
 * What is recorded holds only as long as nobody else writes that share. So whoever changes a final place in another way
 * calls `release` first. And what another program wrote after us is newer than the record by the file system's clock: it
 * is left alone. Two files take turns: one is written while what the other tells of is synced.
 * @see journal-record.ts
 */
import { formatBase32 } from '#core/base32.js';
import type { Clock } from '#core/environment.js';
import type { JournalFile } from './journal-file.js';
import { groupSize, JOURNAL_PAGE_SIZE, sizeOfRecords } from './journal-record.js';
import type { JournalRecord } from './journal-record.js';
import type { SmallShare } from './share-files.js';

/** How long a share waits for its own sync, in milliseconds. */
const SETTLING_DELAY_MS = 5_000;
/** By how much a file of the journal grows, in bytes. */
const GROWTH = 1 << 20;
/** Indexes whose shares are synced at once. */
const SETTLING_COUNT = 8;

/** A small share that is about to be placed. */
export interface JournalledShare extends SmallShare {
  /** When its file was written to, and no earlier than what stands in its place, by the file system's clock, in milliseconds. */
  readonly modifiedMs: number;
}

/** A share in its place that a power cut would take from there. */
interface UnsettledShare {
  readonly storageIndex: Uint8Array;
  readonly shareNumber: number;
  /** Of the newest record. */
  readonly epoch: number;
  /** In that record: no older than any time that its place may show. */
  readonly modifiedMs: number;
  /** Whether there was none before, as far as the disk knows. */
  readonly isNew: boolean;
}

interface Waiting {
  /** They are kept together. */
  readonly records: readonly JournalRecord[];
  /** Called in the same turn in which the record became durable. */
  readonly kept: (epoch: number) => void;
  readonly reject: (error: unknown) => void;
}

/** What the journal stands on. */
export interface ShareJournalOptions {
  /** A file of the journal holds about so much, in bytes. */
  readonly fileSize: number;
  /** Without it shares are settled only when a file is full, and at the end. */
  readonly clock?: Clock | undefined;
  /** Makes shares of an index and their places durable; nothing happens where there are none. */
  readonly settle: (storageIndex: Uint8Array, shareNumbers: readonly number[]) => Promise<void>;
}

/** The journal of one storage directory. */
export class ShareJournal {
  readonly #options: ShareJournalOptions;
  #active: JournalFile;
  #other: JournalFile;
  readonly #unsettled = new Map<string, Map<number, UnsettledShare>>();
  readonly #placing = new Set<Promise<void>>();
  /** Indexes with records that were not carried out: nothing else is recorded of them before these are dropped. */
  readonly #failed = new Set<string>();
  #waiting: Waiting[] = [];
  #isWriting = false;
  /** Whether what was recorded so far is to be settled, when the group is written that is being written. */
  #isDue = false;
  /** The file that was written before, as long as it is not cleared. */
  #full: JournalFile | undefined;
  #settling: Promise<void> | undefined;
  #isClosed = false;
  #cancelTimer: (() => void) | undefined;

  /** @param files - two, cleared up to `epoch`; closed by the journal. */
  constructor(files: readonly JournalFile[], epoch: number, options: ShareJournalOptions) {
    const [active, other] = files;
    if (active === undefined || other === undefined) throw new TypeError('a journal has two files');
    this.#active = active;
    this.#other = other;
    this.#active.begin(epoch + 1);
    this.#options = options;
  }

  /**
   * Records what shares of an index are about to be, durably, and has them placed. The caller holds the lock of the index.
   * @throws ERR_DISK, ERR_NO_SPACE, ERR_STORE_READONLY: none was placed; or what `place` throws.
   */
  async place(storageIndex: Uint8Array, shares: readonly JournalledShare[], place: () => Promise<void>): Promise<void> {
    if (this.#failed.has(formatBase32(storageIndex))) await this.release(storageIndex);
    const records = shares.map((share) => this.#recordOf(storageIndex, share));
    let isKept = false;
    await new Promise<void>((resolve, reject) => {
      const kept = (epoch: number): void => {
        isKept = true;
        for (const record of records) this.#remember(record, epoch);
        const placing = place();
        this.#placing.add(placing);
        placing.finally(() => this.#placing.delete(placing)).then(resolve, reject);
      };
      this.#append({ records, kept, reject });
    }).catch(async (error: unknown) => {
      // What is there of a group that was not kept is written over by the next one.
      if (isKept) await this.#dropFailed(storageIndex);
      throw error;
    });
    this.#settleLater();
  }

  /**
   * Where the clock was set back, a record must not seem older than the file of the one before it, whose own record may
   * be gone before that file is: a power cut may leave any of the two files.
   */
  #recordOf(storageIndex: Uint8Array, { bytes, isNew, modifiedMs, shareNumber }: JournalledShare): JournalRecord {
    const before = this.#unsettled.get(formatBase32(storageIndex))?.get(shareNumber);
    return {
      kind: isNew || before?.isNew === true ? 'new' : 'replaced',
      storageIndex,
      shareNumber,
      modifiedMs: Math.max(modifiedMs, before?.modifiedMs ?? 0),
      bytes,
    };
  }

  #remember({ kind, modifiedMs, shareNumber, storageIndex }: JournalRecord, epoch: number): void {
    const index = formatBase32(storageIndex);
    const shares = this.#unsettled.get(index) ?? new Map<number, UnsettledShare>();
    const isNew = kind === 'new' || (shares.get(shareNumber)?.isNew ?? false);
    shares.set(shareNumber, { storageIndex, shareNumber, epoch, modifiedMs, isNew });
    this.#unsettled.set(index, shares);
  }

  /** Where recorded shares were not placed: sees to it that no record is taken for what stands there, now or later. */
  async #dropFailed(storageIndex: Uint8Array): Promise<void> {
    this.#failed.add(formatBase32(storageIndex));
    await this.release(storageIndex).catch(() => undefined);
  }

  /**
   * Makes all shares of the index durable and drops what is recorded of them. The caller holds the lock of the index.
   * @throws ERR_DISK, ERR_NO_SPACE, ERR_STORE_READONLY.
   */
  async release(storageIndex: Uint8Array): Promise<void> {
    const index = formatBase32(storageIndex);
    const shares = this.#unsettled.get(index);
    if (shares === undefined) {
      this.#failed.delete(index);
      return;
    }
    await this.#options.settle(storageIndex, [...shares.keys()]);
    const record = { kind: 'settled', storageIndex, shareNumber: 0, modifiedMs: 0, bytes: new Uint8Array(0) } as const;
    await new Promise<void>((resolve, reject) => {
      this.#append({ records: [record], kept: () => resolve(), reject });
    });
    this.#unsettled.delete(index);
    this.#failed.delete(index);
  }

  #append(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#start();
  }

  #start(): void {
    if (this.#isWriting) return;
    this.#isWriting = true;
    void this.#writeAll();
  }

  /** Group after group: each is what came while the one before was being synced. */
  async #writeAll(): Promise<void> {
    // Whoever asks in the same turn of the event loop belongs to the first group.
    await Promise.resolve();
    while (this.#waiting.length > 0 || this.#isDue) {
      // What cannot be settled now is settled later.
      if (this.#isDue) await this.#turnOver().catch(() => this.#settleLater());
      else await this.#writeGroup(this.#nextGroup());
    }
    this.#isWriting = false;
  }

  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    const { fileSize } = this.#options;
    const records = group.flatMap((waiting) => waiting.records);
    try {
      const { end } = this.#active;
      if (end > JOURNAL_PAGE_SIZE && end + groupSize(sizeOfRecords(records)) > fileSize) await this.#turnOver();
      await this.#active.makeRoom(records, Math.min(GROWTH, fileSize));
      await this.#active.append(records);
    } catch (error) {
      for (const { reject } of group) reject(error);
      return;
    }
    for (const { kept } of group) kept(this.#active.epoch);
  }

  /** As many as fit into a file, and one at least. */
  #nextGroup(): Waiting[] {
    let size = 0;
    const tooMany = this.#waiting.findIndex(({ records }, i) => {
      size += sizeOfRecords(records);
      return i > 0 && groupSize(size) + JOURNAL_PAGE_SIZE > this.#options.fileSize;
    });
    return this.#waiting.splice(0, tooMany < 0 ? this.#waiting.length : tooMany);
  }

  /**
   * Goes on in the other file, as soon as that is free, and settles what this one tells of.
   * @throws ERR_DISK, ERR_NO_SPACE, ERR_STORE_READONLY: the other one is not free yet.
   */
  async #turnOver(): Promise<void> {
    this.#isDue = false;
    await this.#settling;
    // What failed is tried once more.
    await this.#clearFull();
    if (this.#active.end === JOURNAL_PAGE_SIZE) return;
    this.#full = this.#active;
    this.#active = this.#other;
    this.#other = this.#full;
    this.#active.begin(this.#full.epoch + 1);
    this.#settling = this.#clearFull().catch(() => this.#settleLater());
  }

  async #clearFull(): Promise<void> {
    if (this.#full === undefined) return;
    await this.#settle(this.#full);
    this.#full = undefined;
  }

  async #settle(file: JournalFile): Promise<void> {
    const { epoch } = file;
    await Promise.allSettled(this.#placing);
    const indexes = [...this.#unsettled.values()];
    const due = indexes.map((shares) => [...shares.values()].filter((share) => share.epoch <= epoch));
    const queue = [...due];
    const work = async (): Promise<void> => {
      for (let shares = queue.pop(); shares !== undefined; shares = queue.pop()) {
        const [first] = shares;
        const shareNumbers = shares.map(({ shareNumber }) => shareNumber);
        if (first !== undefined) await this.#options.settle(first.storageIndex, shareNumbers);
      }
    };
    // All have ended when one has failed: none is left with a file open.
    for (const result of await Promise.allSettled(Array.from({ length: SETTLING_COUNT }, work))) {
      if (result.status === 'rejected') throw result.reason;
    }
    await file.clear(epoch);
    // Not before: as long as the file tells of them, whoever changes them in another way has to release them.
    for (const share of due.flat()) this.#forget(share);
  }

  /** Unless it was recorded again meanwhile. */
  #forget(share: UnsettledShare): void {
    const index = formatBase32(share.storageIndex);
    const shares = this.#unsettled.get(index);
    if (shares?.get(share.shareNumber) !== share) return;
    shares.delete(share.shareNumber);
    if (shares.size > 0) return;
    this.#unsettled.delete(index);
    this.#failed.delete(index);
  }

  #settleLater(): void {
    if (this.#isClosed) return;
    this.#cancelTimer ??= this.#options.clock?.schedule(SETTLING_DELAY_MS, () => {
      this.#cancelTimer = undefined;
      this.#isDue = true;
      this.#start();
    });
  }

  /** Settles everything that was recorded. What fails stays recorded, for the next start. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer?.();
    await this.#turnOver().catch(() => undefined);
    await this.#settling;
    await Promise.allSettled([this.#active.close(), this.#other.close()]);
  }
}
