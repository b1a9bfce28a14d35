/** The codec over both kernels: zfec's own answers, decoding as the inverse of encoding, and what it refuses. */
import assert from 'node:assert/strict';
import t, { type Test } from 'tap';
import fc from 'fast-check';
import { toHex } from '#core/bytes.js';
import { isTahoeError, type ErrorCode } from '#core/errors.js';
import { createErasureCodec, type ErasureCodec, type NumberedBlock } from '#core/erasure/codec.js';
import { instantiateKernel, type ErasureKernel } from '#core/erasure/kernel.js';
import { range, sha256, vectorBlock, zfec, type ZfecCase } from './reference.js';

function numbered(blocks: readonly Uint8Array[]): NumberedBlock[] {
  return blocks.map((block, shareNumber) => ({ shareNumber, block }));
}

/** Encodes a case of zfec's, compares, and decodes from the last shares. */
function checkCase(t: Test, kernel: ErasureKernel, expected: ZfecCase): void {
  const { needed, total, size } = expected;
  const codec = createErasureCodec(needed, total, kernel);
  const primary = range(needed).map((j) => vectorBlock(j, size));
  const blocks = codec.encode(primary);
  const secondary = blocks.slice(needed);
  if (expected.blocks) t.same(secondary.map(toHex), expected.blocks);
  if (expected.sha256OfEach) {
    t.same(
      secondary.map((block) => sha256(block)),
      expected.sha256OfEach,
    );
  }
  if (expected.sha256OfAll !== undefined) t.equal(sha256(...blocks), expected.sha256OfAll);
  t.equal(sha256(...codec.decode(numbered(blocks).slice(-needed))), sha256(...primary));
}

for (const kernel of [instantiateKernel('simd'), instantiateKernel('scalar')]) {
  t.test(`the answers of zfec, ${kernel.kind}`, (t) => {
    t.equal(zfec.cases.length, 71);
    for (const expected of zfec.cases) checkCase(t, kernel, expected);
    t.end();
  });

  t.test(`any needed shares in any order give the blocks back, ${kernel.kind}`, (t) => {
    const encoding = fc.integer({ min: 1, max: 40 }).chain((total) =>
      fc.record({
        needed: fc.integer({ min: 1, max: total }),
        order: fc.shuffledSubarray(range(total), { minLength: total }),
        size: fc.nat(300),
      }),
    );
    const property = fc.property(encoding, fc.nat(1000), ({ needed, order, size }, seed) => {
      const codec = createErasureCodec(needed, order.length, kernel);
      const primary = range(needed).map((j) => vectorBlock(seed + j, size));
      const shareNumbers = order.slice(0, needed);
      const blocks = codec.encode(primary, shareNumbers);
      const decoded = codec.decode(shareNumbers.map((shareNumber, i) => ({ shareNumber, block: blocks[i] ?? wrong })));
      assert.deepEqual(decoded, primary);
    });
    fc.assert(property, { numRuns: 100 });
    t.end();
  });
}

const wrong = new Uint8Array(1);

t.test('any part of the shares, in any order, equals the same blocks of all', (t) => {
  const codec = createErasureCodec(3, 10);
  const primary = range(3).map((j) => vectorBlock(j, 33));
  const all = codec.encode(primary);
  const property = fc.property(fc.shuffledSubarray(range(10)), (shareNumbers) => {
    const expected = shareNumbers.map((shareNumber) => all[shareNumber]);
    assert.deepEqual(codec.encode(primary, shareNumbers), expected);
  });
  fc.assert(property, { numRuns: 30 });
  t.end();
});

t.test('primary blocks pass as the same arrays; the others own their buffers', (t) => {
  const codec = createErasureCodec(2, 4);
  const primary = [vectorBlock(0, 9), vectorBlock(1, 9)];
  const [zero, one, two, three] = codec.encode(primary);
  t.equal(zero, primary[0]);
  t.equal(one, primary[1]);
  t.equal(two?.buffer.byteLength, 9);
  t.not(two?.buffer, three?.buffer);
  const decoded = codec.decode([
    { shareNumber: 3, block: three ?? wrong },
    { shareNumber: 1, block: one ?? wrong },
  ]);
  t.equal(decoded[1], primary[1]);
  t.same(decoded[0], primary[0]);
  t.not(decoded[0], primary[0]);
  t.end();
});

t.test('blocks are made in spare arrays that fit, and are the same', (t) => {
  const codec = createErasureCodec(2, 5);
  const primary = [vectorBlock(0, 9), vectorBlock(1, 9)];
  const all = codec.encode(primary);
  const spare = [new Uint8Array(8), new Uint8Array(9).fill(1), new Uint8Array(0), new Uint8Array(9).fill(2)];
  const again = codec.encode(primary, [4, 0, 3, 2], spare);
  t.same(again, [all[4], all[0], all[3], all[2]]);
  t.equal(again[0], spare[1]);
  t.equal(again[2], spare[3]);
  t.notOk(spare.some((array) => array === again[3]));
  const decoded = codec.decode(numbered(all).slice(3), [new Uint8Array(9), new Uint8Array(9)]);
  t.same(decoded, primary);
  t.end();
});

t.test('a codec takes turns between shares and sizes without mixing them up', (t) => {
  const codec = createErasureCodec(2, 5);
  for (const [size, first, second] of [
    [10, 3, 4],
    [20, 3, 4],
    [20, 4, 3],
    [5, 2, 1],
    [0, 2, 3],
    [10, 3, 4],
  ] as const) {
    const primary = [vectorBlock(size, size), vectorBlock(size + 1, size)];
    const all = numbered(codec.encode(primary));
    t.same(codec.decode([first, second].flatMap((n) => all.slice(n, n + 1))), primary);
  }
  t.end();
});

function refuses(t: Test, code: ErrorCode, action: () => unknown, reason: RegExp): void {
  try {
    action();
    t.fail(`${code} was expected: ${String(reason)}`);
  } catch (error) {
    t.ok(isTahoeError(error, code), String(error));
    t.match(String(error), reason);
  }
}

t.test('impossible encodings are ERR_ENCODING', (t) => {
  for (const [needed, total] of [
    [0, 1],
    [-1, 3],
    [4, 3],
    [3, 257],
    [1.5, 3],
    [1, 2.5],
    [NaN, 3],
  ] as const) {
    refuses(t, 'ERR_ENCODING', () => createErasureCodec(needed, total), /cannot encode/);
  }
  t.end();
});

t.test('blocks that cannot be right are ERR_ERASURE', (t) => {
  const codec: ErasureCodec = createErasureCodec(2, 4);
  const [a, b, c] = [vectorBlock(0, 8), vectorBlock(1, 8), vectorBlock(2, 7)];
  const of = (...pairs: [number, Uint8Array][]) => pairs.map(([shareNumber, block]) => ({ shareNumber, block }));
  const refused: [() => unknown, RegExp][] = [
    [() => codec.encode([a]), /2 blocks are needed and 1 were given/],
    [() => codec.encode([]), /0 were given/],
    [() => codec.encode([a, b, a]), /3 were given/],
    [() => codec.encode([a, c]), /8 and 7 bytes/],
    [() => codec.encode([a, b], [4]), /share number 4 is not one of 0 to 3/],
    [() => codec.encode([a, b], [-1]), /share number -1/],
    [() => codec.encode([a, b], [0.5]), /share number 0.5/],
    [() => codec.encode([a, b], [3, 3]), /twice/],
    [() => codec.decode(of([0, a])), /1 were given/],
    [() => codec.decode(of([0, a], [1, b], [2, a])), /3 were given/],
    [() => codec.decode(of([0, a], [0, a])), /twice/],
    [() => codec.decode(of([0, a], [4, b])), /share number 4/],
    [() => codec.decode(of([2, a], [3, c])), /8 and 7 bytes/],
  ];
  for (const [action, reason] of refused) refuses(t, 'ERR_ERASURE', action, reason);
  t.end();
});
