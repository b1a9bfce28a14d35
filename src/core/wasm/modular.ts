/**
 * Arithmetic modulo odd numbers of 1024 or 2048 bits, in AssemblyScript: what RSA is made of.
 *
 * Numbers are little-endian, in words of 32 bits. `size` is the modulus's in bytes, 128 or 256; its highest bit is set,
 * so it is more than half of R = 2^(8·size). Products are Montgomery's: x·y/R. No branch and no address depends on a
 * number, but for the exponent of `publicPower`, which is public, and the operands of `remainder`, which only
 * candidates for primes are given to.
 */

/** The modulus of all that follows. */
export const modulus: usize = memory.data(256, 16);
/** The operands. `left` may be twice as long as the modulus. */
export const left: usize = memory.data(512, 16);
export const right: usize = memory.data(256, 16);
/** What comes out. */
export const result: usize = memory.data(512, 16);

/** R and R² modulo the modulus. */
const one: usize = memory.data(256, 16);
const square: usize = memory.data(256, 16);
/** −1/modulus modulo 2^32. */
let inverse: u32 = 0;

/** A sum before its last reduction, one word longer; and that sum less the modulus. */
const sum: usize = memory.data(260, 16);
const reduced: usize = memory.data(256, 16);
/** A power's base to the 0 … 15, and the entry that is taken. */
const table: usize = memory.data(4096, 16);
const factor: usize = memory.data(256, 16);

/** out = x − y. @returns 1 when y is larger, else 0. */
function subtractWords(out: usize, x: usize, y: usize, size: usize): u32 {
  let borrow: u64 = 0;
  for (let i: usize = 0; i < size; i += 4) {
    const word = <u64>load<u32>(x + i) - <u64>load<u32>(y + i) - borrow;
    store<u32>(out + i, <u32>word);
    borrow = word >> 63;
  }
  return <u32>borrow;
}

/** out = x + y, where the bits of y are masked. @returns the carry. */
function addWords(out: usize, x: usize, y: usize, mask: u32, size: usize): u32 {
  let carry: u64 = 0;
  for (let i: usize = 0; i < size; i += 4) {
    carry += <u64>load<u32>(x + i) + <u64>(load<u32>(y + i) & mask);
    store<u32>(out + i, <u32>carry);
    carry >>= 32;
  }
  return <u32>carry;
}

/** out = x, less the modulus unless x is smaller; `top` is the word above x, 0 or 1. Below twice the modulus this is all. */
function reduce(out: usize, x: usize, top: u32, size: usize): void {
  const borrow = subtractWords(reduced, x, modulus, size);
  const keep = 0 - (borrow & (top ^ 1));
  for (let i: usize = 0; i < size; i += 4) {
    const word = load<u32>(reduced + i);
    store<u32>(out + i, word ^ (keep & (load<u32>(x + i) ^ word)));
  }
}

/** out = x·y/R. One of them may be as large as R − 1. */
function multiply(out: usize, x: usize, y: usize, size: usize): void {
  memory.fill(sum, 0, size + 4);
  for (let i: usize = 0; i < size; i += 4) {
    const yi = <u64>load<u32>(y + i);
    let u = <u64>load<u32>(sum) + <u64>load<u32>(x) * yi;
    const m = <u64>(<u32>u * inverse);
    let v = <u64>(<u32>u) + m * <u64>load<u32>(modulus);
    for (let j: usize = 4; j < size; j += 4) {
      u = <u64>load<u32>(sum + j) + <u64>load<u32>(x + j) * yi + (u >> 32);
      v = <u64>(<u32>u) + m * <u64>load<u32>(modulus + j) + (v >> 32);
      store<u32>(sum + j - 4, <u32>v);
    }
    u = <u64>load<u32>(sum + size) + (u >> 32) + (v >> 32);
    store<u32>(sum + size - 4, <u32>u);
    store<u32>(sum + size, <u32>(u >> 32));
  }
  reduce(out, sum, load<u32>(sum + size), size);
}

/** Makes all ready for a modulus. */
function prepare(size: usize): void {
  const lowest = load<u32>(modulus);
  // Newton's iteration: of 1/x = x the lowest three bits are right for any odd x, and each step doubles them.
  let x = lowest;
  for (let i = 0; i < 4; i++) x *= 2 - lowest * x;
  inverse = 0 - x;
  memory.fill(one, 0, size);
  subtractWords(one, one, modulus, size);
  // 2^words·R by doubling, then R² = 2^(32·words)·R by squaring five times.
  memory.copy(square, one, size);
  for (let i: usize = 0; i < size; i += 4) {
    const carry = addWords(sum, square, square, 0xffffffff, size);
    reduce(square, sum, carry, size);
  }
  for (let i = 0; i < 5; i++) multiply(square, square, square, size);
}

/** out = x·R for the number at `left`, twice as long as the modulus: low + high·R. */
function enter(out: usize, size: usize): void {
  multiply(factor, left + size, square, size);
  multiply(factor, factor, square, size);
  multiply(out, left, square, size);
  const carry = addWords(sum, out, factor, 0xffffffff, size);
  reduce(out, sum, carry, size);
}

/** out = x/R. */
function leave(out: usize, x: usize, size: usize): void {
  memory.fill(factor, 0, size);
  store<u32>(factor, 1);
  multiply(out, x, factor, size);
}

/** factor = entry `index` of the table. Every entry is read. */
function takeEntry(index: u32, size: usize): void {
  memory.fill(factor, 0, size);
  for (let entry: u32 = 0; entry < 16; entry++) {
    const mask = 0 - <u32>(entry == index);
    const from = table + 256 * entry;
    for (let i: usize = 0; i < size; i += 4) {
      store<u32>(factor + i, load<u32>(factor + i) | (load<u32>(from + i) & mask));
    }
  }
}

/** result = left^right. @param exponentSize - of `right`, in bytes: the time depends on it, not on the value. */
export function power(size: usize, exponentSize: usize): void {
  prepare(size);
  memory.copy(table, one, size);
  enter(table + 256, size);
  for (let i: usize = 2; i < 16; i++) multiply(table + 256 * i, table + 256 * (i - 1), table + 256, size);
  memory.copy(result, one, size);
  for (let i = exponentSize; i > 0; i--) {
    const bits = <u32>load<u8>(right + i - 1);
    for (let shift = 4; shift >= 0; shift -= 4) {
      for (let k = 0; k < 4; k++) multiply(result, result, result, size);
      takeEntry((bits >> shift) & 15, size);
      multiply(result, result, factor, size);
    }
  }
  leave(result, result, size);
}

/** result = left^right, faster: the time tells the exponent. */
export function publicPower(size: usize, exponentSize: usize): void {
  prepare(size);
  enter(table, size);
  memory.copy(result, one, size);
  for (let i = exponentSize * 8; i > 0; i--) {
    const bit = (load<u8>(right + ((i - 1) >> 3)) >> <u8>((i - 1) & 7)) & 1;
    multiply(result, result, result, size);
    if (bit == 1) multiply(result, result, table, size);
  }
  leave(result, result, size);
}

/** result = left·right. */
export function product(size: usize): void {
  prepare(size);
  enter(result, size);
  multiply(result, result, right, size);
}

/** result = left − right; both at most R − 1. */
export function difference(size: usize): void {
  reduce(left, left, 0, size);
  reduce(right, right, 0, size);
  const borrow = subtractWords(result, left, right, size);
  addWords(result, result, modulus, 0 - borrow, size);
}

/** result, twice as long, += left·right, as whole numbers: no modulus is used. The sum must fit. */
export function addProduct(size: usize): void {
  for (let i: usize = 0; i < size; i += 4) {
    const word = <u64>load<u32>(right + i);
    let carry: u64 = 0;
    for (let j: usize = 0; j < size; j += 4) {
      carry += <u64>load<u32>(left + j) * word + <u64>load<u32>(result + i + j);
      store<u32>(result + i + j, <u32>carry);
      carry >>= 32;
    }
    for (let j = i + size; j < 2 * size; j += 4) {
      carry += <u64>load<u32>(result + j);
      store<u32>(result + j, <u32>carry);
      carry >>= 32;
    }
  }
}

/** The remainder of `left` by a small number. */
export function remainder(size: usize, divisor: u32): u32 {
  let rest: u64 = 0;
  for (let i = size; i > 0; i -= 4) rest = ((rest << 32) | <u64>load<u32>(left + i - 4)) % <u64>divisor;
  return <u32>rest;
}
