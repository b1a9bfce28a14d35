/** What is kept of uploads in progress, as bytes. */
import fc from 'fast-check';
import t from 'tap';
import { concat } from '#core/bytes.js';
import {
  decodeUploadFile,
  encodeUploadSlot,
  RECORDED_RANGE_COUNT_MAX,
  UPLOAD_SLOT_SIZE,
} from '#storage/upload-record.js';
import type { UploadRecord } from '#storage/upload-record.js';
import { seededBytes } from '#test/fixtures/crypto.js';

const record: UploadRecord = {
  storageIndex: seededBytes('index', 16),
  shareNumber: 255,
  allocatedSize: 2 ** 40,
  secretHash: seededBytes('hash', 32),
  lease: seededBytes('lease', 72),
  ranges: [
    { begin: 0, end: 5000 },
    { begin: 5001, end: 2 ** 40 },
  ],
};
const empty = new Uint8Array(UPLOAD_SLOT_SIZE);

t.test('records go there and back', (t) => {
  const gaps = fc.array(fc.tuple(fc.integer({ min: 1, max: 2 ** 31 }), fc.integer({ min: 1, max: 2 ** 31 })), {
    maxLength: RECORDED_RANGE_COUNT_MAX,
  });
  fc.assert(
    fc.property(gaps, fc.nat(), (pairs, number) => {
      let end = -1;
      const ranges = pairs.map(([gap, size]) => {
        const begin = end + gap;
        end = begin + size;
        return { begin, end };
      });
      const slot = encodeUploadSlot(number, { ...record, ranges });
      t.equal(slot.length, UPLOAD_SLOT_SIZE);
      t.strictSame(decodeUploadFile(slot), { number, record: { ...record, ranges } });
    }),
    { numRuns: 50 },
  );
  t.end();
});

t.test('the newer slot counts, unless it is damaged', (t) => {
  const [old, young] = [encodeUploadSlot(7, record), encodeUploadSlot(8, { ...record, ranges: [] })];
  t.equal(decodeUploadFile(concat(young, old))?.number, 8);
  t.equal(decodeUploadFile(concat(old, young))?.number, 8);
  t.equal(decodeUploadFile(concat(empty, old))?.number, 7, 'the first was never written');
  for (let i = 0; i < UPLOAD_SLOT_SIZE; i += 13) {
    const flipped = young.slice();
    flipped[i] = (flipped[i] ?? 0) ^ (1 << (i % 8));
    t.equal(decodeUploadFile(concat(flipped, old))?.number, 7, `a flip in byte ${String(i)}`);
    t.equal(decodeUploadFile(flipped), undefined);
  }
  for (const size of [0, 1, 100, UPLOAD_SLOT_SIZE - 1]) t.equal(decodeUploadFile(young.subarray(0, size)), undefined);
  t.end();
});

t.test('of too many ranges the longest are kept, in order', (t) => {
  const ranges = Array.from({ length: 1000 }, (_, i) => ({
    begin: 10_000 * i,
    end: 10_000 * i + 1 + ((i * 7) % 1000),
  }));
  const kept = decodeUploadFile(encodeUploadSlot(1, { ...record, ranges }))?.record.ranges ?? [];
  t.equal(kept.length, RECORDED_RANGE_COUNT_MAX);
  t.ok(kept.every(({ begin, end }) => end - begin > 1000 - RECORDED_RANGE_COUNT_MAX));
  t.strictSame(
    kept,
    [...kept].sort((a, b) => a.begin - b.begin),
  );
  t.end();
});

t.test('ranges that make no sense are no record', (t) => {
  const senseless = [
    [{ begin: 5, end: 5 }],
    [{ begin: 0, end: 2 ** 40 + 1 }],
    [
      { begin: 10, end: 20 },
      { begin: 20, end: 30 },
    ],
    [
      { begin: 10, end: 20 },
      { begin: 0, end: 5 },
    ],
  ];
  for (const ranges of senseless) t.equal(decodeUploadFile(encodeUploadSlot(1, { ...record, ranges })), undefined);
  t.end();
});
