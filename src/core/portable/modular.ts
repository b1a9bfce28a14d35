/**
 * Arithmetic modulo odd numbers of 1024 or 2048 bits over the WASM core. Numbers are big-endian bytes of the modulus's
 * length, with leading zeros; those given may be shorter.
 *
 * Promised: the time tells sizes, not numbers, but for the exponent of `publicPower` and what `remainder` is asked.
 */
import { equalBytes, toHex } from '../bytes.js';
import { loadWasm, wasmFromText } from '../wasm-core.js';
import type { WasmAddress, WasmExports } from '../wasm-core.js';
import { modularBinary } from './modular-binary.js';

/** A modulus is odd, of 128 or 256 bytes, with its highest bit set. */
export interface ModularArithmetic {
  /** @param base - at most twice as long as the modulus. @returns base^exponent mod modulus, in time that its sizes tell. */
  power(base: Uint8Array, exponent: Uint8Array, modulus: Uint8Array): Uint8Array;
  /** The same, faster, for an exponent that is no secret. */
  publicPower(base: Uint8Array, exponent: Uint8Array, modulus: Uint8Array): Uint8Array;
  /** a·b mod modulus; each at most as long as the modulus. */
  product(a: Uint8Array, b: Uint8Array, modulus: Uint8Array): Uint8Array;
  /** a − b mod modulus; each at most as long as the modulus. */
  difference(a: Uint8Array, b: Uint8Array, modulus: Uint8Array): Uint8Array;
  /** a·b + c of numbers of 128 bytes. @returns 256 bytes. */
  productSum(a: Uint8Array, b: Uint8Array, c: Uint8Array): Uint8Array;
  /** The remainder of a number of 128 bytes by one below 2^32. */
  remainder(a: Uint8Array, divisor: number): number;
}

interface ModularExports extends WasmExports {
  readonly modulus: WasmAddress;
  readonly left: WasmAddress;
  readonly right: WasmAddress;
  readonly result: WasmAddress;
  power(size: number, exponentSize: number): void;
  publicPower(size: number, exponentSize: number): void;
  product(size: number): void;
  difference(size: number): void;
  addProduct(size: number): void;
  remainder(size: number, divisor: number): number;
}

const HALF_SIZE = 128;

function connect(core: ModularExports): ModularArithmetic {
  /** A view of the core's memory at one of its places. */
  const at = ({ value }: WasmAddress, size: number): Uint8Array => new Uint8Array(core.memory.buffer, value, size);
  const put = (place: WasmAddress, size: number, number: Uint8Array): void => {
    if (number.length > size) throw new RangeError(`a number of ${String(number.length)} bytes`);
    at(place, size).fill(0).set(number.toReversed());
  };
  const result = (size: number): Uint8Array => at(core.result, size).toReversed();
  const modulo = (
    operation: (size: number) => void,
    left: Uint8Array,
    right: Uint8Array,
    modulus: Uint8Array,
  ): Uint8Array => {
    const size = modulus.length;
    put(core.modulus, size, modulus);
    put(core.left, 2 * size, left);
    put(core.right, size, right);
    operation(size);
    return result(size);
  };
  return {
    power: (base, exponent, modulus) => modulo((size) => core.power(size, exponent.length), base, exponent, modulus),
    publicPower: (base, exponent, modulus) =>
      modulo((size) => core.publicPower(size, exponent.length), base, exponent, modulus),
    product: (a, b, modulus) => modulo((size) => core.product(size), a, b, modulus),
    difference: (a, b, modulus) => modulo((size) => core.difference(size), a, b, modulus),
    productSum(a, b, c) {
      put(core.left, HALF_SIZE, a);
      put(core.right, HALF_SIZE, b);
      put(core.result, 2 * HALF_SIZE, c);
      core.addProduct(HALF_SIZE);
      return result(2 * HALF_SIZE);
    },
    remainder(a, divisor) {
      put(core.left, HALF_SIZE, a);
      return core.remainder(HALF_SIZE, divisor) >>> 0;
    },
  };
}

/** Numbers with long carries: all bits set but a few, in both sizes. The answers are those of another implementation. */
function test(arithmetic: ModularArithmetic): void {
  for (const [size, powerEnd, publicEnd, productEnd, differenceEnd] of answers) {
    const modulus = new Uint8Array(size).fill(0xff);
    modulus[size - 1] = 0x97;
    const a = new Uint8Array(size).fill(0xfe);
    const b = new Uint8Array(size).fill(0x35);
    const ends = [
      arithmetic.power(a, b.subarray(0, 24), modulus),
      arithmetic.publicPower(a, Uint8Array.of(1, 0, 1), modulus),
      arithmetic.product(a, b, modulus),
      arithmetic.difference(b, a, modulus),
    ].map((number) => toHex(number.subarray(-8)));
    if (ends.join() !== [powerEnd, publicEnd, productEnd, differenceEnd].join()) {
      throw new Error(`arithmetic of ${String(8 * size)} bits comes out wrong`);
    }
  }
  // (2^1024 − 1)² + 2^1024 − 1 = 2^2048 − 2^1024.
  const ones = new Uint8Array(HALF_SIZE).fill(0xff);
  const expected = new Uint8Array(2 * HALF_SIZE).fill(0xff, 0, HALF_SIZE);
  if (!equalBytes(arithmetic.productSum(ones, ones, ones), expected)) throw new Error('a product comes out wrong');
  if (arithmetic.remainder(ones, 65537) !== 0) throw new Error('a remainder comes out wrong');
}

/** The last eight bytes of a power, a public power, a product and a difference, for each size. */
const answers = [
  [128, 'adac20d9957c14e0', 'e4ba6813eb650215', '0b6dd03294f7621a', '36363636363635ce'],
  [256, '0d04dc774a345138', '47a399a414932853', 'a20466c92b8df8f0', '36363636363635ce'],
] as const;

/**
 * Arithmetic over a build of the core, after its self-test.
 * @param binary - the build as WASM; given only to test the test.
 * @throws ERR_WASM when the engine cannot run the build or a known answer comes out wrong.
 */
export function loadModularArithmetic(binary: Uint8Array = wasmFromText(modularBinary)): ModularArithmetic {
  return loadWasm(binary, (exports) => connect(exports as ModularExports), test);
}
