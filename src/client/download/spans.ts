/**
 * Segments that lie beside each other and are fetched together, with one request for their blocks to each share: older
 * files and mutable ones have small segments, and a request for each would cost more than its bytes.
 */

/** About how much of a file's contents a span holds, in bytes; one segment in any case. */
const SPAN_SIZE = 1 << 20;
/** How many segments a span has, and how many spans are fetched ahead, however small the file says that they are. */
const COUNT_MAX = 64;

/** Segments from `first` to `last`. */
export interface Span {
  readonly first: number;
  readonly last: number;
}

/** The segments of a read, cut into spans. */
export class SpanCut {
  readonly #segments: Span;
  readonly #segmentSize: number;
  readonly #length: number;

  /**
   * @param segmentSize - in bytes.
   * @param size - about so much of the contents is in a span, in bytes.
   */
  constructor(segments: Span, segmentSize: number, size = SPAN_SIZE) {
    this.#segments = segments;
    this.#segmentSize = segmentSize;
    this.#length = Math.min(COUNT_MAX, Math.max(1, Math.round(size / segmentSize)));
  }

  get count(): number {
    return Math.ceil((this.#segments.last + 1 - this.#segments.first) / this.#length);
  }

  /** How many spans `sizeBytes` of contents are, COUNT_MAX at most. */
  countIn(sizeBytes: number): number {
    return Math.min(COUNT_MAX, Math.round(sizeBytes / (this.#length * this.#segmentSize)));
  }

  at(index: number): Span {
    const first = this.#segments.first + index * this.#length;
    return { first, last: Math.min(this.#segments.last, first + this.#length - 1) };
  }
}

/** The numbers of its segments, in order. */
export function segmentsOf({ first, last }: Span): number[] {
  return Array.from({ length: last + 1 - first }, (_, i) => first + i);
}
