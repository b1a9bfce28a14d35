/** Modular arithmetic of the WASM core against `bigint`; and a core that is damaged is refused. */
import t from 'tap';
import fc from 'fast-check';
import { equalBytes } from '#core/bytes.js';
import { loadPortableBulkCrypto } from '#core/portable/bulk.js';
import { bulkBinary } from '#core/portable/bulk-binary.js';
import { fromInteger, inverseOf, toInteger } from '#core/portable/integers.js';
import { loadModularArithmetic } from '#core/portable/modular.js';
import { modularBinary } from '#core/portable/modular-binary.js';
import { wasmFromText } from '#core/wasm-core.js';

const arithmetic = loadModularArithmetic();

/** Bytes of which many are all ones or all zeros, where carries run far. */
function numberOf(size: number): fc.Arbitrary<Uint8Array> {
  const word = fc.oneof(fc.constantFrom(0, 0xffffffff, 1, 0x80000000), fc.nat(0xffffffff));
  return fc.array(word, { minLength: size / 4, maxLength: size / 4 }).map((words) => {
    const bytes = new Uint8Array(size);
    for (const [i, value] of words.entries()) new DataView(bytes.buffer).setUint32(4 * i, value);
    return bytes;
  });
}

function modulusOf(size: number): fc.Arbitrary<Uint8Array> {
  return numberOf(size).map((bytes) => {
    bytes[0] = (bytes[0] ?? 0) | 0x80;
    bytes[size - 1] = (bytes[size - 1] ?? 0) | 1;
    return bytes;
  });
}

function slowPower(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let power = 1n;
  for (const bit of exponent.toString(2)) {
    power = (power * power) % modulus;
    if (bit === '1') power = (power * base) % modulus;
  }
  return power;
}

for (const size of [128, 256]) {
  t.test(`${String(8 * size)} bits: as bigint computes it`, async () => {
    const given = fc.record({
      modulus: modulusOf(size),
      a: numberOf(size),
      b: numberOf(size),
      wide: numberOf(2 * size),
      exponent: fc.uint8Array({ minLength: 1, maxLength: 5 }),
    });
    const property = fc.property(given, ({ modulus, a, b, wide, exponent }) => {
      const [m, x, y] = [toInteger(modulus), toInteger(a), toInteger(b)];
      const power = fromInteger(slowPower(toInteger(wide), toInteger(exponent), m), size);
      return (
        equalBytes(arithmetic.power(wide, exponent, modulus), power) &&
        equalBytes(arithmetic.publicPower(wide, exponent, modulus), power) &&
        equalBytes(arithmetic.product(a, b, modulus), fromInteger((x * y) % m, size)) &&
        equalBytes(arithmetic.difference(a, b, modulus), fromInteger((((x - y) % m) + m) % m, size))
      );
    });
    fc.assert(property, { numRuns: 200 });
  });
}

t.test('products with a sum, and remainders, as bigint computes them', async () => {
  const property = fc.property(
    numberOf(128),
    numberOf(128),
    numberOf(128),
    fc.integer({ min: 1, max: 0xffffffff }),
    (a, b, c, divisor) => {
      const sum = fromInteger(toInteger(a) * toInteger(b) + toInteger(c), 256);
      const remainder = Number(toInteger(a) % BigInt(divisor));
      return equalBytes(arithmetic.productSum(a, b, c), sum) && arithmetic.remainder(a, divisor) === remainder;
    },
  );
  fc.assert(property, { numRuns: 200 });
});

t.test('inverses, where there are any', async (t) => {
  fc.assert(
    fc.property(fc.bigInt({ min: 2n, max: 2n ** 100n }), fc.bigInt({ min: 0n, max: 2n ** 120n }), (modulus, value) => {
      const inverse = inverseOf(value, modulus);
      return inverse === undefined || (inverse < modulus && (inverse * value) % modulus === 1n);
    }),
  );
  t.equal(inverseOf(3n, 11n), 4n);
  t.equal(inverseOf(6n, 9n), undefined);
  t.throws(() => arithmetic.product(new Uint8Array(400), new Uint8Array(1), new Uint8Array(128)), RangeError);
});

/** The build with the byte at one place replaced. */
function damaged(binary: Uint8Array, at: number, byte: number): Uint8Array {
  const copy = binary.slice();
  copy[at] = byte;
  return copy;
}

/** Where a byte stands, but only each seventh of them. */
function someOf(binary: Uint8Array, byte: number): number[] {
  return [...binary.keys()].filter((at) => binary[at] === byte).filter((_, i) => i % 7 === 0);
}

t.test('a core that does not load or computes wrongly is refused', async (t) => {
  const bulk = wasmFromText(bulkBinary);
  const modular = wasmFromText(modularBinary);
  t.throws(() => loadPortableBulkCrypto(bulk.subarray(0, 100)), { code: 'ERR_WASM' });
  t.throws(() => loadModularArithmetic(modular.subarray(0, 100)), { code: 'ERR_WASM' });
  // Counters are of 32 bits, so that a core with another operation on 64 bits still comes to its end.
  const [add, subtract, or, xor] = [0x7c, 0x7d, 0x84, 0x85];
  for (const at of someOf(bulk, xor)) {
    t.throws(() => loadPortableBulkCrypto(damaged(bulk, at, or)), { code: 'ERR_WASM' }, `byte ${String(at)}`);
  }
  for (const at of someOf(modular, add)) {
    t.throws(() => loadModularArithmetic(damaged(modular, at, subtract)), { code: 'ERR_WASM' }, `byte ${String(at)}`);
  }
});
