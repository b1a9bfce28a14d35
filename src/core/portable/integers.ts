/** Whole numbers between bytes and `bigint`, whose operations take a time that tells their values: see who uses them. */
import { toHex } from '../bytes.js';

/** The number of big-endian bytes. */
export function toInteger(bytes: Uint8Array): bigint {
  return BigInt(`0x0${toHex(bytes)}`);
}

/** A number as `size` big-endian bytes, which it must fit. */
export function fromInteger(integer: bigint, size: number): Uint8Array {
  const hex = integer.toString(16).padStart(2 * size, '0');
  return Uint8Array.from({ length: size }, (_, i) => parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

/** 1/value modulo `modulus`, by Euclid's algorithm; undefined where there is none. */
export function inverseOf(value: bigint, modulus: bigint): bigint | undefined {
  let [before, rest] = [modulus, value % modulus];
  let [inverseBefore, inverse] = [0n, 1n];
  while (rest !== 0n) {
    const quotient = before / rest;
    [before, rest] = [rest, before - quotient * rest];
    [inverseBefore, inverse] = [inverse, inverseBefore - quotient * inverse];
  }
  if (before !== 1n) return undefined;
  return inverseBefore < 0n ? inverseBefore + modulus : inverseBefore;
}
