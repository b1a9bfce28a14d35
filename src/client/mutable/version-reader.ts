/**
 * Reads one version of a mutable file: any range of its contents, every block of them proven against the signature.
 *
 * Only the segments that a range touches are fetched, a few ahead of whoever reads.
 * @see Tahoe-LAFS docs/specifications/mutable.rst
 */
import { setMaxListeners } from 'node:events';
import { concat } from '#core/bytes.js';
import { createErasureCodec } from '#core/erasure/codec.js';
import { TahoeError } from '#core/errors.js';
import { blockSizeOf } from '#core/immutable/parameters.js';
import type { FileParameters } from '#core/immutable/parameters.js';
import { decodeMutableSegmentSteps, STEP_SIZE } from '#core/mutable/segments.js';
import type { SegmentContext } from '#core/mutable/segments.js';
import { mutableParameters, nameVersion } from '#core/mutable/version.js';
import type { MutableVersion } from '#core/mutable/version.js';
import type { ByteRange } from '#wire/storage.js';
import { ReadAhead } from '../download/read-ahead.js';
import { segmentsOf, SpanCut } from '../download/spans.js';
import type { Span } from '../download/spans.js';
import { BlockRace } from './block-race.js';
import type { MutableContext } from './mutable-context.js';
import type { FoundVersion, Servermap } from './servermap.js';
import type { MutableShareReader } from './share-reader.js';
import { Turns } from './take-steps.js';

/** How many bytes of segments are fetched ahead of a reader that is fast; at least two spans are. */
const READ_AHEAD_SIZE = 2_097_152;
/** How much is fetched with one request to each share, in bytes of contents. */
const SPAN_SIZE = 524_288;

/** What is read, and with which key. */
export interface VersionReaderOptions {
  readonly context: Pick<MutableContext, 'crypto' | 'clock' | 'log'>;
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  /** 16 bytes. */
  readonly readKey: Uint8Array;
  readonly found: FoundVersion;
  readonly map: Servermap;
  /** Called once, when the first segment was read (an empty file: at once): the version is there and whole enough. */
  readonly proven: () => Promise<void>;
  /** Adds to the map what servers hold that were not asked. */
  readonly searchFurther: (signal: AbortSignal) => Promise<void>;
}

/** A version that can be read. */
export class VersionReader {
  readonly version: MutableVersion;
  readonly #file: FileParameters;
  readonly #race: BlockRace;
  readonly #segments: SegmentContext;
  readonly #proven: () => Promise<void>;
  readonly #turns = new Turns();
  #isProven = false;

  constructor(options: VersionReaderOptions) {
    const { context, found, map, proven, readKey, storageIndex } = options;
    const { version, shares } = found;
    this.version = version;
    this.#proven = proven;
    this.#file = mutableParameters(version);
    const searchFurther = async (signal: AbortSignal): Promise<readonly MutableShareReader[]> => {
      await options.searchFurther(signal);
      return map.shares.filter(
        (share) => !shares.includes(share) && nameVersion(share.header) === nameVersion(version),
      );
    };
    this.#race = new BlockRace({ ...context, storageIndex, shares, map, searchFurther, needed: version.needed });
    const codec = createErasureCodec(version.needed, version.total);
    this.#segments = { crypto: context.crypto, codec, format: version.format, file: this.#file, readKey };
  }

  /** The size of the contents, in bytes. */
  get size(): number {
    return this.version.dataSize;
  }

  /** Whether the version was overwritten while it was read. */
  get hasMoved(): boolean {
    return this.#race.hasMoved;
  }

  /**
   * The contents of `range`, in order, in pieces.
   * @param range - what lies behind the end is left out; `end` is not included.
   * @throws ERR_NOT_ENOUGH_SHARES, ERR_CANCELLED; ERR_HASH when the version was written inconsistently.
   */
  async *read(range: ByteRange, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const end = Math.min(range.end, this.size);
    if (this.size === 0) await this.#prove();
    if (range.begin >= end) return;
    const stopped = new AbortController();
    const either = AbortSignal.any([signal, stopped.signal]);
    setMaxListeners(0, either);
    const { segmentSize } = this.#file;
    try {
      const first = Math.floor(range.begin / segmentSize);
      const last = Math.floor((end - 1) / segmentSize);
      const cut = new SpanCut({ first, last }, segmentSize, SPAN_SIZE);
      const ahead = new ReadAhead(cut.countIn(READ_AHEAD_SIZE), (index) => this.#span(cut.at(index), either));
      let offset = first * segmentSize;
      for await (const segments of ahead.read(0, cut.count - 1)) {
        await this.#prove();
        for (const plaintext of segments) {
          yield plaintext.subarray(Math.max(0, range.begin - offset), end - offset);
          offset += segmentSize;
        }
      }
    } finally {
      stopped.abort();
    }
  }

  /** The same in one array. @throws as `read`. */
  async bytes(range: ByteRange, signal: AbortSignal): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for await (const part of this.read(range, signal)) parts.push(part);
    return concat(...parts);
  }

  async #span(span: Span, signal: AbortSignal): Promise<Uint8Array[]> {
    const { needed, salt } = this.version;
    const segments = segmentsOf(span);
    const size = segments.reduce((sum, segment) => sum + blockSizeOf(this.#file, segment), 0);
    const answers = await this.#race.collect(needed, size, (share, ended) => share.records(span, ended), signal);
    const contents: Uint8Array[] = [];
    for (const [i, segment] of segments.entries()) {
      const records = answers.map(({ share, value }) => ({
        shareNumber: share.shareNumber,
        record: value[i] ?? new Uint8Array(0),
      }));
      const steps = decodeMutableSegmentSteps(this.#segments, segment, records, salt);
      contents.push(await this.#turns.take(steps, Math.min(STEP_SIZE, this.#file.segmentSize)));
    }
    return contents;
  }

  async #prove(): Promise<void> {
    if (this.#isProven) return;
    this.#isProven = true;
    await this.#proven();
  }
}

/** @throws ERR_TOO_LARGE when contents of that size are not kept in memory here. */
export function checkContentsSize(sizeBytes: number): void {
  if (sizeBytes <= CONTENTS_SIZE_MAX) return;
  throw new TahoeError('ERR_TOO_LARGE', { what: 'mutable file', limitBytes: CONTENTS_SIZE_MAX });
}

/** The largest contents that are written, or read as a whole, in bytes: their shares are made in memory. */
export const CONTENTS_SIZE_MAX = 536_870_912;
