/** The matrices against those of zfec, for every number of needed shares, and against zfec's way of making them. */
import assert from 'node:assert/strict';
import t from 'tap';
import fc from 'fast-check';
import { interpolationMatrix } from '#core/erasure/matrix.js';
import { range, sha256, slowGeneratorMatrix, slowProduct, zfec } from './reference.js';

t.test('all 256 rows are those of zfec, for every needed from 1 to 256', (t) => {
  t.equal(zfec.matrices.length, 256);
  const matrices = range(256).map((i) => interpolationMatrix(range(i + 1), range(256)));
  t.same(
    matrices.map((matrix) => sha256(matrix).slice(0, 16)),
    zfec.matrices,
  );
  t.end();
});

t.test('the closed form is the Vandermonde matrix times the inverse of its top', (t) => {
  for (const [needed, total] of [
    [1, 4],
    [3, 10],
    [7, 9],
    [13, 40],
  ] as const) {
    t.same([...interpolationMatrix(range(needed), range(total))], slowGeneratorMatrix(needed, total).flat());
  }
  t.end();
});

t.test('a share that is known is taken as it is', (t) => {
  t.same([...interpolationMatrix([7, 0, 255], [0, 255])], [0, 1, 0, 0, 0, 1]);
  t.end();
});

t.test('interpolating there and back is the identity, whatever the shares', (t) => {
  const shareNumbers = fc.uniqueArray(fc.nat(255), { minLength: 2, maxLength: 20 });
  fc.assert(
    fc.property(shareNumbers, (numbers) => {
      const needed = Math.floor(numbers.length / 2);
      const [known, wanted] = [numbers.slice(0, needed), numbers.slice(needed, 2 * needed)];
      const there = interpolationMatrix(known, wanted);
      const unit = interpolationMatrix(known, known);
      const back = interpolationMatrix(wanted, known);
      assert.deepEqual(multiplySquare(back, there, needed), [...unit]);
    }),
    { numRuns: 30 },
  );
  t.end();
});

function multiplySquare(a: Uint8Array, b: Uint8Array, size: number): number[] {
  const rows = (matrix: Uint8Array) => range(size).map((i) => matrix.subarray(i * size, (i + 1) * size));
  return slowProduct(a, rows(b), size).flatMap((row) => [...row]);
}
