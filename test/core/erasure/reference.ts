/**
 * What the erasure tests hold the product against: erasure coding written a second time, as slowly and plainly as it
 * can be said, and the blocks that the vectors of zfec were made from. It shares nothing with the product: the field
 * multiplies by shifting, and the matrix is made as zfec makes it, by inverting the top of a Vandermonde matrix.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** One encoding by zfec: its secondary blocks, or the hash of each, or one hash of all its blocks. */
export interface ZfecCase {
  readonly needed: number;
  readonly total: number;
  readonly size: number;
  readonly blocks?: readonly string[];
  readonly sha256OfEach?: readonly string[];
  readonly sha256OfAll?: string;
}

/** test/vectors/zfec.json; its field `origin` says how it was made. */
export const zfec = JSON.parse(
  readFileSync(new URL('../../../../test/vectors/zfec.json', import.meta.url), 'utf8'),
) as { readonly cases: readonly ZfecCase[]; readonly matrices: readonly string[] };

/** SHA-256 of all parts in a row, in hexadecimal. */
export function sha256(...parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

/** Primary block number `j` of the vectors. */
export function vectorBlock(j: number, size: number): Uint8Array {
  const parts = Array.from({ length: Math.floor(size / 32) + 1 }, (_, i) =>
    createHash('sha256')
      .update(`${String(j)}/${String(i)}`)
      .digest(),
  );
  return new Uint8Array(Buffer.concat(parts).subarray(0, size));
}

/** 0, 1, … count−1. */
export function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** The product in GF(2^8), bit by bit. */
export function slowMultiply(a: number, b: number): number {
  let product = 0;
  for (let bit = 0; bit < 8; bit++) {
    if ((b >> bit) & 1) product ^= a << bit;
  }
  for (let bit = 14; bit >= 8; bit--) {
    if ((product >> bit) & 1) product ^= 0x11d << (bit - 8);
  }
  return product;
}

function slowPower(base: number, exponent: number): number {
  return range(exponent).reduce((product) => slowMultiply(product, base), 1);
}

/** Rows times columns, as nested arrays. */
function product(a: readonly number[][], b: readonly number[][]): number[][] {
  return a.map((row) =>
    (b[0] ?? []).map((_, column) => row.reduce((sum, x, i) => sum ^ slowMultiply(x, b[i]?.[column] ?? 0), 0)),
  );
}

/** The inverse of a square matrix, by elimination. */
function inverse(square: readonly number[][]): number[][] {
  let rows = square.map((row, i) => [...row, ...square.map((_, j) => Number(i === j))]);
  for (const column of range(square.length)) {
    const pivotAt = rows.findIndex((row, i) => i >= column && row[column] !== 0);
    const pivotRow = rows[pivotAt] ?? [];
    const scale = slowPower(pivotRow[column] ?? 0, 254);
    const pivot = pivotRow.map((x) => slowMultiply(x, scale));
    rows[pivotAt] = rows[column] ?? [];
    rows[column] = pivot;
    rows = rows.map((row, i) =>
      i === column ? row : row.map((x, j) => x ^ slowMultiply(row[column] ?? 0, pivot[j] ?? 0)),
    );
  }
  return rows.map((row) => row.slice(square.length));
}

/** zfec's generator matrix, `total` rows of `needed` coefficients. */
export function slowGeneratorMatrix(needed: number, total: number): number[][] {
  const points = range(total).map((i) => (i === 0 ? 0 : slowPower(2, i - 1)));
  const vandermonde = points.map((point) => range(needed).map((exponent) => slowPower(point, exponent)));
  return product(vandermonde, inverse(vandermonde.slice(0, needed)));
}

/** A matrix, row after row, times blocks, byte by byte. */
export function slowProduct(matrix: Uint8Array, inputs: readonly Uint8Array[], rows: number): Uint8Array[] {
  return range(rows).map((row) =>
    Uint8Array.from(inputs[0] ?? [], (_, position) =>
      inputs.reduce(
        (sum, input, j) => sum ^ slowMultiply(matrix[row * inputs.length + j] ?? 0, input[position] ?? 0),
        0,
      ),
    ),
  );
}
