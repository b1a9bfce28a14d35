/** Records as bytes: read back as they were, or known to be nothing; and how one follows from another. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { nextRecord, isUnchanged } from '#storage/index/record-change.js';
import type { SeenShare } from '#storage/index/share-inventory.js';
import {
  decodeDirectoryRecord,
  decodeShareRecord,
  encodeDirectoryRecord,
  encodeShareRecord,
  placeOfKey,
  shareKey,
} from '#storage/index/share-record.js';
import type { ShareRecord } from '#storage/index/share-record.js';
import { availableSpace } from '#storage/index/usage.js';
import { crypto, seededBytes } from '#test/fixtures/crypto.js';

const size = fc.nat(Number.MAX_SAFE_INTEGER);
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const plain = { noNullPrototype: true } as const;
const records: fc.Arbitrary<ShareRecord> = fc.record(
  {
    kind: fc.constantFrom('damaged', 'immutable', 'mutable'),
    ...{ fileSize: size, dataSize: size, diskBytes: size, lastScrubbedMs: size },
    stamp: fc.record({ inode: uint64, modifiedNs: uint64 }, plain),
    ...{ leaseCount: uint32, earliestExpiry: uint32, latestExpiry: uint32, isRotten: fc.boolean() },
    checksum: fc.option(fc.uint8Array({ minLength: 32, maxLength: 32 }), { nil: undefined }),
  },
  plain,
);
const place = { storageIndex: seededBytes('index', 16), shareNumber: 7 };
const key = shareKey(place);

t.test('a record is read back as it was', async (t) => {
  const property = fc.property(records, (record) =>
    isDeepStrictEqual(decodeShareRecord(crypto, key, encodeShareRecord(crypto, key, record)), record),
  );
  t.doesNotThrow(() => fc.assert(property, { numRuns: 500 }));
  t.strictSame(placeOfKey(key), place);
  t.equal(placeOfKey(place.storageIndex), undefined);
  t.equal(decodeDirectoryRecord(crypto, key, encodeDirectoryRecord(crypto, key, 12_288)), 12_288);
});

t.test('every bit that is flipped, every cut and every other key makes it nothing', async (t) => {
  const [record] = fc.sample(records, { numRuns: 1, seed: 1 });
  if (record === undefined) throw new Error('no sample');
  const other = shareKey({ ...place, shareNumber: 8 });
  for (const [sealed, decode] of [
    [encodeShareRecord(crypto, key, record), decodeShareRecord],
    [encodeDirectoryRecord(crypto, key, 4096), decodeDirectoryRecord],
  ] as const) {
    const readable = (bytes: Uint8Array): boolean => decode(crypto, key, bytes) !== undefined;
    t.ok(readable(sealed));
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const flipped = Uint8Array.from(sealed, (byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      if (readable(flipped)) t.fail(`bit ${bit}`);
    }
    for (let length = 0; length < sealed.length; length++)
      if (readable(sealed.subarray(0, length))) t.fail(`${length}`);
    t.notOk(readable(new Uint8Array([...sealed, 0])));
    t.equal(decode(crypto, other, sealed), undefined, 'under another key');
  }
});

t.test('a checksum is kept while the data are certain to be the same', async (t) => {
  const checksum = new Uint8Array(32).fill(1);
  const seen = (kind: 'immutable' | 'mutable', modifiedNs: bigint, inode = 5n, dataSize = 10): SeenShare => ({
    ...{ fileSize: 94, diskBytes: 4096, stamp: { inode, modifiedNs } },
    facts: { kind, dataSize, expiries: [30, 20] },
  });
  const old = (kind: 'immutable' | 'mutable', modifiedNs = 1n): ShareRecord =>
    nextRecord(undefined, seen(kind, modifiedNs), 'data', checksum);
  t.match(old('mutable'), { leaseCount: 2, earliestExpiry: 20, latestExpiry: 30, checksum, isRotten: false });
  const kept = (before: ShareRecord, now: SeenShare, change: Parameters<typeof nextRecord>[2]): boolean =>
    nextRecord(before, now, change).checksum !== undefined;
  for (const kind of ['immutable', 'mutable'] as const) {
    t.notOk(kept(old(kind), seen(kind, 1n), 'data'), 'the store says that the data changed');
    t.ok(kept(old(kind), seen(kind, 2n, 6n), 'leases'), 'the store says that only leases did');
    t.ok(kept(old(kind), seen(kind, 1n), 'unknown'), 'nothing changed');
    t.notOk(kept(old(kind), seen(kind, 2n, 6n), 'unknown'), 'another file');
    t.notOk(kept(old(kind), seen(kind, 2n, 5n, 11), 'leases'), 'another size');
    t.notOk(kept(old(kind), { ...seen(kind, 2n), damage: 'torn' }, 'leases'), 'no container any more');
  }
  t.ok(kept(old('immutable'), seen('immutable', 2n), 'unknown'), 'another program renewed a lease');
  t.notOk(kept(old('mutable'), seen('mutable', 2n), 'unknown'), 'another program may have written');
  t.notOk(kept(old('mutable', 0n), seen('mutable', 0n), 'unknown'), 'it may have been changed in the same moment');
  t.ok(isUnchanged(old('mutable'), seen('mutable', 1n)));
  t.notOk(isUnchanged(old('mutable', 0n), seen('mutable', 0n)));
  t.notOk(isUnchanged(old('mutable'), { ...seen('mutable', 1n), fileSize: 95 }));
});

t.test('what may still be stored', async (t) => {
  const limits = { freeBytes: 1000, reservedBytes: 100, usedBytes: 300, maximumBytes: undefined };
  t.equal(availableSpace(limits), 900);
  t.equal(availableSpace({ ...limits, reservedBytes: 1001 }), 0);
  t.equal(availableSpace({ ...limits, maximumBytes: 500 }), 200);
  t.equal(availableSpace({ ...limits, maximumBytes: 299 }), 0);
  t.equal(availableSpace({ ...limits, maximumBytes: 10_000 }), 900);
});
