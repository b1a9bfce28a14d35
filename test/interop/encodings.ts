/** The encodings and sizes that files are exchanged in. */
import type { GridEncoding } from '#test/fixtures/grid-node-directory.js';

/** What both programs cut files into unless told otherwise. */
const SEGMENT_SIZE = 1_048_576;

/** needed-of-total. Happiness is what a grid's servers allow, so that the shares spread over all of them. */
export function encodingsFor(serverCount: number): readonly GridEncoding[] {
  return (
    [
      [1, 1],
      [2, 3],
      [3, 10],
      [7, 9],
      [16, 31],
    ] as const
  ).map(([needed, total]) => ({ needed, happy: Math.min(serverCount, total), total }));
}

/**
 * In bytes, the largest first since they take longest: many segments, a segment and a byte, a part of a segment, the
 * least that is no literal, and literals.
 */
export const sizes: readonly number[] = [20_000_000, SEGMENT_SIZE + 1, SEGMENT_SIZE / 8, 1000, 56, 55, 1, 0];

/** Such as `3-of-10`. */
export function nameOf({ needed, total }: GridEncoding): string {
  return `${String(needed)}-of-${String(total)}`;
}
