/** The mutable half's messages against those that the reference's own code made. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { parseBase32 } from '#core/base32.js';
import { concat, equalBytes } from '#core/bytes.js';
import { encodeCbor } from '#wire/cbor.js';
import type { CborValue } from '#wire/cbor.js';
import { SHARE_COUNT_MAX } from '#wire/storage.js';
import {
  decodeReadTestWriteReply,
  decodeReadTestWriteRequest,
  encodeReadTestWriteReply,
  encodeReadTestWriteRequest,
  mutablePath,
  VECTOR_COUNT_MAX,
} from '#wire/storage-mutable.js';
import type { ReadTestWriteReply, ReadTestWriteRequest } from '#wire/storage-mutable.js';
import { counting, fromText, mutableVectors } from '#test/fixtures/mutable-vectors.js';

const INDEX = 'aerukz4jvpg66ajdivtytk6n54';
const { messages } = mutableVectors;

const request: ReadTestWriteRequest = {
  shares: new Map([
    [
      0,
      {
        tests: [{ offset: 0, size: 1, specimen: new Uint8Array(0) }],
        writes: [
          { offset: 0, data: new Uint8Array(Buffer.from('hello')) },
          { offset: 70_000, data: counting(0, 300) },
        ],
        newLength: undefined,
      },
    ],
    [3, { tests: [], writes: [], newLength: 0 }],
    [
      255,
      {
        tests: [{ offset: 2 ** 40, size: 2 ** 32, specimen: counting(7, 41) }],
        writes: [{ offset: 24, data: new Uint8Array(0) }],
        newLength: 2 ** 33,
      },
    ],
  ]),
  reads: [
    { offset: 0, size: 1000 },
    { offset: 256, size: 65_536 },
  ],
};
const empty: ReadTestWriteRequest = { shares: new Map(), reads: [] };
const replies: readonly ReadTestWriteReply[] = [
  { success: true, data: new Map() },
  {
    success: false,
    data: new Map([
      [0, [new Uint8Array(0), counting(0, 24)]],
      [30, [new Uint8Array(256).fill(0x78), new Uint8Array(0)]],
    ]),
  },
];

t.test('paths', (t) => {
  const storageIndex = parseBase32(INDEX);
  t.equal(mutablePath.readTestWrite(storageIndex), `/storage/v1/mutable/${INDEX}/read-test-write`);
  t.equal(mutablePath.shares(storageIndex), `/storage/v1/mutable/${INDEX}/shares`);
  t.equal(mutablePath.share(storageIndex, 12), `/storage/v1/mutable/${INDEX}/12`);
  t.equal(mutablePath.corrupt(storageIndex, 0), `/storage/v1/mutable/${INDEX}/0/corrupt`);
  t.end();
});

t.test('the same bytes as the reference, both ways', (t) => {
  for (const [message, text] of [
    [request, messages.request],
    [empty, messages.emptyRequest],
  ] as const) {
    const bytes = fromText(text);
    t.ok(equalBytes(concat(...encodeReadTestWriteRequest(message)), bytes));
    t.strictSame(decodeReadTestWriteRequest(bytes), message);
  }
  for (const [i, reply] of replies.entries()) {
    const bytes = fromText(messages.replies[i] ?? '');
    t.ok(equalBytes(concat(...encodeReadTestWriteReply(reply)), bytes));
    t.strictSame(decodeReadTestWriteReply(bytes), reply);
  }
  t.end();
});

const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.constantFrom(new Uint8Array(5000), new Uint8Array(70_000)),
);
const anyOffset = fc.oneof(fc.nat(30), fc.maxSafeNat());
const plain = { noNullPrototype: true };
const anyVectors = fc.record(
  {
    tests: fc.array(fc.record({ offset: anyOffset, size: anyOffset, specimen: anyBytes }, plain), { maxLength: 3 }),
    writes: fc.array(fc.record({ offset: anyOffset, data: anyBytes }, plain), { maxLength: 3 }),
    newLength: fc.option(anyOffset, { nil: undefined }),
  },
  plain,
);
const anyRequest = fc.record(
  {
    shares: fc.array(fc.tuple(fc.nat(255), anyVectors), { maxLength: 4 }).map((entries) => new Map(entries)),
    reads: fc.array(fc.record({ offset: anyOffset, size: anyOffset }, plain), { maxLength: 3 }),
  },
  plain,
);

t.test('any request and reply comes back', (t) => {
  const property = fc.property(
    anyRequest,
    fc.boolean(),
    fc.array(anyBytes, { maxLength: 3 }),
    (each, success, pieces) => {
      const again = decodeReadTestWriteRequest(concat(...encodeReadTestWriteRequest(each)));
      const reply = { success, data: new Map([[7, pieces]]) };
      const replyAgain = decodeReadTestWriteReply(concat(...encodeReadTestWriteReply(reply)));
      return isDeepStrictEqual(again, each) && isDeepStrictEqual(replyAgain, reply);
    },
  );
  t.doesNotThrow(() => {
    fc.assert(property, { numRuns: 100 });
  });
  t.end();
});

/** Maps from plain objects, for messages that are wrong. */
function map(entries: Record<string, CborValue>): Map<CborValue, CborValue> {
  return new Map<CborValue, CborValue>(Object.entries(entries));
}

function requestOf(changes: Record<string, CborValue>, shareNumber: CborValue = 0): Uint8Array {
  const share = map({ test: [], write: [], 'new-length': null, ...changes });
  return encodeCbor(map({ 'test-write-vectors': new Map([[shareNumber, share]]), 'read-vector': [] }));
}

t.test('requests that are not as they should be', (t) => {
  const test = map({ offset: 0, size: 1, specimen: Uint8Array.of(1) });
  const write = map({ offset: 0, data: Uint8Array.of(1) });
  const read = map({ offset: 0, size: 1 });
  const many = VECTOR_COUNT_MAX;
  t.equal(decodeReadTestWriteRequest(requestOf({ test: Array<CborValue>(many).fill(test) })).shares.size, 1);
  const shares = (count: number): Map<CborValue, CborValue> =>
    new Map(Array.from({ length: count }, (_, i) => [i, map({ test: [], write: [], 'new-length': 1 })]));
  const bad: readonly [Uint8Array, string][] = [
    [encodeCbor(map({})), 'nothing in it'],
    [encodeCbor([]), 'a list'],
    [encodeCbor(map({ 'test-write-vectors': map({}), 'read-vector': [], more: 1 })), 'one key more'],
    [encodeCbor(map({ 'test-write-vectors': [], 'read-vector': [] })), 'a list of shares'],
    [encodeCbor(map({ 'test-write-vectors': map({}), 'read-vector': Array<CborValue>(many + 1).fill(read) })), 'reads'],
    [encodeCbor(map({ 'test-write-vectors': map({}), 'read-vector': [write] })), 'a write among the reads'],
    [encodeCbor(map({ 'test-write-vectors': shares(SHARE_COUNT_MAX + 1), 'read-vector': [] })), 'shares'],
    [requestOf({}, 256), 'the share number 256'],
    [requestOf({}, -1), 'the share number -1'],
    [requestOf({}, '0'), 'a text as the share number'],
    [requestOf({ test: Array<CborValue>(many + 1).fill(test) }), 'tests'],
    [requestOf({ test: [write] }), 'a write among the tests'],
    [requestOf({ test: [map({ offset: 0, size: 1, specimen: Uint8Array.of(1), operator: 'eq' })] }), 'an operator'],
    [requestOf({ test: [map({ offset: 0, size: 1, specimen: 'text' })] }), 'a text as the specimen'],
    [requestOf({ write: map({}) }), 'a map of writes'],
    [requestOf({ write: [[0, Uint8Array.of(1)]] }), 'a list as a write'],
    [requestOf({ write: [map({ offset: -1, data: Uint8Array.of(1) })] }), 'a negative offset'],
    [requestOf({ write: [map({ offset: 2n ** 63n, data: Uint8Array.of(1) })] }), 'an offset of 2^63'],
    [requestOf({ write: [map({ offset: 0, data: 'text' })] }), 'a text as data'],
    [requestOf({ 'new-length': false }), 'no length'],
    [requestOf({ more: 1 }), 'one key more for a share'],
  ];
  for (const [bytes, why] of bad) {
    t.throws(() => decodeReadTestWriteRequest(bytes), { code: 'ERR_MESSAGE' }, why);
  }
  t.throws(() => decodeReadTestWriteRequest(new Uint8Array(0)), { code: 'ERR_CBOR' });
  t.end();
});

t.test('replies that are not as they should be', (t) => {
  const bad: readonly CborValue[] = [
    null,
    map({ data: map({}) }),
    map({ success: 1, data: map({}) }),
    map({ success: true, data: [] }),
    map({ success: true, data: new Map<CborValue, CborValue>([[256, []]]) }),
    map({ success: true, data: new Map<CborValue, CborValue>([[0, 'text']]) }),
    map({ success: true, data: new Map<CborValue, CborValue>([[0, ['text']]]) }),
    map({ success: true, data: new Map(Array.from({ length: SHARE_COUNT_MAX + 1 }, (_, i) => [i, []])) }),
  ];
  for (const value of bad) t.throws(() => decodeReadTestWriteReply(encodeCbor(value)), { code: 'ERR_MESSAGE' });
  t.end();
});
