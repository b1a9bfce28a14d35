/**
 * What a gateway does and has done: transfers under way and the last that ended, with sums of all. It names files by their
 * storage index and never by a capability.
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "Status pages"
 */
import { formatBase32 } from '#core/base32.js';
import type { Clock } from '#core/environment.js';
import { reasonOf } from '#core/errors.js';

/** The kinds of transfer, each with the name it has in addresses. */
export const transferKinds = { upload: 'up', download: 'down', publish: 'publish', retrieve: 'retrieve' } as const;

/** One of them: up and down are immutable files, the others mutable ones. */
export type TransferKind = keyof typeof transferKinds;

/** How many that ended are remembered. */
const REMEMBERED_MAX: Readonly<Record<TransferKind, number>> = { upload: 10, download: 10, publish: 20, retrieve: 40 };

const countersOf: Readonly<Record<TransferKind, readonly [files: string, bytes: string]>> = {
  upload: ['uploader.files_uploaded', 'uploader.bytes_uploaded'],
  download: ['downloader.files_downloaded', 'downloader.bytes_downloaded'],
  publish: ['mutable.files_published', 'mutable.bytes_published'],
  retrieve: ['mutable.files_retrieved', 'mutable.bytes_retrieved'],
};

/** One transfer, as it is now. */
export class Transfer {
  readonly kind: TransferKind;
  /** Counted for each kind from 0. */
  readonly number: number;
  readonly startedMs: number;
  storageIndex: Uint8Array | undefined;
  /** Of the file; undefined as long as it is not known. */
  sizeBytes: number | undefined;
  movedBytes = 0;
  status = 'Working';
  isActive = true;

  constructor(kind: TransferKind, number: number, startedMs: number) {
    this.kind = kind;
    this.number = number;
    this.startedMs = startedMs;
  }

  /** Such as `up-3`. */
  get name(): string {
    return `${transferKinds[this.kind]}-${String(this.number)}`;
  }

  /** From 0 to 1. */
  get progress(): number {
    if (!this.isActive && this.status === 'Finished') return 1;
    return this.sizeBytes === undefined || this.sizeBytes === 0 ? 0 : Math.min(1, this.movedBytes / this.sizeBytes);
  }

  /** Base32; null where there is none. */
  get storageIndexText(): string | null {
    return this.storageIndex === undefined ? null : formatBase32(this.storageIndex);
  }
}

/** All transfers of one gateway. */
export class History {
  readonly #clock: Clock;
  readonly #active = new Set<Transfer>();
  readonly #ended: Record<TransferKind, Transfer[]> = { upload: [], download: [], publish: [], retrieve: [] };
  readonly #begun: Record<TransferKind, number> = { upload: 0, download: 0, publish: 0, retrieve: 0 };
  readonly #counters = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Runs a transfer, and tells of it. */
  async during<Result>(
    kind: TransferKind,
    known: Partial<Pick<Transfer, 'storageIndex' | 'sizeBytes'>>,
    action: (transfer: Transfer) => Promise<Result>,
  ): Promise<Result> {
    const transfer = this.begin(kind, known);
    try {
      const result = await action(transfer);
      this.end(transfer);
      return result;
    } catch (error) {
      this.end(transfer, error);
      throw error;
    }
  }

  /** Begins one that `end` is to end. */
  begin(kind: TransferKind, known: Partial<Pick<Transfer, 'storageIndex' | 'sizeBytes'>>): Transfer {
    const transfer = new Transfer(kind, this.#begun[kind]++, this.#clock.nowMs());
    transfer.storageIndex = known.storageIndex;
    transfer.sizeBytes = known.sizeBytes;
    this.#active.add(transfer);
    return transfer;
  }

  /** Once; later calls do nothing. */
  end(transfer: Transfer, error?: unknown): void {
    if (!this.#active.delete(transfer)) return;
    transfer.isActive = false;
    transfer.status = error === undefined ? 'Finished' : `Failed: ${reasonOf(error)}`;
    const ended = this.#ended[transfer.kind];
    ended.push(transfer);
    if (ended.length > REMEMBERED_MAX[transfer.kind]) ended.shift();
    if (error !== undefined) return;
    const [files, bytes] = countersOf[transfer.kind];
    this.#count(files, 1);
    this.#count(bytes, transfer.movedBytes);
  }

  /** The newest first. */
  active(): Transfer[] {
    return newestFirst([...this.#active]);
  }

  /** The newest first. */
  recent(): Transfer[] {
    return newestFirst(Object.values(this.#ended).flat());
  }

  /** By its name; undefined when it is not known any more. */
  find(name: string): Transfer | undefined {
    return [...this.active(), ...this.recent()].find((transfer) => transfer.name === name);
  }

  /** Sums since the start, by the names that they have in the reference. */
  counters(): Record<string, number> {
    return Object.fromEntries(this.#counters);
  }

  #count(name: string, amount: number): void {
    this.#counters.set(name, (this.#counters.get(name) ?? 0) + amount);
  }
}

function newestFirst(transfers: Transfer[]): Transfer[] {
  return transfers.sort((a, b) => b.startedMs - a.startedMs || b.number - a.number);
}
