/**
 * Immutable files that were read a moment ago, still open: another range of one costs its blocks and nothing besides.
 *
 * All who read a file at a time share one reader, as long as the same servers are connected and nobody's read of it has
 * failed. A small file is not kept: it comes in one piece, and whoever reads it again is to learn whether it is there.
 */
import { verifyChk } from '#core/capability/attenuate.js';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import type { ChkReadCapability } from '#core/capability/types.js';
import type { ByteRange } from '#wire/storage.js';
import type { StorageServer } from '../storage-server.js';
import { ImmutableReader } from './immutable-reader.js';
import type { DownloadContext, ReadOptions } from './immutable-reader.js';

/** How many files are kept that nobody reads; the one read longest ago is let go first. */
export const KEPT_COUNT_MAX = 8;
/** How long such a file may be used again, in milliseconds. */
export const KEPT_MS = 60_000;
/** The files that are kept, by their size in bytes: of the largest, some megabytes of hashes are in memory. */
export const KEPT_SIZE_MIN = 2 ** 20;
/** @see KEPT_SIZE_MIN */
export const KEPT_SIZE_MAX = 2 ** 30;

/** A file as one who reads it has it. Whoever opened it closes it. */
export type OpenFile = Pick<ImmutableReader, 'size' | 'read' | 'close'>;

interface SharedReader {
  readonly name: string;
  readonly reader: ImmutableReader;
  readonly servers: readonly StorageServer[];
  userCount: number;
  lastUsedMs: number;
}

/** The open files of one user. */
export class OpenFiles {
  readonly #context: DownloadContext;
  /** Those that may be used again, the one used longest ago first. */
  readonly #shared = new Map<string, SharedReader>();

  constructor(context: DownloadContext) {
    this.#context = context;
  }

  /** @throws ERR_NO_SERVERS when no server is connected; what the look for servers throws. */
  open(capability: ChkReadCapability, options: ReadOptions = {}): OpenFile {
    const servers = this.#context.serversFor(verifyChk(this.#context.crypto, capability).storageIndex);
    const context = { ...this.#context, serversFor: () => servers };
    if (capability.size <= KEPT_SIZE_MIN || capability.size > KEPT_SIZE_MAX) {
      return new ImmutableReader(context, capability, options);
    }
    const name = `${dangerouslyFormatCapability(capability)} ${String(options.readAheadSize)}`;
    this.#letGoOld();
    const before = this.#shared.get(name);
    const shared =
      before !== undefined && isSame(before.servers, servers)
        ? before
        : { name, reader: new ImmutableReader(context, capability, options), servers, userCount: 0, lastUsedMs: 0 };
    if (before !== undefined && before !== shared) this.#giveUp(before);
    shared.userCount += 1;
    this.#touch(shared);
    return this.#use(shared);
  }

  #use(shared: SharedReader): OpenFile {
    const closing = new AbortController();
    return {
      size: shared.reader.size,
      read: (range, signal) => this.#read(shared, range, AbortSignal.any([signal, closing.signal])),
      close: () => {
        if (closing.signal.aborted) return;
        closing.abort();
        shared.userCount -= 1;
        if (this.#shared.get(shared.name) === shared) this.#touch(shared);
        else if (shared.userCount === 0) shared.reader.close();
        this.#letGoOld();
      },
    };
  }

  async *#read(shared: SharedReader, range: ByteRange, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    try {
      yield* shared.reader.read(range, signal);
    } catch (error) {
      if (!signal.aborted) this.#giveUp(shared);
      throw error;
    }
  }

  #touch(shared: SharedReader): void {
    shared.lastUsedMs = this.#context.clock.monotonicMs();
    this.#shared.delete(shared.name);
    this.#shared.set(shared.name, shared);
  }

  /** Nobody else gets it. */
  #giveUp(shared: SharedReader): void {
    if (this.#shared.get(shared.name) === shared) this.#shared.delete(shared.name);
    if (shared.userCount === 0) shared.reader.close();
  }

  #letGoOld(): void {
    const idle = [...this.#shared.values()].filter(({ userCount }) => userCount === 0);
    const earliestMs = this.#context.clock.monotonicMs() - KEPT_MS;
    const surplus = idle.length - KEPT_COUNT_MAX;
    for (const [i, shared] of idle.entries()) if (i < surplus || shared.lastUsedMs < earliestMs) this.#giveUp(shared);
  }
}

function isSame(some: readonly StorageServer[], others: readonly StorageServer[]): boolean {
  return some.length === others.length && some.every((server, i) => server === others[i]);
}
