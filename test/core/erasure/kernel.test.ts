/** Both builds of the WASM core: equal to each other and to the plain reference; and refused when they are damaged. */
import assert from 'node:assert/strict';
import t from 'tap';
import fc from 'fast-check';
import { isTahoeError } from '#core/errors.js';
import { defaultKernel, hasSimd, instantiateKernel, kernelBinary } from '#core/erasure/kernel.js';
import { range, sha256, slowProduct, vectorBlock } from './reference.js';

const simd = instantiateKernel('simd');
const scalar = instantiateKernel('scalar');

const shape = fc.record({
  needed: fc.integer({ min: 1, max: 6 }),
  rows: fc.integer({ min: 1, max: 7 }),
  size: fc.oneof(fc.nat(70), fc.nat(400)),
  offset: fc.nat(17),
});

t.test('SIMD, scalar and the reference agree on any matrix, size and alignment', (t) => {
  const property = fc.property(shape, fc.infiniteStream(fc.nat(255)), ({ needed, rows, size, offset }, bytes) => {
    const take = (count: number) => Uint8Array.from(bytes.take(count));
    const matrix = take(needed * rows);
    const inputs = range(needed).map(() => take(offset + size).subarray(offset));
    const before = sha256(...inputs);
    const expected = slowProduct(matrix, inputs, rows);
    for (const kernel of [simd, scalar]) {
      const outputs = range(rows).map(() => new Uint8Array(size + offset).fill(0xee).subarray(offset));
      kernel.multiply(matrix, inputs, outputs);
      assert.deepEqual(outputs, expected, kernel.kind);
    }
    assert.equal(sha256(...inputs), before, 'inputs are only read');
  });
  fc.assert(property, { numRuns: 60 });
  t.end();
});

t.test('every coefficient times every byte', (t) => {
  const everyByte = Uint8Array.from(range(256));
  const expected = sha256(...slowProduct(everyByte.subarray(1), [everyByte], 255));
  for (const kernel of [simd, scalar]) {
    const outputs = range(255).map(() => new Uint8Array(256));
    kernel.multiply(everyByte.subarray(1), [everyByte], outputs);
    t.equal(sha256(...outputs), expected, kernel.kind);
  }
  t.end();
});

t.test('blocks longer than a strip, where 256 blocks share the workspace and where two do', (t) => {
  for (const [needed, rows, size] of [
    [128, 128, 1215],
    [128, 128, 1216],
    [128, 128, 1217],
    [250, 6, 2433],
    [1, 1, 163777],
    [1, 1, 327553],
  ] as const) {
    const matrix = vectorBlock(99, needed * rows);
    const inputs = range(needed).map((j) => vectorBlock(j, size));
    const [ours, other] = [simd, scalar].map((kernel) => {
      const outputs = range(rows).map(() => new Uint8Array(size));
      kernel.multiply(matrix, inputs, outputs);
      return outputs;
    });
    t.equal(sha256(...(ours ?? [])), sha256(...(other ?? [])));
    const tail = inputs.map((input) => input.subarray(size - 3));
    const lastRow = matrix.subarray(needed * (rows - 1));
    t.same(ours?.at(-1)?.subarray(size - 3), slowProduct(lastRow, tail, 1)[0]);
  }
  t.end();
});

t.test('the default kernel is the fastest the engine has, made once', (t) => {
  t.equal(defaultKernel().kind, hasSimd() ? 'simd' : 'scalar');
  t.equal(defaultKernel(), defaultKernel());
  t.end();
});

/** The build with the first occurrence of some bytes, given in hexadecimal, replaced. */
function damaged(kind: 'simd' | 'scalar', from: string, to: string): Uint8Array {
  const binary = Buffer.from(kernelBinary(kind));
  const at = binary.indexOf(Buffer.from(from, 'hex'));
  if (at === -1) throw new Error(`the ${kind} build no longer holds ${from}: choose other bytes`);
  binary.set(Buffer.from(to, 'hex'), at);
  return new Uint8Array(binary);
}

t.test('a build that does not load or computes wrongly is refused with ERR_WASM', (t) => {
  const builds = [
    ['simd', kernelBinary('simd').subarray(0, 200), /WebAssembly.Module/],
    ['scalar', new Uint8Array(), /WebAssembly.Module/],
    ['scalar', damaged('scalar', '05040101' + '0606', '05040101' + '0505'), /length/],
    ['simd', damaged('simd', '0f'.repeat(16), '07'.repeat(16)), /known encoding/],
    ['scalar', damaged('scalar', '428182848890a0c08001', '428082848890a0c08001'), /known encoding/],
    ['simd', damaged('simd', '200320086c6a210b', '200320096c6a210b'), /products with 3 /],
    ['scalar', damaged('scalar', '6a2d0000', '6a2c0000'), /out of bounds/],
  ] as const;
  for (const [kind, binary, reason] of builds) {
    try {
      instantiateKernel(kind, binary);
      t.fail(`a damaged ${kind} build was taken: ${String(reason)}`);
    } catch (error) {
      t.ok(isTahoeError(error, 'ERR_WASM'), String(error));
      t.match(String(error), reason);
    }
  }
  t.end();
});
