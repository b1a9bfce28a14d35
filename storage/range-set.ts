/**
 * Which bytes of an upload have been written, and which are being written now. Pure.
 *
 * A set of ranges is kept sorted and merged: ranges that touch become one. Claims make writes to the same bytes
 * take turns, while writes elsewhere go on side by side.
 */
import type { ByteRange } from '#wire/storage.js';

/** A part of a range, and whether the set holds it. */
export interface RangePart extends ByteRange {
  readonly held: boolean;
}

/** A growing set of byte ranges. */
export class RangeSet {
  #ranges: readonly ByteRange[] = [];
  #size = 0;

  /** The ranges in order, as they are now. */
  get ranges(): readonly ByteRange[] {
    return this.#ranges;
  }

  /** How many separate ranges there are. */
  get count(): number {
    return this.#ranges.length;
  }

  /** How many bytes the set holds. */
  get size(): number {
    return this.#size;
  }

  /** Adds `range`. @returns by how many bytes the set grew. */
  add(range: ByteRange): number {
    const apart = this.#ranges.filter((held) => held.end < range.begin || held.begin > range.end);
    const touching = this.#ranges.filter((held) => held.end >= range.begin && held.begin <= range.end);
    const merged = {
      begin: Math.min(range.begin, ...touching.map((held) => held.begin)),
      end: Math.max(range.end, ...touching.map((held) => held.end)),
    };
    const grown = merged.end - merged.begin - sizeOf(touching);
    this.#ranges = [...apart, merged].sort((a, b) => a.begin - b.begin);
    this.#size += grown;
    return grown;
  }

  /** Whether adding `range` would make no range more. */
  touches(range: ByteRange): boolean {
    return this.#ranges.some((held) => held.end >= range.begin && held.begin <= range.end);
  }

  /** Cuts `range` into parts that the set holds and parts that it does not, in order. */
  divide(range: ByteRange): RangePart[] {
    const parts: RangePart[] = [];
    let begin = range.begin;
    for (const held of this.#ranges) {
      if (held.end <= begin) continue;
      if (held.begin >= range.end) break;
      if (held.begin > begin) parts.push({ begin, end: held.begin, held: false });
      const end = Math.min(held.end, range.end);
      parts.push({ begin: Math.max(held.begin, begin), end, held: true });
      begin = end;
    }
    if (begin < range.end) parts.push({ begin, end: range.end, held: false });
    return parts;
  }

  /** The parts of 0 … `size` that are not held. */
  missing(size: number): ByteRange[] {
    return this.divide({ begin: 0, end: size })
      .filter((part) => !part.held)
      .map(({ begin, end }) => ({ begin, end }));
  }
}

function sizeOf(ranges: readonly ByteRange[]): number {
  return ranges.reduce((size, range) => size + range.end - range.begin, 0);
}

/** A range that somebody is busy with. */
interface Claim extends ByteRange {
  readonly released: Promise<void>;
}

/** Turns for ranges that overlap. */
export class RangeClaims {
  readonly #claims = new Set<Claim>();

  /**
   * Waits until nobody holds a byte of `range`, then holds it.
   * @param wait - waits for the holder in front; it may give up by throwing.
   * @returns what lets go.
   */
  async take(range: ByteRange, wait: (holder: Promise<void>) => Promise<void>): Promise<() => void> {
    for (let holder = this.#holderOf(range); holder !== undefined; holder = this.#holderOf(range)) {
      await wait(holder.released);
    }
    let release: () => void = () => undefined;
    const claim: Claim = {
      ...range,
      released: new Promise((resolve) => {
        release = resolve;
      }),
    };
    this.#claims.add(claim);
    return () => {
      this.#claims.delete(claim);
      release();
    };
  }

  #holderOf(range: ByteRange): Claim | undefined {
    for (const claim of this.#claims) if (claim.begin < range.end && claim.end > range.begin) return claim;
    return undefined;
  }
}
