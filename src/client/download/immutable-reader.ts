/**
 * Reads an immutable file: any range of its plaintext, every byte of it proven against the capability. With a
 * capability that only verifies, the range is of its ciphertext, which is what a repair needs.
 *
 * Segments are fetched a little ahead of whoever reads, so that the network works while the reader does; how
 * far ahead is bounded in bytes, and nothing is fetched that the range does not need.
 * @see Tahoe-LAFS docs/specifications/file-encoding.rst
 */
import { setMaxListeners } from 'node:events';
import { verifyChk } from '#core/capability/attenuate.js';
import type { ChkReadCapability, ChkVerifyCapability } from '#core/capability/types.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log } from '#core/environment.js';
import { createErasureCodec } from '#core/erasure/codec.js';
import type { ErasureCodec } from '#core/erasure/codec.js';
import { TahoeError } from '#core/errors.js';
import { decodeCiphertext, decodeSegment } from '#core/immutable/decoder.js';
import { parametersOf } from '#core/immutable/parameters.js';
import type { FileParameters } from '#core/immutable/parameters.js';
import { decodeUeb } from '#core/immutable/ueb.js';
import type { Ueb } from '#core/immutable/ueb.js';
import { MerkleVerifier } from '#core/merkle.js';
import type { ByteRange } from '#wire/storage.js';
import type { StorageServer } from '../storage-server.js';
import { ReadAhead } from './read-ahead.js';
import { ShareRace } from './share-race.js';
import { segmentsOf, SpanCut } from './spans.js';
import type { Span } from './spans.js';

/** How many bytes of segments are fetched ahead of a reader that is fast; at least two spans are. */
const READ_AHEAD_SIZE = 8_388_608;
/** A segment must fit in memory a few times over; writers use 1 MiB. In bytes. */
const SEGMENT_SIZE_MAX = 67_108_864;

/** What a segment leaves behind, by its size: as it came from the network, in blocks, and as plaintext. */
const ARRAYS_PER_SEGMENT = 3;

/** What a reader is made of. */
export interface DownloadContext {
  readonly crypto: CryptoProvider;
  readonly clock: Clock;
  readonly log: Log;
  /** Connected servers in permuted order. */
  serversFor(storageIndex: Uint8Array): readonly StorageServer[];
  /** Told how many bytes of new arrays are garbage soon. */
  readonly discarded?: (sizeBytes: number) => void;
}

/** What there is to choose of reading. */
export interface ReadOptions {
  /** How many bytes of segments may be fetched ahead of the reader; at least two spans are. */
  readonly readAheadSize?: number;
}

/** How a file was cut and coded, proven. */
export interface FileEncoding {
  readonly file: FileParameters;
  /** The URI extension block that all of its shares carry. */
  readonly uebBytes: Uint8Array;
}

interface OpenFile extends FileEncoding {
  readonly ueb: Ueb;
  readonly codec: ErasureCodec;
  readonly crypttextTree: MerkleVerifier;
}

/** An immutable file that can be read. It must be closed. */
export class ImmutableReader {
  readonly #context: DownloadContext;
  readonly #capability: ChkReadCapability | ChkVerifyCapability;
  readonly #readAheadSize: number;
  readonly #closed = new AbortController();
  readonly #race: ShareRace;
  #open: Promise<OpenFile> | undefined;

  /** @throws ERR_NO_SERVERS when no server is connected. */
  constructor(
    context: DownloadContext,
    capability: ChkReadCapability | ChkVerifyCapability,
    { readAheadSize = READ_AHEAD_SIZE }: ReadOptions = {},
  ) {
    const { storageIndex } = capability.kind === 'chk' ? verifyChk(context.crypto, capability) : capability;
    const servers = context.serversFor(storageIndex);
    if (servers.length === 0) throw new TahoeError('ERR_NO_SERVERS', { reason: 'none is connected' });
    this.#context = context;
    this.#capability = capability;
    this.#readAheadSize = readAheadSize;
    setMaxListeners(0, this.#closed.signal);
    this.#race = new ShareRace({ ...context, servers, capability, storageIndex, closed: this.#closed.signal });
  }

  /** The file's size in bytes, as the capability says. */
  get size(): number {
    return this.#capability.size;
  }

  /**
   * The plaintext of `range` (or its ciphertext), in order, in pieces. Ends early when the signal says so.
   * @param range - within the file; `end` is not included.
   * @throws ERR_NO_SHARES, ERR_NOT_ENOUGH_SHARES, ERR_CANCELLED; ERR_UEB or ERR_HASH when the file was encoded
   *   inconsistently.
   */
  async *read(range: ByteRange, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    if (range.begin >= range.end) return;
    const stopped = new AbortController();
    const either = AbortSignal.any([signal, stopped.signal, this.#closed.signal]);
    setMaxListeners(0, either); // every segment that is fetched listens
    try {
      const { file } = await this.#opened(either);
      const first = Math.floor(range.begin / file.segmentSize);
      const last = Math.floor((range.end - 1) / file.segmentSize);
      const cut = new SpanCut({ first, last }, file.segmentSize);
      const ahead = new ReadAhead(cut.countIn(this.#readAheadSize), (index) => this.#span(cut.at(index), either));
      let offset = first * file.segmentSize;
      for await (const pieces of ahead.read(0, cut.count - 1)) {
        yield* clip(pieces, offset, range);
        offset += sizeOf(pieces);
        // To a fast reader V8's own pace costs the least time, to a slow one the most memory.
        if (ahead.isAhead) this.#context.discarded?.(ARRAYS_PER_SEGMENT * sizeOf(pieces));
      }
    } finally {
      stopped.abort();
    }
  }

  /** Makes sure that the file can be read at all: its URI extension is there and proven. */
  async open(signal: AbortSignal): Promise<FileEncoding> {
    const { file, uebBytes } = await this.#opened(signal);
    return { file, uebBytes };
  }

  close(): void {
    this.#closed.abort();
  }

  async #span(span: Span, signal: AbortSignal): Promise<Uint8Array[]> {
    const { file, ueb, codec, crypttextTree } = await this.#opened(signal);
    const segments = segmentsOf(span);
    const [answers, segmentHashes] = await Promise.all([
      this.#race.collect(file.needed, (reader, ended) => reader.blocks(file, ueb, span, ended), signal),
      Promise.all(segments.map((segment) => this.#segmentHash(crypttextTree, segment, signal))),
    ]);
    const { crypto } = this.#context;
    const capability = this.#capability;
    return segmentHashes.flatMap((segmentHash, i) => {
      const blocks = answers.map(({ shareNumber, value }) => ({ shareNumber, block: value[i] ?? new Uint8Array(0) }));
      const proven = { number: span.first + i, segmentHash };
      return capability.kind === 'chk'
        ? decodeSegment(crypto, codec, file, { ...proven, readKey: capability.readKey }, blocks)
        : decodeCiphertext(crypto, codec, file, proven, blocks);
    });
  }

  async #segmentHash(tree: MerkleVerifier, segment: number, signal: AbortSignal): Promise<Uint8Array> {
    const known = tree.leafHash(segment);
    if (known !== undefined) return known;
    const [answer] = await this.#race.collect(
      1,
      async (reader) => {
        await reader.proveSegmentHash(tree, segment);
        return tree.leafHash(segment);
      },
      signal,
    );
    if (answer?.value === undefined) throw new TahoeError('ERR_HASH', { what: 'the crypttext hash tree' });
    return answer.value;
  }

  async #opened(signal: AbortSignal): Promise<OpenFile> {
    const opening = this.#open ?? this.#openFile(signal);
    this.#open = opening;
    try {
      return await opening;
    } catch (error) {
      if (this.#open === opening) this.#open = undefined;
      throw error;
    }
  }

  async #openFile(signal: AbortSignal): Promise<OpenFile> {
    // One says what all share; as many as a segment needs are opened meanwhile.
    const { needed } = this.#capability;
    const [[answer], codec] = await Promise.all([
      this.#race.collect(1, (reader) => reader.uebBytes(), signal, needed),
      this.#makeCodec(),
    ]);
    if (answer === undefined) throw new RangeError('a collection of one has one answer');
    const uebBytes = answer.value;
    const ueb = decodeUeb(uebBytes);
    this.#checkUeb(ueb);
    const file = parametersOf(this.#capability, ueb.size, ueb.segmentSize);
    const crypttextTree = new MerkleVerifier(this.#context.crypto, file.segmentCount, ueb.crypttextRootHash);
    return { ueb, uebBytes, file, codec, crypttextTree };
  }

  /** When the servers have been asked: the first codec of a process takes about as long as their answers. */
  async #makeCodec(): Promise<ErasureCodec> {
    await new Promise((resolve) => setImmediate(resolve));
    return createErasureCodec(this.#capability.needed, this.#capability.total);
  }

  #checkUeb(ueb: Ueb): void {
    const { size, needed } = this.#capability;
    if (ueb.size !== size) throw new TahoeError('ERR_UEB', { reason: "its size is not the capability's" });
    if (ueb.segmentSize > SEGMENT_SIZE_MAX || ueb.segmentSize % needed !== 0) {
      throw new TahoeError('ERR_UEB', { reason: `segments of ${String(ueb.segmentSize)} bytes cannot be read here` });
    }
  }
}

/** What of a segment's pieces lies in the range. `offset` is where the first piece begins in the file. */
function* clip(pieces: readonly Uint8Array[], offset: number, range: ByteRange): Generator<Uint8Array> {
  let begin = offset;
  for (const piece of pieces) {
    const from = Math.max(range.begin - begin, 0);
    const to = Math.min(range.end - begin, piece.length);
    if (from < to) yield piece.subarray(from, to);
    begin += piece.length;
  }
}

function sizeOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}
