/**
 * SHA-256 and SHA-1 over whole blocks of 64 bytes, in AssemblyScript (FIPS 180-4). The caller pads.
 *
 * No branch and no address depends on the data.
 */
import { data } from './workspace';

/** The running digest, 32 or 20 bytes, big-endian as it will be read. */
export const state: usize = memory.data(32, 16);

/** The round constants of SHA-256 (section 4.2.2). */
const K: usize = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
  0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
  0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
  0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
  0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
  0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);

/** The message schedule: 64 words for SHA-256, 80 for SHA-1. */
const W: usize = memory.data(320, 16);

function word(offset: usize): u32 {
  return bswap<u32>(load<u32>(state + offset));
}

/** Adds to a word of the running digest. */
function addTo(offset: usize, value: u32): void {
  store<u32>(state + offset, bswap<u32>(word(offset) + value));
}

/** The schedule's first 16 words are the block itself. */
function readBlock(block: usize): void {
  for (let i: usize = 0; i < 64; i += 4) store<u32>(W + i, bswap<u32>(load<u32>(block + i)));
}

function scheduleSha256(): void {
  for (let w = W + 64; w < W + 256; w += 4) {
    const w15 = load<u32>(w - 60);
    const w2 = load<u32>(w - 8);
    const small0 = rotr<u32>(w15, 7) ^ rotr<u32>(w15, 18) ^ (w15 >>> 3);
    const small1 = rotr<u32>(w2, 17) ^ rotr<u32>(w2, 19) ^ (w2 >>> 10);
    store<u32>(w, load<u32>(w - 64) + small0 + load<u32>(w - 28) + small1);
  }
}

/** T1 of a round (section 6.2.2); `i` is four times the round's number. */
function first(e: u32, f: u32, g: u32, h: u32, i: usize): u32 {
  const big1 = rotr<u32>(e, 6) ^ rotr<u32>(e, 11) ^ rotr<u32>(e, 25);
  return h + big1 + (g ^ (e & (f ^ g))) + load<u32>(K + i) + load<u32>(W + i);
}

/** T2 of a round. */
function second(a: u32, b: u32, c: u32): u32 {
  return (rotr<u32>(a, 2) ^ rotr<u32>(a, 13) ^ rotr<u32>(a, 22)) + ((a & b) | (c & (a | b)));
}

/** Takes in so many blocks of the workspace. */
export function sha256(blocks: usize): void {
  for (let block = data; block < data + 64 * blocks; block += 64) {
    readBlock(block);
    scheduleSha256();
    let a = word(0);
    let b = word(4);
    let c = word(8);
    let d = word(12);
    let e = word(16);
    let f = word(20);
    let g = word(24);
    let h = word(28);
    // Eight rounds a turn, so that the letters move on by being named in turn and nothing is copied.
    for (let i: usize = 0; i < 256; i += 32) {
      let t = first(e, f, g, h, i);
      d += t;
      h = t + second(a, b, c);
      t = first(d, e, f, g, i + 4);
      c += t;
      g = t + second(h, a, b);
      t = first(c, d, e, f, i + 8);
      b += t;
      f = t + second(g, h, a);
      t = first(b, c, d, e, i + 12);
      a += t;
      e = t + second(f, g, h);
      t = first(a, b, c, d, i + 16);
      h += t;
      d = t + second(e, f, g);
      t = first(h, a, b, c, i + 20);
      g += t;
      c = t + second(d, e, f);
      t = first(g, h, a, b, i + 24);
      f += t;
      b = t + second(c, d, e);
      t = first(f, g, h, a, i + 28);
      e += t;
      a = t + second(b, c, d);
    }
    addTo(0, a);
    addTo(4, b);
    addTo(8, c);
    addTo(12, d);
    addTo(16, e);
    addTo(20, f);
    addTo(24, g);
    addTo(28, h);
  }
}

/** The function of a quarter of SHA-1's rounds with its constant (sections 4.1.1, 4.2.1). */
function mixSha1(quarter: i32, b: u32, c: u32, d: u32): u32 {
  if (quarter == 0) return ((b & c) | (~b & d)) + 0x5a827999;
  if (quarter == 1) return (b ^ c ^ d) + 0x6ed9eba1;
  if (quarter == 2) return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
  return (b ^ c ^ d) + 0xca62c1d6;
}

/** Takes in so many blocks of the workspace. */
export function sha1(blocks: usize): void {
  for (let block = data; block < data + 64 * blocks; block += 64) {
    readBlock(block);
    for (let w = W + 64; w < W + 320; w += 4) {
      store<u32>(w, rotl<u32>(load<u32>(w - 12) ^ load<u32>(w - 32) ^ load<u32>(w - 56) ^ load<u32>(w - 64), 1));
    }
    let a = word(0);
    let b = word(4);
    let c = word(8);
    let d = word(12);
    let e = word(16);
    for (let i = 0; i < 80; i++) {
      const t = rotl<u32>(a, 5) + mixSha1(i / 20, b, c, d) + e + load<u32>(W + 4 * i);
      e = d;
      d = c;
      c = rotl<u32>(b, 30);
      b = a;
      a = t;
    }
    addTo(0, a);
    addTo(4, b);
    addTo(8, c);
    addTo(12, d);
    addTo(16, e);
  }
}
