/**
 * The shares of one file on their way to their servers, held together by the file's happiness.
 *
 * Every segment is pushed to every share; the next waits until each has room. A share whose server fails or stalls is
 * given up as long as the rest keeps the file happy; otherwise all are given up and what was reserved is given back.
 * @see Tahoe-LAFS docs/specifications/servers-of-happiness.rst
 */
import type { Clock, Log } from '#core/environment.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import { serversOfHappiness } from '#core/happiness.js';
import type { EncodedShares } from '#core/immutable/encoder.js';
import { encodeShareHeader } from '#core/immutable/layout.js';
import type { WrittenShareLayout } from '#core/immutable/layout.js';
import { encodedSegments } from './file-encoder.js';
import type { FileEncoder, SegmentSource } from './file-encoder.js';
import type { Selection } from './selection.js';
import { ChunkPool } from './share-queue.js';
import { ShareWriter } from './share-writer.js';

/** What all shares of one upload may hold in memory together, in bytes. */
const BUFFER_SIZE_MAX = 16_777_216;
/** How much of one share is written to its connection at once, in bytes. */
const CHUNK_SIZE_MAX = 262_144;
const CHUNK_SIZE_MIN = 16_384;
/** How many chunks one share holds at least where memory allows: half of them make a request to most servers. */
const CHUNK_COUNT = 8;
/** So many are as good as more: a request of half of them is large enough. */
const CHUNK_COUNT_MAX = 16;
/** A share that keeps all others waiting for so long is given up, if the file stays happy without it. */
const STRAGGLER_TIMEOUT_MS = 15_000;
/** How many servers' reasons a failure names. */
const REASONS_MAX = 5;

/** How far an upload is: bytes of the file that were encoded and handed to the servers' queues. */
export type UploadProgress = (encodedBytes: number, sizeBytes: number) => void;

/** Where a file's shares are. */
export interface ShareOutcome {
  /** Server id → the share numbers it holds, old and new. */
  readonly holdings: ReadonlyMap<string, ReadonlySet<number>>;
  readonly pushedShares: number;
  readonly preexistingShares: number;
}

/** Which shares go where. */
export interface SharePlan {
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  readonly selection: Selection;
  readonly layout: WrittenShareLayout;
  readonly needed: number;
  /** Over how many servers the file must stay spread; 0 for as many as can be had. */
  readonly happy: number;
  readonly total: number;
}

/** The shares on their way. `run` is called once. */
export class ShareUpload {
  readonly #context: { readonly clock: Clock; readonly log: Log };
  readonly #plan: SharePlan;
  #writers: ShareWriter[];
  readonly #reasons: string[] = [];
  #wake: () => void = () => undefined;

  constructor(context: { readonly clock: Clock; readonly log: Log }, plan: SharePlan) {
    const { storageIndex, selection, layout } = plan;
    this.#context = context;
    this.#plan = plan;
    const room = Math.floor(BUFFER_SIZE_MAX / Math.max(1, selection.reservations.length));
    const chunkSize = Math.max(CHUNK_SIZE_MIN, Math.min(CHUNK_SIZE_MAX, Math.floor(room / CHUNK_COUNT)));
    const shared = {
      storageIndex,
      shareSize: layout.allocatedSize,
      pool: new ChunkPool(chunkSize),
      chunkCountMax: Math.max(2, Math.min(CHUNK_COUNT_MAX, Math.floor(room / chunkSize))),
      changed: () => {
        this.#wake();
      },
    };
    this.#writers = selection.reservations.map((reservation) => new ShareWriter({ ...shared, reservation }));
  }

  /**
   * Encodes what `source` gives and sends it.
   * @returns what the encoder ends with, when every share that is left is safe.
   * @throws ERR_UNHAPPY, ERR_CANCELLED, and what `source` and `encoder` throw; then every share is given up.
   */
  async run<Encoded extends EncodedShares>(
    source: SegmentSource,
    encoder: FileEncoder<Encoded>,
    { signal, progress }: { readonly signal: AbortSignal; readonly progress?: UploadProgress },
  ): Promise<Encoded> {
    const wake = (): void => {
      this.#wake();
    };
    signal.addEventListener('abort', wake);
    try {
      await this.#sendSegments(source, encoder, signal, progress);
      const encoded = await encoder.finish();
      for (const writer of this.#writers) {
        writer.push(encoded.trailers[writer.reservation.shareNumber] ?? new Uint8Array(0));
      }
      await this.#waitFor((writer) => writer.complete, signal);
      return encoded;
    } catch (error) {
      await this.#abandonAll();
      throw error;
    } finally {
      signal.removeEventListener('abort', wake);
    }
  }

  /** Where the file's shares are now, as far as is known. */
  outcome(): ShareOutcome {
    const { existing, storedCount } = this.#plan.selection;
    const existingCount = [...existing.values()].reduce((count, shares) => count + shares.size, 0);
    return {
      holdings: this.#holdings(),
      pushedShares: this.#writers.length + storedCount,
      preexistingShares: existingCount - storedCount,
    };
  }

  async #sendSegments(
    source: SegmentSource,
    encoder: FileEncoder<EncodedShares>,
    signal: AbortSignal,
    progress?: UploadProgress,
  ): Promise<void> {
    const { file } = source;
    const header = encodeShareHeader(file, this.#plan.layout);
    for (const writer of this.#writers) writer.push(header);
    let end = 0;
    for await (const { blocks, release } of encodedSegments(source, encoder)) {
      await this.#waitFor((writer) => writer.hasRoom, signal);
      for (const writer of this.#writers) writer.push(blocks[writer.reservation.shareNumber] ?? new Uint8Array(0));
      release();
      end = Math.min(file.size, end + file.segmentSize);
      progress?.(end, file.size);
    }
  }

  /** Waits until every share still in the race fulfils `condition`; drops those that fail or hold up the rest. */
  async #waitFor(condition: (writer: ShareWriter) => boolean, signal: AbortSignal): Promise<void> {
    let overdue = false as boolean;
    const cancelTimer = this.#context.clock.schedule(STRAGGLER_TIMEOUT_MS, () => {
      overdue = true;
      this.#wake();
    });
    try {
      for (;;) {
        if (signal.aborted) throw new TahoeError('ERR_CANCELLED', { what: 'the upload' }, { cause: signal.reason });
        this.#dropFailed();
        const late = this.#writers.filter((writer) => !condition(writer));
        if (late.length === 0) return;
        if (overdue && this.#isHappyWithout(late)) {
          this.#drop(late, 'it kept the others waiting');
          this.#checkHappiness();
        } else
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
      }
    } finally {
      cancelTimer();
    }
  }

  #dropFailed(): void {
    const failed = this.#writers.filter((writer) => writer.failure !== undefined);
    if (failed.length === 0) return;
    this.#drop(failed, 'it failed');
    this.#checkHappiness();
  }

  /** With no happiness asked for, what is sent is all there is to gain: when nothing is, that is the end. */
  #checkHappiness(): void {
    const reached = serversOfHappiness(this.#holdings());
    const { needed, happy, total } = this.#plan;
    if (happy === 0 ? this.#writers.length > 0 : reached >= happy) return;
    const detail = this.#reasons.slice(0, REASONS_MAX).join('; ');
    throw new TahoeError('ERR_UNHAPPY', { happy, reached, needed, total, detail });
  }

  #drop(writers: readonly ShareWriter[], reason: string): void {
    this.#writers = this.#writers.filter((writer) => !writers.includes(writer));
    for (const writer of writers) {
      const server = writer.reservation.server.shortName;
      const why = writer.failure === undefined ? reason : reasonOf(writer.failure);
      this.#reasons.push(`${server}: ${why}`);
      this.#context.log.warn('share given up', { server, shareNumber: writer.reservation.shareNumber, reason: why });
      void writer.abandon(reason);
    }
  }

  async #abandonAll(): Promise<void> {
    const writers = this.#writers;
    this.#writers = [];
    await Promise.all(writers.map((writer) => writer.abandon('the upload failed')));
  }

  #isHappyWithout(late: readonly ShareWriter[]): boolean {
    const rest = this.#writers.filter((writer) => !late.includes(writer));
    return serversOfHappiness(this.#holdings(rest)) >= this.#plan.happy;
  }

  #holdings(writers: readonly ShareWriter[] = this.#writers): Map<string, Set<number>> {
    const holdings = new Map([...this.#plan.selection.existing].map(([id, shares]) => [id, new Set(shares)]));
    for (const { reservation } of writers) {
      const { serverId } = reservation.server;
      const shares = holdings.get(serverId) ?? new Set<number>();
      holdings.set(serverId, shares.add(reservation.shareNumber));
    }
    return holdings;
  }
}
