/** The messages that small shares of several files travel in. */
import fc from 'fast-check';
import t from 'tap';
import { isTahoeError } from '#core/errors.js';
import { formatBase32 } from '#core/base32.js';
import { cut, extended, flip, flipMany } from '#test/fixtures/byte-damage.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { leaseSecrets, otherIndex, storageIndex } from '#test/fixtures/share-store.js';
import { decodeCbor, encodeCbor } from '#wire/cbor.js';
import type { CborValue } from '#wire/cbor.js';
import {
  batchedStoreSizeMax,
  decodeStoreBatch,
  decodeStoreBatchReply,
  encodeStoreBatch,
  encodeStoreBatchReply,
  REFUSAL_REASON_LENGTH_MAX,
  STORE_BATCH_COUNT_MAX,
} from '#wire/store-batch.js';
import type { BatchedStore } from '#wire/store-batch.js';
import { WHOLE_SHARE_SIZE_MAX } from '#wire/whole-shares.js';

const share = seededBytes('share', 700);
const first: BatchedStore = {
  storageIndex,
  ...leaseSecrets('first'),
  whereNone: true,
  shares: new Map([
    [0, share],
    [255, share.subarray(0, 1)],
  ]),
};
const second = { ...first, storageIndex: otherIndex, ...leaseSecrets('second'), whereNone: false };

/** The request with something else in its first store. */
function damaged(change: (store: Map<CborValue, CborValue>) => unknown): Uint8Array {
  const [store, ...others] = decodeCbor(encodeStoreBatch([first, second])) as Map<CborValue, CborValue>[];
  if (store === undefined) throw new RangeError('two stores');
  change(store);
  return encodeCbor([store, ...others]);
}

const badRequests: readonly (readonly [string, Uint8Array])[] = [
  ['no list', encodeCbor(new Map())],
  ['nothing', encodeCbor([])],
  ['no map in it', encodeCbor([[]])],
  ['a set', encodeCbor(new Set([1]))],
  ['too many', encodeStoreBatch(Array<BatchedStore>(STORE_BATCH_COUNT_MAX + 1).fill(first))],
  ['one key more', damaged((store) => store.set('more', 1))],
  ['a short index', damaged((store) => store.set('storage-index', storageIndex.subarray(1)))],
  ['a long index', damaged((store) => store.set('storage-index', new Uint8Array(17)))],
  ['an index as text', damaged((store) => store.set('storage-index', formatBase32(storageIndex)))],
  ['a short secret', damaged((store) => store.set('renew-secret', first.renewSecret.subarray(1)))],
  ['a long secret', damaged((store) => store.set('renew-secret', Buffer.concat([first.renewSecret, share])))],
  ['a secret as text', damaged((store) => store.set('cancel-secret', formatBase32(first.cancelSecret)))],
  ['a number for true', damaged((store) => store.set('where-none', 1))],
  ['no shares', damaged((store) => store.set('shares', new Map()))],
  ['a list of shares', damaged((store) => store.set('shares', [share]))],
  ['an empty share', damaged((store) => store.set('shares', new Map([[0, new Uint8Array(0)]])))],
  ['no share number', damaged((store) => store.set('shares', new Map([[256, share]])))],
  [
    'too long a share',
    damaged((store) => store.set('shares', new Map([[0, new Uint8Array(WHOLE_SHARE_SIZE_MAX + 1)]]))),
  ],
  ...['storage-index', 'renew-secret', 'cancel-secret', 'where-none', 'shares'].map((key): [string, Uint8Array] => [
    `no ${key}`,
    damaged((store) => store.delete(key)),
  ]),
];

t.test('a request', (t) => {
  t.strictSame(decodeStoreBatch(encodeStoreBatch([first, second])), [first, second]);
  t.strictSame(decodeStoreBatch(encodeStoreBatch([first, second, first])), [first, second, first], 'an index twice');
  const full = Array<BatchedStore>(STORE_BATCH_COUNT_MAX).fill(first);
  t.equal(decodeStoreBatch(encodeStoreBatch(full)).length, STORE_BATCH_COUNT_MAX);
  for (const [what, bytes] of badRequests) t.throws(() => decodeStoreBatch(bytes), { code: 'ERR_MESSAGE' }, what);
  t.throws(() => decodeStoreBatch(encodeStoreBatch([first]).subarray(0, -1)), { code: 'ERR_CBOR' });
  t.end();
});

t.test('no error holds a secret', (t) => {
  for (const [what, bytes] of badRequests) {
    try {
      decodeStoreBatch(bytes);
    } catch (error) {
      const told = JSON.stringify(error, Object.getOwnPropertyNames(error)) + String(error);
      for (const secret of [first.renewSecret, first.cancelSecret]) {
        for (const form of [
          formatBase32(secret),
          ...(['hex', 'base64'] as const).map((as) => Buffer.from(secret).toString(as)),
        ])
          t.notOk(told.includes(form.slice(0, 16)), what);
      }
    }
  }
  t.end();
});

t.test('what a store takes in a request', (t) => {
  for (const sizes of [[1], [WHOLE_SHARE_SIZE_MAX], Array<number>(256).fill(300), [1, 300, 70_000]]) {
    const shares = new Map(sizes.map((size, i) => [i, new Uint8Array(size)]));
    for (const count of [1, STORE_BATCH_COUNT_MAX]) {
      const { length } = encodeStoreBatch(Array<BatchedStore>(count).fill({ ...first, shares }));
      t.ok(length <= count * batchedStoreSizeMax(sizes), `${String(count)} times ${String(sizes.length)} shares`);
    }
  }
  t.end();
});

const stored = { alreadyHave: new Set([1, 2]), stored: new Set([0]) };
const refused = { status: 507, reason: 'no space' };

t.test('a reply', (t) => {
  const outcomes = [stored, refused, { alreadyHave: new Set<number>(), stored: new Set<number>() }];
  t.strictSame(decodeStoreBatchReply(encodeStoreBatchReply(outcomes), 3), outcomes);
  const long = encodeStoreBatchReply([{ status: 500, reason: 'x'.repeat(REFUSAL_REASON_LENGTH_MAX + 1) }]);
  t.match(decodeStoreBatchReply(long, 1), [{ reason: /^x{1000}$/ }], 'a long reason is cut');
  const refusal = (status: CborValue, reason: CborValue): CborValue =>
    new Map<CborValue, CborValue>([
      ['status', status],
      ['reason', reason],
    ]);
  const answer = (alreadyHave: CborValue, now: CborValue): CborValue =>
    new Map<CborValue, CborValue>([
      ['already-have', alreadyHave],
      ['stored', now],
    ]);
  const one = new Set([1]);
  const bad: readonly (readonly [string, CborValue])[] = [
    ['no list', new Map()],
    ['too few', []],
    ['too many', [answer(one, one), answer(one, one)]],
    ['no map', [1]],
    ['no keys', [new Map()]],
    ['one key', [new Map([['stored', one]])]],
    ['a list of numbers', [answer(one, [1])]],
    ['no share number', [answer(new Set([256]), one)]],
    ['both', [new Map([...(refusal(500, '') as Map<CborValue, CborValue>), ['stored', one]])]],
    ['a status that is none', [refusal(200, '')]],
    ['another', [refusal(600, '')]],
    ['a text', [refusal('507', '')]],
    ['no text', [refusal(507, null)]],
    ['too long a text', [refusal(507, 'x'.repeat(REFUSAL_REASON_LENGTH_MAX + 1))]],
  ];
  for (const [what, value] of bad)
    t.throws(() => decodeStoreBatchReply(encodeCbor(value), 1), { code: 'ERR_MESSAGE' }, what);
  t.throws(() => decodeStoreBatchReply(encodeStoreBatchReply([stored]).subarray(0, -1), 1), { code: 'ERR_CBOR' });
  t.end();
});

/** Flips one bit, flips many, cuts, and adds. */
const damages: readonly ((bytes: Uint8Array, below: (limit: number) => number) => Uint8Array)[] = [
  ...[flip, flipMany].map((change) => (bytes: Uint8Array, below: (limit: number) => number) => {
    const spoilt = bytes.slice();
    change(spoilt, below);
    return spoilt;
  }),
  cut,
  extended,
];

t.test('damage gives a message or one of two errors', (t) => {
  const messages = [
    { bytes: encodeStoreBatch([first, second]), decode: decodeStoreBatch },
    {
      bytes: encodeStoreBatchReply([stored, refused]),
      decode: (bytes: Uint8Array) => decodeStoreBatchReply(bytes, 2),
    },
  ];
  const property = fc.property(
    fc.constantFrom(...messages),
    fc.constantFrom(...damages),
    fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
    ({ bytes, decode }, damage, chances) => {
      const below = (limit: number): number => Math.floor((chances.next().value as number) * limit);
      const result = damage(bytes, below);
      try {
        return decode(result).length > 0;
      } catch (error) {
        return isTahoeError(error, 'ERR_CBOR', 'ERR_MESSAGE');
      }
    },
  );
  t.doesNotThrow(() => {
    fc.assert(property, { numRuns: 1000 });
  });
  t.end();
});
