/** CBOR as the protocol uses it: what others wrote, what must be refused, and bombs. */
import fc from 'fast-check';
import t from 'tap';
import { decodeCbor, encodeCbor } from '#wire/cbor.js';
import type { CborValue } from '#wire/cbor.js';

function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

t.test('what Python wrote is read as what it meant', (t) => {
  const cases: readonly [hex: string, value: unknown][] = [
    ['00', 0],
    ['1903e8', 1000],
    ['1b001fffffffffffff', 2 ** 53 - 1],
    ['1b0020000000000000', 2n ** 53n],
    ['1bffffffffffffffff', 2n ** 64n - 1n],
    ['c249010000000000000000', 2n ** 64n],
    ['20', -1],
    ['6161', 'a'],
    ['62c3bc', 'ü'],
    ['4161', hex('61')],
    ['83010203', [1, 2, 3]],
    ['d90102820105', new Set([1, 5])],
    ['d90102820501', new Set([1, 5])],
    ['d90102820101', new Set([1])],
    ['f5', true],
    ['f6', null],
    [
      'a20102f44161',
      new Map<unknown, unknown>([
        [1, 2],
        [false, hex('61')],
      ]),
    ],
    ['a1695f5f70726f746f5f5f01', new Map([['__proto__', 1]])],
    ['1800', 0],
    ['d9010280', new Set()],
  ];
  for (const [text, value] of cases) t.strictSame(decodeCbor(hex(text)), value, text);
  t.end();
});

t.test('sets are written in order, with their tag', (t) => {
  t.equal(Buffer.from(encodeCbor(new Set([255, 3, 24]))).toString('hex'), 'd9010283031818' + '18ff');
  t.equal(Buffer.from(encodeCbor(2n ** 60n)).toString('hex'), '1b1000000000000000');
  t.end();
});

t.test('everything else is refused', (t) => {
  const cases: readonly [hex: string, why: string][] = [
    ['', 'nothing'],
    ['0000', 'more than one item'],
    ['18', 'a length without its bytes'],
    ['62c3', 'a text cut short'],
    ['62c328', 'a text that is not UTF-8'],
    ['9f01ff', 'a list without a length'],
    ['bf0102ff', 'a map without a length'],
    ['5f4161ff', 'bytes without a length'],
    ['7f6161ff', 'a text without a length'],
    ['ff', 'a break'],
    ['a201020103', 'a key twice'],
    ['f97e00', 'NaN'],
    ['f97c00', 'infinity'],
    ['fb3ff0000000000000', 'a fraction, though it is 1'],
    ['f93c00', 'a short fraction'],
    ['f7', 'undefined'],
    ['c074323031332d30332d32315432303a30343a30305a', 'a date'],
    ['d9010201', 'a set that is no list'],
    ['d90102a10102', 'a set that is a map'],
    ['c25111111111111111111111111111111111111', 'a bignum too large'],
    ['c201', 'a bignum that is not bytes'],
    ['c34101', 'a negative bignum'],
    ['1c', 'a reserved length'],
    ['fc', 'a reserved value'],
  ];
  for (const [text, why] of cases) t.throws(() => decodeCbor(hex(text)), { code: 'ERR_CBOR' }, why);
  t.end();
});

t.test('bombs are refused at once and take no memory', (t) => {
  const bombs: readonly [bytes: Uint8Array, why: string][] = [
    [new Uint8Array(1_000_000).fill(0x81), 'a million lists'],
    [new Uint8Array(1_000_000).fill(0xa1), 'a million maps'],
    [new Uint8Array(1_000_000).fill(0xc2), 'a million tags'],
    [hex('5bffffffffffffffff'), 'bytes of 2^64'],
    [hex('7b7fffffffffffffff'), 'a text of 2^63'],
    [hex('9bffffffffffffffff00'), 'a list of 2^64'],
    [hex('9affffffff00'), 'a list of 2^32'],
    [hex('bbffffffffffffffff0000'), 'a map of 2^64'],
    [hex('d901029affffffff00'), 'a set of 2^32'],
  ];
  const begin = process.memoryUsage().rss;
  for (const [bytes, why] of bombs) t.throws(() => decodeCbor(bytes), { code: 'ERR_CBOR' }, why);
  t.ok(process.memoryUsage().rss - begin < 128 << 20);
  t.end();
});

t.test('any bytes give a value or ERR_CBOR, also as a corner of a larger buffer', (t) => {
  const property = fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
    const corner = Buffer.concat([Buffer.of(0x81), bytes, Buffer.of(0)]).subarray(1, 1 + bytes.length);
    for (const source of [bytes, corner]) {
      try {
        decodeCbor(source);
      } catch (error) {
        if ((error as { code?: string }).code !== 'ERR_CBOR') throw error;
      }
    }
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 5000 }));
  t.end();
});

t.test('what is written is read back', (t) => {
  const value = fc.letrec<{ value: CborValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.integer(),
      fc.maxSafeNat(),
      fc.string({ unit: 'binary' }),
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array({ maxLength: 40 }),
      fc.uniqueArray(fc.nat(255), { maxLength: 20 }).map((members) => new Set(members.sort((a, b) => a - b))),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.uniqueArray(fc.string({ maxLength: 5 }), { maxLength: 4 }).chain((keys) =>
        fc.array(tie('value'), { minLength: keys.length, maxLength: keys.length }).map((values) => {
          const entries = keys.map((key, i): [CborValue, CborValue] => [key, values[i] ?? null]);
          return new Map<CborValue, CborValue>(entries);
        }),
      ),
    ),
  })).value;
  const property = fc.property(value, (original) => {
    const bytes = encodeCbor(original);
    return Buffer.compare(encodeCbor(decodeCbor(bytes) as CborValue), bytes) === 0;
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 300 }));
  t.end();
});
