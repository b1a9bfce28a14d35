/**
 * The door to the WASM core of erasure coding: a matrix over GF(2^8) times a column of blocks.
 *
 * Blocks pass through the core's memory in strips, so its size does not grow with theirs and a strip's inputs and
 * outputs stay in the processor's cache while every row is worked out. The memory, 384 KiB that never grow:
 *
 *     0       256 nibble tables of 32 bytes, as wasm/erasure.ts describes them
 *     8192    the matrix, at most 16 384 coefficients
 *     65536   the strips of the inputs, then those of the outputs, at a common stride
 *
 * A kernel is shared by all codecs of a thread: calls are synchronous and keep nothing between them.
 */
import { equalBytes, toHex } from '../bytes.js';
import { loadWasm, runsWasm, wasmFromText } from '../wasm-core.js';
import type { WasmExports } from '../wasm-core.js';
import { multiply } from './field.js';
import { scalarBinary, simdBinary } from './kernel-binary.js';
import { interpolationMatrix } from './matrix.js';

/** The two builds of the core. Their results are the same; SIMD is several times faster. */
export type KernelKind = 'simd' | 'scalar';

/** Multiplies blocks by a matrix. */
export interface ErasureKernel {
  readonly kind: KernelKind;
  /**
   * Fills each output with the sum of all inputs, weighted by the output's row of the matrix.
   * @param matrix - outputs.length × inputs.length coefficients, row after row, at most 16 384.
   * @param inputs - blocks of one common size; together with the outputs at most 256.
   * @param outputs - blocks of that size, overwritten; none may share memory with an input.
   */
  multiply(matrix: Uint8Array, inputs: readonly Uint8Array[], outputs: readonly Uint8Array[]): void;
}

interface KernelExports extends WasmExports {
  multiply(
    matrix: number,
    inputs: number,
    outputs: number,
    needed: number,
    rows: number,
    stride: number,
    length: number,
  ): void;
}

/** The products of one coefficient with the 16 low and the 16 high nibbles. */
const tableBytes = 32;

/** The core's whole memory in bytes: the bound on what erasure coding holds beside the caller's blocks. */
const memoryBytes = 6 * 65536;
const matrixOffset = 8192;
const workspaceOffset = 65536;

/** Strips start, and end, at multiples of a cache line. */
const lineBytes = 64;

/** The text of a build as WASM. */
export function kernelBinary(kind: KernelKind): Uint8Array {
  return wasmFromText(kind === 'simd' ? simdBinary : scalarBinary);
}

/** For each coefficient c = 0 … 255 its products with 0 … 15 and with 0x00, 0x10 … 0xf0. */
function nibbleTables(): Uint8Array {
  const tables = new Uint8Array(256 * tableBytes);
  for (let place = 0, coefficient = 0; coefficient < 256; coefficient++) {
    for (let nibble = 0; nibble < 16; nibble++) tables[place++] = multiply(coefficient, nibble);
    for (let nibble = 0; nibble < 256; nibble += 16) tables[place++] = multiply(coefficient, nibble);
  }
  return tables;
}

/**
 * Bytes between strips: as much as the workspace gives each block, in an odd number of cache lines. An even one,
 * above all a power of two, would put the same position of all blocks into the same few places of the cache.
 */
function strideFor(blockCount: number): number {
  const lines = Math.floor((memoryBytes - workspaceOffset) / blockCount / lineBytes);
  return (lines - (1 - (lines % 2))) * lineBytes;
}

/** A kernel over one build of the core, not yet tested. */
function connect(kind: KernelKind, core: KernelExports, tables: Uint8Array): ErasureKernel {
  const memory = new Uint8Array(core.memory.buffer, 0, memoryBytes);
  memory.set(tables);
  return {
    kind,
    multiply(matrix, inputs, outputs) {
      const size = inputs[0]?.length ?? 0;
      const stride = strideFor(inputs.length + outputs.length);
      const outputsOffset = workspaceOffset + inputs.length * stride;
      memory.set(matrix, matrixOffset);
      for (let start = 0; start < size; start += stride) {
        const length = Math.min(stride, size - start);
        const rounded = Math.ceil(length / lineBytes) * lineBytes;
        inputs.forEach((input, i) => {
          memory.set(input.subarray(start, start + length), workspaceOffset + i * stride);
        });
        core.multiply(matrixOffset, workspaceOffset, outputsOffset, inputs.length, outputs.length, stride, rounded);
        outputs.forEach((output, i) => {
          output.set(memory.subarray(outputsOffset + i * stride, outputsOffset + i * stride + length), start);
        });
      }
    },
  };
}

/**
 * A kernel over one build of the core, after its self-test.
 * @param binary - the build as WASM; given only to test the test.
 * @throws ERR_WASM when the engine cannot run the build or a known answer comes out wrong.
 */
export function instantiateKernel(kind: KernelKind, binary: Uint8Array = kernelBinary(kind)): ErasureKernel {
  const tables = nibbleTables();
  const connected = (exports: unknown): ErasureKernel => connect(kind, exports as KernelExports, tables);
  return loadWasm(binary, connected, (kernel) => {
    checkEncoding(kernel);
    checkProducts(kernel, tables);
  });
}

/** Shares 3, 4 and 5 of a 3-of-6 encoding by zfec, where byte i of block j is j·85 + i·37 modulo 256, i < 32. */
const zfecAnswer = [
  '49a10f77808e0c229cddcaa65b7647247085eb402330211b7824e758f8a60493',
  '921950a8d59582dc34b392cf4ac344aaa9181f793b26efe792b205d5b7672dfb',
  '39f90407aff4d5eea987a1cfd9e1a57261d50cba6a3eeab63ede5fda4214fb4f',
];

/** @throws Error unless the kernel encodes as zfec does. */
function checkEncoding(kernel: ErasureKernel): void {
  const blocks = [0, 85, 170].map((first) => Uint8Array.from({ length: 32 }, (_, i) => first + i * 37));
  const shares = blocks.map((block) => new Uint8Array(block.length));
  kernel.multiply(interpolationMatrix([0, 1, 2], [3, 4, 5]), blocks, shares);
  if (shares.map(toHex).join() !== zfecAnswer.join()) throw new Error('a known encoding comes out wrong');
}

/**
 * Multiplies every coefficient with every nibble at each of the 32 places that the core handles in one step. The table
 * of coefficient 1 holds just the nibbles, so that the table of any other is what must come out. They are repeated with
 * one zero between, and so stand one place further each time.
 * @throws Error unless all products are right.
 */
function checkProducts(kernel: ErasureKernel, tables: Uint8Array): void {
  const period = tableBytes + 1;
  const repeated = (coefficient: number): Uint8Array => {
    const bytes = new Uint8Array(period * tableBytes);
    bytes.set(tables.subarray(coefficient * tableBytes, (coefficient + 1) * tableBytes));
    for (let filled = period; filled < bytes.length; filled *= 2) bytes.copyWithin(filled, 0, filled);
    return bytes;
  };
  const products = Array.from({ length: 255 }, () => new Uint8Array(period * tableBytes));
  const coefficients = Uint8Array.from(products, (_, i) => i + 1);
  kernel.multiply(coefficients, [repeated(1)], products);
  const wrong = products.findIndex((product, i) => !equalBytes(product, repeated(i + 1)));
  if (wrong !== -1) throw new Error(`products with ${String(wrong + 1)} come out wrong`);
}

/** Whether this engine runs the SIMD build. */
export function hasSimd(): boolean {
  return runsWasm(kernelBinary('simd'));
}

let sharedKernel: ErasureKernel | undefined;

/**
 * The fastest kernel of this engine, made and tested on the first call, then shared.
 * @throws ERR_WASM when its self-test fails.
 */
export function defaultKernel(): ErasureKernel {
  sharedKernel ??= instantiateKernel(hasSimd() ? 'simd' : 'scalar');
  return sharedKernel;
}
