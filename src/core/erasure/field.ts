/**
 * Arithmetic in GF(2^8), the field zfec computes in: bytes, with exclusive or as addition and multiplication of
 * polynomials over GF(2) modulo x^8 + x^4 + x^3 + x^2 + 1 (0x11d). The byte 2 generates all 255 non-zero elements.
 *
 * Plain and table-driven, for matrices and self-tests. Blocks go through kernel.ts. Table look-ups by value are not
 * constant-time, and need not be: coefficients follow from share numbers, which are public.
 */

/** The field's polynomial, its degree-8 term included. */
const polynomial = 0x11d;

/** How many elements are not zero, and so the order of the generator. */
const groupOrder = 255;

const powers = new Uint8Array(groupOrder);
const logarithms = new Uint8Array(256);
for (let power = 0, element = 1; power < groupOrder; power++) {
  powers[power] = element;
  logarithms[element] = power;
  element <<= 1;
  if (element > 255) element ^= polynomial;
}

/** 2 to the given power; any integer ≥ 0. */
export function exponentiate(power: number): number {
  return powers[power % groupOrder] ?? 0;
}

/** The power of 2 that is `element` (1–255): 0–254. Zero has none: callers keep it out. */
export function logarithm(element: number): number {
  return logarithms[element] ?? 0;
}

/** The product of two elements, each 0–255. */
export function multiply(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : exponentiate(logarithm(a) + logarithm(b));
}

/** The element whose product with `element` (1–255) is 1. */
export function invert(element: number): number {
  return exponentiate(groupOrder - logarithm(element));
}
