/**
 * Uploads one immutable file: plaintext in, capability out, with its shares spread over enough servers.
 *
 *   receive (hash, spool) → select servers → per segment: encrypt, code, hash, push to every share → trailers
 *
 * A share whose server fails or stalls is given up as long as the rest keeps the file happy; otherwise the whole
 * upload fails and everything reserved is given back. The capability is returned only when every remaining
 * server has called its share complete.
 * @see Tahoe-LAFS docs/specifications/file-encoding.rst, servers-of-happiness.rst
 */
import { literalCapability } from '#core/capability/types.js';
import type { ChkReadCapability, LiteralCapability } from '#core/capability/types.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log, Random } from '#core/environment.js';
import { reasonOf, TahoeError } from '#core/errors.js';
import { serversOfHappiness } from '#core/happiness.js';
import type { EncodedFile } from '#core/immutable/encoder.js';
import { encodeShareHeader, layoutOf } from '#core/immutable/layout.js';
import type { FileParameters } from '#core/immutable/parameters.js';
import { deriveImmutableStorageIndex } from '#core/derive.js';
import { leaseSecrets } from '#core/lease.js';
import type { StorageServer } from '../storage-server.js';
import { encodedSegments } from './file-encoder.js';
import type { FileEncoder, OpenEncoder } from './file-encoder.js';
import { receivePlaintext } from './plaintext.js';
import type { KeyedPlaintext, Spool } from './plaintext.js';
import { selectServers } from './selection.js';
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

/** How files are encoded here. */
export interface UploadEncoding {
  readonly needed: number;
  readonly happy: number;
  readonly total: number;
  /** In bytes. */
  readonly segmentSizeMax: number;
}

/** What an uploader is made of. */
export interface UploadContext {
  readonly crypto: CryptoProvider;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly encoding: UploadEncoding;
  /** 32 bytes; without it every upload gets a key of its own. */
  readonly convergenceSecret: Uint8Array | undefined;
  /** 32 bytes. */
  readonly leaseSecret: Uint8Array;
  /** Connected servers that take new shares, in permuted order. */
  serversFor(storageIndex: Uint8Array): readonly StorageServer[];
  openSpool(): Promise<Spool>;
  readonly openEncoder: OpenEncoder;
  /** Told how many bytes of new arrays are garbage now. */
  readonly discarded?: (sizeBytes: number) => void;
}

/** What became of a file. */
export interface UploadResult {
  readonly capability: ChkReadCapability | LiteralCapability;
  readonly sizeBytes: number;
  /** Server id → the share numbers it holds, old and new. */
  readonly holdings: ReadonlyMap<string, ReadonlySet<number>>;
  readonly pushedShares: number;
  readonly preexistingShares: number;
}

/** How far an upload is: bytes of plaintext that were encoded and handed to the servers' queues. */
export type UploadProgress = (encodedBytes: number, sizeBytes: number) => void;

/**
 * Uploads what `input` gives.
 * @throws ERR_NO_SERVERS, ERR_UNHAPPY, ERR_NO_SPACE of the spool, ERR_CANCELLED, and what `input` throws.
 */
export async function uploadFile(
  context: UploadContext,
  input: AsyncIterable<Uint8Array>,
  options: { readonly signal: AbortSignal; readonly progress?: UploadProgress },
): Promise<UploadResult> {
  const { encoding } = context;
  const plaintext = await receivePlaintext(input, { ...context, ...encoding, encoding });
  if (plaintext.kind === 'literal') return literalResult(plaintext.data);
  try {
    return await uploadPlaintext(context, plaintext, options);
  } finally {
    await plaintext.close();
  }
}

function literalResult(data: Uint8Array): UploadResult {
  const capability = literalCapability(data);
  return { capability, sizeBytes: data.length, holdings: new Map(), pushedShares: 0, preexistingShares: 0 };
}

async function uploadPlaintext(
  context: UploadContext,
  plaintext: KeyedPlaintext,
  options: { readonly signal: AbortSignal; readonly progress?: UploadProgress },
): Promise<UploadResult> {
  const { crypto, encoding } = context;
  const { file, readKey } = plaintext;
  const storageIndex = deriveImmutableStorageIndex(crypto, readKey);
  const selection = await selectServers({
    ...context,
    ...encoding,
    storageIndex,
    allocatedSize: layoutOf(file).allocatedSize,
    servers: context.serversFor(storageIndex),
    signal: options.signal,
    leaseSecrets: (server) => leaseSecrets(crypto, context.leaseSecret, storageIndex, server.tubId),
  });
  const upload = new Upload(context, storageIndex, selection, file);
  const encoder = context.openEncoder(file, readKey);
  try {
    const encoded = await upload.run(plaintext, encoder, options);
    return { capability: encoded.capability, sizeBytes: file.size, ...upload.outcome() };
  } finally {
    encoder.close();
  }
}

/** The shares of one file on their way, held together by its happiness. */
class Upload {
  readonly #context: UploadContext;
  readonly #selection: Selection;
  #writers: ShareWriter[];
  readonly #reasons: string[] = [];
  #wake: () => void = () => undefined;

  constructor(context: UploadContext, storageIndex: Uint8Array, selection: Selection, file: FileParameters) {
    this.#context = context;
    this.#selection = selection;
    const room = Math.floor(BUFFER_SIZE_MAX / Math.max(1, selection.reservations.length));
    const chunkSize = Math.max(CHUNK_SIZE_MIN, Math.min(CHUNK_SIZE_MAX, Math.floor(room / CHUNK_COUNT)));
    const shared = {
      storageIndex,
      shareSize: layoutOf(file).allocatedSize,
      pool: new ChunkPool(chunkSize),
      chunkCountMax: Math.max(2, Math.min(CHUNK_COUNT_MAX, Math.floor(room / chunkSize))),
      changed: () => {
        this.#wake();
      },
    };
    this.#writers = selection.reservations.map((reservation) => new ShareWriter({ ...shared, reservation }));
  }

  async run(
    plaintext: KeyedPlaintext,
    encoder: FileEncoder,
    { signal, progress }: { readonly signal: AbortSignal; readonly progress?: UploadProgress },
  ): Promise<EncodedFile> {
    const wake = (): void => {
      this.#wake();
    };
    signal.addEventListener('abort', wake);
    try {
      await this.#sendSegments(plaintext, encoder, signal, progress);
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

  outcome(): Pick<UploadResult, 'holdings' | 'pushedShares' | 'preexistingShares'> {
    const preexistingShares = [...this.#selection.existing.values()].reduce((count, shares) => count + shares.size, 0);
    return { holdings: this.#holdings(), pushedShares: this.#writers.length, preexistingShares };
  }

  async #sendSegments(
    plaintext: KeyedPlaintext,
    encoder: FileEncoder,
    signal: AbortSignal,
    progress?: UploadProgress,
  ): Promise<void> {
    const { file } = plaintext;
    const header = encodeShareHeader(file, layoutOf(file));
    for (const writer of this.#writers) writer.push(header);
    let end = 0;
    for await (const { blocks, release } of encodedSegments(plaintext, encoder)) {
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
        if (overdue && this.#isHappyWithout(late)) this.#drop(late, 'it kept the others waiting');
        else
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
    const reached = serversOfHappiness(this.#holdings());
    const { needed, happy, total } = this.#context.encoding;
    if (reached >= happy) return;
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
    return serversOfHappiness(this.#holdings(rest)) >= this.#context.encoding.happy;
  }

  #holdings(writers: readonly ShareWriter[] = this.#writers): Map<string, Set<number>> {
    const holdings = new Map([...this.#selection.existing].map(([id, shares]) => [id, new Set(shares)]));
    for (const { reservation } of writers) {
      const { serverId } = reservation.server;
      const shares = holdings.get(serverId) ?? new Set<number>();
      holdings.set(serverId, shares.add(reservation.shareNumber));
    }
    return holdings;
  }
}
