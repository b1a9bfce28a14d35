/**
 * GF(2^8) matrix times blocks, the inner loop of erasure coding, in AssemblyScript.
 *
 * One source, two builds: with SIMD (16 bytes an instruction) and without (8 bytes in a 64-bit word).
 * The caller lays out the memory. At address 0 stand 256 nibble tables of 32 bytes, one for each coefficient c:
 * bytes 0–15 are c·0 … c·15, bytes 16–31 are c·0x00, c·0x10 … c·0xf0. Then c·x = low[x & 15] ^ high[x >> 4].
 * Nothing here allocates, grows memory or knows of share numbers: see ../erasure/kernel.ts.
 */

/** Bytes each step handles; every strip's length is a multiple of it. */
const COLUMN: usize = 32;

/** The lowest bit of each of the eight bytes in a word. */
const LOW_BITS: u64 = 0x0101010101010101;

/**
 * Writes `rows` output strips, each the sum of the input strips weighted by its row of the matrix.
 * @param matrix - address of rows × needed coefficients, row after row.
 * @param inputs - address of the first input strip; the next ones follow at `stride`.
 * @param outputs - address of the first output strip; the next ones follow at `stride`.
 * @param length - bytes of a strip to work on, a multiple of 32, at most `stride`.
 */
export function multiply(
  matrix: usize,
  inputs: usize,
  outputs: usize,
  needed: usize,
  rows: usize,
  stride: usize,
  length: usize,
): void {
  let row: usize = 0;
  if (ASC_FEATURE_SIMD) {
    for (; row + 1 < rows; row += 2) {
      multiplyRowPair(matrix + row * needed, inputs, outputs + row * stride, needed, stride, length);
    }
    if (row < rows) multiplyRow(matrix + row * needed, inputs, outputs + row * stride, needed, stride, length);
  } else {
    for (; row < rows; row++) {
      multiplyRowOfWords(matrix + row * needed, inputs, outputs + row * stride, needed, stride, length);
    }
  }
}

/** Two rows at once: each input is loaded and split into nibbles only once for both. */
function multiplyRowPair(
  matrix: usize,
  inputs: usize,
  output: usize,
  needed: usize,
  stride: usize,
  length: usize,
): void {
  const nibbles = i8x16.splat(15);
  for (let column: usize = 0; column < length; column += COLUMN) {
    let a0 = i64x2.splat(0);
    let a1 = i64x2.splat(0);
    let b0 = i64x2.splat(0);
    let b1 = i64x2.splat(0);
    let input = inputs + column;
    for (let j: usize = 0; j < needed; j++) {
      const a = (<usize>load<u8>(matrix + j)) << 5;
      const b = (<usize>load<u8>(matrix + needed + j)) << 5;
      const aLow = v128.load(a);
      const aHigh = v128.load(a, 16);
      const bLow = v128.load(b);
      const bHigh = v128.load(b, 16);
      let x = v128.load(input);
      let low = v128.and(x, nibbles);
      let high = v128.and(i16x8.shr_u(x, 4), nibbles);
      a0 = v128.xor(a0, v128.xor(i8x16.swizzle(aLow, low), i8x16.swizzle(aHigh, high)));
      b0 = v128.xor(b0, v128.xor(i8x16.swizzle(bLow, low), i8x16.swizzle(bHigh, high)));
      x = v128.load(input, 16);
      low = v128.and(x, nibbles);
      high = v128.and(i16x8.shr_u(x, 4), nibbles);
      a1 = v128.xor(a1, v128.xor(i8x16.swizzle(aLow, low), i8x16.swizzle(aHigh, high)));
      b1 = v128.xor(b1, v128.xor(i8x16.swizzle(bLow, low), i8x16.swizzle(bHigh, high)));
      input += stride;
    }
    v128.store(output + column, a0);
    v128.store(output + column, a1, 16);
    v128.store(output + stride + column, b0);
    v128.store(output + stride + column, b1, 16);
  }
}

/** The last row of an odd number of rows. */
function multiplyRow(matrix: usize, inputs: usize, output: usize, needed: usize, stride: usize, length: usize): void {
  const nibbles = i8x16.splat(15);
  for (let column: usize = 0; column < length; column += COLUMN) {
    let a0 = i64x2.splat(0);
    let a1 = i64x2.splat(0);
    let input = inputs + column;
    for (let j: usize = 0; j < needed; j++) {
      const a = (<usize>load<u8>(matrix + j)) << 5;
      const aLow = v128.load(a);
      const aHigh = v128.load(a, 16);
      const x = v128.load(input);
      a0 = v128.xor(a0, i8x16.swizzle(aLow, v128.and(x, nibbles)));
      a0 = v128.xor(a0, i8x16.swizzle(aHigh, v128.and(i16x8.shr_u(x, 4), nibbles)));
      const y = v128.load(input, 16);
      a1 = v128.xor(a1, i8x16.swizzle(aLow, v128.and(y, nibbles)));
      a1 = v128.xor(a1, i8x16.swizzle(aHigh, v128.and(i16x8.shr_u(y, 4), nibbles)));
      input += stride;
    }
    v128.store(output + column, a0);
    v128.store(output + column, a1, 16);
  }
}

/** One row without SIMD: c·x is the sum of c·2^bit over the bits of x, for eight bytes in one word. */
function multiplyRowOfWords(
  matrix: usize,
  inputs: usize,
  output: usize,
  needed: usize,
  stride: usize,
  length: usize,
): void {
  for (let column: usize = 0; column < length; column += COLUMN) {
    let a0: u64 = 0;
    let a1: u64 = 0;
    let a2: u64 = 0;
    let a3: u64 = 0;
    let input = inputs + column;
    for (let j: usize = 0; j < needed; j++) {
      const table = (<usize>load<u8>(matrix + j)) << 5;
      a0 ^= productOfWord(table, load<u64>(input));
      a1 ^= productOfWord(table, load<u64>(input, 8));
      a2 ^= productOfWord(table, load<u64>(input, 16));
      a3 ^= productOfWord(table, load<u64>(input, 24));
      input += stride;
    }
    store<u64>(output + column, a0);
    store<u64>(output + column, a1, 8);
    store<u64>(output + column, a2, 16);
    store<u64>(output + column, a3, 24);
  }
}

/** The eight products of a coefficient, given by its table, with the bytes of `x`: a bit times c·2^bit has no carry. */
function productOfWord(table: usize, x: u64): u64 {
  return (
    ((x & LOW_BITS) * <u64>load<u8>(table, 1)) ^
    (((x >> 1) & LOW_BITS) * <u64>load<u8>(table, 2)) ^
    (((x >> 2) & LOW_BITS) * <u64>load<u8>(table, 4)) ^
    (((x >> 3) & LOW_BITS) * <u64>load<u8>(table, 8)) ^
    (((x >> 4) & LOW_BITS) * <u64>load<u8>(table, 17)) ^
    (((x >> 5) & LOW_BITS) * <u64>load<u8>(table, 18)) ^
    (((x >> 6) & LOW_BITS) * <u64>load<u8>(table, 20)) ^
    (((x >> 7) & LOW_BITS) * <u64>load<u8>(table, 24))
  );
}
