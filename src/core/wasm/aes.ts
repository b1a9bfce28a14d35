/**
 * AES in counter mode, four blocks at a time, in AssemblyScript (FIPS 197).
 *
 * Bitsliced: no branch and no address depends on the key or the data. Eight words of 64 bits hold four blocks, word i
 * bit i of every byte. The byte of row r and column c of block b is at bit 16·r + 4·c + b, so that the next row is
 * 16 bits on, and a row's columns move inside 16 bits.
 */
import { substitute } from './substitute';
import { data } from './workspace';

/** The key, 16 or 32 bytes. */
export const key: usize = memory.data(32, 16);
/** Its round keys, sliced: 64 bytes for each of up to 15 rounds. */
export const schedule: usize = memory.data(960, 16);

/** The round keys as FIPS 197 writes them: 60 words at most. */
const words: usize = memory.data(240, 16);
/** The four blocks under work: eight words. */
const q: usize = memory.data(64, 16);

/** Spreads the four low bytes of a word over its even bytes. */
function spread(x: u64): u64 {
  x = (x | (x << 16)) & 0x0000ffff0000ffff;
  return (x | (x << 8)) & 0x00ff00ff00ff00ff;
}

/** Gathers the even bytes of a word into its low half. */
function gather(x: u64): u64 {
  x &= 0x00ff00ff00ff00ff;
  x = (x | (x >> 8)) & 0x0000ffff0000ffff;
  return (x | (x >> 16)) & 0x00000000ffffffff;
}

/** Puts block b, given as its first and its last 8 bytes, in its place. `transpose` turns bytes into bits. */
function putBlock(b: usize, low: u64, high: u64): void {
  store<u64>(q + 8 * b, spread(low & 0xffffffff) | (spread(high & 0xffffffff) << 8));
  store<u64>(q + 8 * b + 32, spread(low >> 32) | (spread(high >> 32) << 8));
}

/** XORs block b onto 16 bytes. */
function xorBlock(b: usize, target: usize): void {
  const even = load<u64>(q + 8 * b);
  const odd = load<u64>(q + 8 * b + 32);
  store<u64>(target, load<u64>(target) ^ gather(even) ^ (gather(odd) << 32));
  store<u64>(target, load<u64>(target, 8) ^ gather(even >> 8) ^ (gather(odd >> 8) << 32), 8);
}

/** Swaps the bits of word j under the mask with those of word i that lie `shift` higher. */
function swapBits(i: usize, j: usize, mask: u64, shift: u64): void {
  const a = load<u64>(q + 8 * i);
  const b = load<u64>(q + 8 * j);
  const changed = ((a >> shift) ^ b) & mask;
  store<u64>(q + 8 * i, a ^ (changed << shift));
  store<u64>(q + 8 * j, b ^ changed);
}

/** Bit i of byte k of word j goes to bit j of byte k of word i; twice, and all is as before. */
function transpose(): void {
  for (let i: usize = 0; i < 8; i += 2) swapBits(i, i + 1, 0x5555555555555555, 1);
  for (let i: usize = 0; i < 8; i += 4) {
    swapBits(i, i + 2, 0x3333333333333333, 2);
    swapBits(i + 1, i + 3, 0x3333333333333333, 2);
  }
  for (let i: usize = 0; i < 4; i++) swapBits(i, i + 4, 0x0f0f0f0f0f0f0f0f, 4);
}

function addRoundKey(round: usize): void {
  const from = schedule + 64 * round;
  for (let i: usize = 0; i < 64; i += 8) store<u64>(q + i, load<u64>(q + i) ^ load<u64>(from + i));
}

/** Row r moves by r columns, that is 4·r bits. */
function shiftRows(): void {
  for (let word = q; word < q + 64; word += 8) {
    const x = load<u64>(word);
    const row0 = x & 0x000000000000ffff;
    const row1 = ((x >> 4) & 0x000000000fff0000) | ((x << 12) & 0x00000000f0000000);
    const row2 = ((x >> 8) & 0x000000ff00000000) | ((x << 8) & 0x0000ff0000000000);
    const row3 = ((x >> 12) & 0x000f000000000000) | ((x << 4) & 0xfff0000000000000);
    store<u64>(word, row0 | row1 | row2 | row3);
  }
}

/** x plus the row after it, bit i of it. */
function pair(i: usize): u64 {
  const x = load<u64>(q + 8 * i);
  return x ^ rotr<u64>(x, 16);
}

/** 2·(a + b) + b + (c + d) for each byte a and the rows b, c, d after it: `doubled` is the first term's bit i. */
function storeMixed(i: usize, doubled: u64, pairs: u64): void {
  const next = rotr<u64>(load<u64>(q + 8 * i), 16);
  store<u64>(q + 8 * i, doubled ^ next ^ rotr<u64>(pairs, 32));
}

function mixColumns(): void {
  const p0 = pair(0);
  const p1 = pair(1);
  const p2 = pair(2);
  const p3 = pair(3);
  const p4 = pair(4);
  const p5 = pair(5);
  const p6 = pair(6);
  const p7 = pair(7);
  storeMixed(0, p7, p0);
  storeMixed(1, p0 ^ p7, p1);
  storeMixed(2, p1, p2);
  storeMixed(3, p2 ^ p7, p3);
  storeMixed(4, p3 ^ p7, p4);
  storeMixed(5, p4, p5);
  storeMixed(6, p5, p6);
  storeMixed(7, p6, p7);
}

function encrypt(rounds: usize): void {
  addRoundKey(0);
  for (let round: usize = 1; round < rounds; round++) {
    substitute(q);
    shiftRows();
    mixColumns();
    addRoundKey(round);
  }
  substitute(q);
  shiftRows();
  addRoundKey(rounds);
}

/** The S-box on the four bytes of a word. */
function substituteWord(x: u32): u32 {
  memory.fill(q, 0, 64);
  putBlock(0, x, 0);
  transpose();
  substitute(q);
  transpose();
  return <u32>gather(load<u64>(q));
}

/** Works out the round keys of the key. @param size - the key's, 16 or 32 bytes. */
export function expandKey(size: usize): void {
  const count = size / 4;
  const rounds = count + 6;
  let constant: u32 = 1;
  memory.copy(words, key, size);
  for (let i = count; i < 4 * (rounds + 1); i++) {
    let t = load<u32>(words + 4 * i - 4);
    if (i % count == 0) {
      t = substituteWord(rotr<u32>(t, 8)) ^ constant;
      constant = (constant << 1) ^ ((constant >> 7) * 0x11b);
    } else if (count == 8 && i % count == 4) {
      t = substituteWord(t);
    }
    store<u32>(words + 4 * i, load<u32>(words + 4 * (i - count)) ^ t);
  }
  for (let round: usize = 0; round <= rounds; round++) {
    const from = words + 16 * round;
    for (let b: usize = 0; b < 4; b++) putBlock(b, load<u64>(from), load<u64>(from, 8));
    transpose();
    memory.copy(schedule + 64 * round, q, 64);
  }
}

/**
 * XORs the key stream onto the workspace, from its start, in batches of 64 bytes.
 * @param rounds - 10 for a key of 16 bytes, 14 for one of 32.
 * @param firstBlock - the counter at the workspace's start, a whole number below 2^53.
 */
export function applyCounterMode(rounds: usize, firstBlock: f64, size: usize): void {
  let counter = <u64>firstBlock;
  for (let batch = data; batch < data + size; batch += 64) {
    for (let b: usize = 0; b < 4; b++) putBlock(b, 0, bswap<u64>(counter + b));
    counter += 4;
    transpose();
    encrypt(rounds);
    transpose();
    for (let b: usize = 0; b < 4; b++) xorBlock(b, batch + 16 * b);
  }
}
