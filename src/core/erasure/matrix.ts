/**
 * zfec's matrices. Share number i stands for a point of GF(2^8): 0 for share 0, then 1, 2, 4, 8, … (2^(i−1)).
 * At each byte position the blocks of all shares are the values of one polynomial of degree < needed.
 *
 * zfec writes the Vandermonde matrix of these points and multiplies it by the inverse of its top needed × needed
 * square, so that the first shares are the data itself. Row i of that product holds the Lagrange coefficients that
 * give the value at point i from the values at the first `needed` points, and these have a closed form. Decoding is
 * the same question with other known points. So one function serves both, and no matrix is ever inverted.
 * @see Tahoe-LAFS docs/specifications/file-encoding.rst; L. Rizzo, "Effective erasure codes" (1997)
 */
import { exponentiate, logarithm } from './field.js';

/** The most shares the field has points for. */
export const maximumTotal = 256;

/** The point of a share number, 0–255. All 256 are different. */
function pointOf(shareNumber: number): number {
  return shareNumber === 0 ? 0 : exponentiate(shareNumber - 1);
}

/** The logarithm of the product of (x − point) over all points other than x itself. */
function logDistance(x: number, points: readonly number[]): number {
  return points.reduce((sum, point) => (point === x ? sum : sum + logarithm(x ^ point)), 0);
}

/**
 * The coefficients that give the blocks of the `wanted` shares from the blocks of the `known` ones.
 * @param known - distinct share numbers, `needed` of them, in the order the blocks will come.
 * @param wanted - share numbers; one that is also known gets a row of zeros with a single 1.
 * @returns wanted.length × known.length bytes, row after row, owned by the caller.
 */
export function interpolationMatrix(known: readonly number[], wanted: readonly number[]): Uint8Array {
  const points = known.map(pointOf);
  const scales = points.map((point) => 255 - (logDistance(point, points) % 255));
  const matrix = new Uint8Array(wanted.length * known.length);
  wanted.forEach((shareNumber, row) => {
    const x = pointOf(shareNumber);
    const numerator = logDistance(x, points);
    const same = points.indexOf(x);
    points.forEach((point, column) => {
      matrix[row * known.length + column] =
        same === -1
          ? exponentiate(numerator + 255 - logarithm(x ^ point) + (scales[column] ?? 0))
          : Number(column === same);
    });
  });
  return matrix;
}
