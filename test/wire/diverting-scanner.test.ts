/** Long strings leave a message while it arrives in pieces of any size, and nothing else changes. */
import fc from 'fast-check';
import t from 'tap';
import { concat, equalBytes } from '#core/bytes.js';
import { decodeCbor, encodeCbor, encodeCborHead } from '#wire/cbor.js';
import type { CborValue } from '#wire/cbor.js';
import { Diverted, DivertingScanner } from '#wire/diverting-scanner.js';

const limits = { divertSize: 10, skeletonSizeMax: 100_000, itemCountMax: 1000 };

/** The scanner's value with its long strings put back, and how many there were. */
function scan(bytes: Uint8Array, pieceSize: number, given = limits): { value: unknown; count: number } {
  const scanner = new DivertingScanner(given);
  const diverted: Uint8Array[] = [];
  for (let offset = 0; offset < bytes.length; offset += pieceSize) {
    diverted.push(...scanner.push(bytes.slice(offset, offset + pieceSize)));
  }
  const content = concat(...diverted);
  let count = 0;
  const restore = (value: unknown): unknown => {
    if (value instanceof Diverted) {
      count += 1;
      return content.slice(value.position, value.position + value.size);
    }
    if (Array.isArray(value)) return value.map(restore);
    if (value instanceof Map) return new Map([...value].map(([key, each]) => [key as unknown, restore(each)]));
    return value;
  };
  return { value: restore(scanner.finish()), count };
}

const leaf = fc.oneof(
  fc.maxSafeNat(),
  fc.maxSafeInteger(),
  fc.string({ maxLength: 40 }),
  fc.uint8Array({ maxLength: 300 }),
  fc.boolean(),
  fc.constant(null),
);
const { tree } = fc.letrec<{ tree: CborValue }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.array(fc.tuple(fc.string({ maxLength: 5 }), tie('tree')), { maxLength: 4 }).map((entries) => new Map(entries)),
  ),
}));

t.test('any message is what it was, in pieces of any size', (t) => {
  const property = fc.property(tree, fc.integer({ min: 1, max: 50 }), (value, pieceSize) => {
    const bytes = encodeCbor(value);
    t.strictSame(scan(bytes, pieceSize).value, decodeCbor(bytes));
  });
  fc.assert(property, { numRuns: 300 });
  t.end();
});

t.test('strings of the given size and more are taken out', (t) => {
  const strings = [9, 10, 300, 70_000].map((size) => new Uint8Array(size).fill(size));
  for (const pieceSize of [1, 7, 16_384, 200_000]) {
    const { count, value } = scan(encodeCbor([...strings, 'a text is never taken out']), pieceSize);
    t.equal(count, 3);
    t.ok((value as Uint8Array[]).slice(0, 4).every((each, i) => equalBytes(each, strings[i] ?? new Uint8Array())));
  }
  t.end();
});

t.test('what no message has is refused', (t) => {
  const bad: readonly [hex: string, why: string][] = [
    ['', 'nothing'],
    ['c101', 'a tag'],
    ['d9ffff820001', 'the tag of a string that was taken out'],
    ['9fff', 'a list of no length'],
    ['5f4101ff', 'a string of no length'],
    ['1c', 'a reserved length'],
    ['f93c00', 'a half float'],
    ['fb3ff0000000000000', 'a float'],
    ['f820', 'a rare simple value'],
    ['f7', 'undefined'],
    ['420', 'a string cut short'],
    ['19', 'a head cut short'],
    ['5bffffffffffffffff', 'a string of 2^64 bytes'],
    ['0000', 'a second item'],
    ['a2616100616100', 'a key twice'],
  ];
  for (const [hex, why] of bad) t.throws(() => scan(Buffer.from(hex, 'hex'), 3), { code: 'ERR_CBOR' }, why);
  t.end();
});

t.test('the skeleton and its items are bounded, whatever is promised', (t) => {
  const text = encodeCborHead('text', 2 ** 40);
  const scanner = new DivertingScanner({ ...limits, skeletonSizeMax: 1000 });
  scanner.push(text);
  t.throws(() => scanner.push(new Uint8Array(1001)), { code: 'ERR_TOO_LARGE' });
  t.throws(() => scan(encodeCbor(Array<number>(1000).fill(0)), 1000), { code: 'ERR_TOO_LARGE' });
  t.equal((scan(encodeCbor(Array<number>(999).fill(0)), 1000).value as number[]).length, 999);
  const deep = concat(new Uint8Array(900).fill(0x81), Uint8Array.of(0));
  t.doesNotThrow(() => scan(deep, 100));
  t.end();
});

t.test('heads are the shortest that hold their value', (t) => {
  for (const value of [0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    t.strictSame(encodeCborHead('uint', value), new Uint8Array(encodeCbor(value)), String(value));
  }
  t.strictSame(encodeCborHead('map', 300), Uint8Array.of(0xb9, 1, 44));
  t.end();
});
