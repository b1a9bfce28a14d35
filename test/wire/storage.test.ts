/** The protocol's paths, headers and messages. */
import fc from 'fast-check';
import t from 'tap';
import { parseBase32 } from '#core/base32.js';
import { utf8 } from '#core/bytes.js';
import { encodeCbor } from '#wire/cbor.js';
import type { CborValue } from '#wire/cbor.js';
import {
  CORRUPT_REASON_SIZE_MAX,
  dangerouslyFormatAuthorization,
  dangerouslyFormatSecret,
  decodeAllocateReply,
  decodeAllocateRequest,
  decodeCorruptRequest,
  decodeRequired,
  decodeShareNumbers,
  decodeVersion,
  encodeAllocateReply,
  encodeAllocateRequest,
  encodeCorruptRequest,
  encodeRequired,
  encodeShareNumbers,
  encodeVersion,
  formatContentRange,
  formatRange,
  fromBase64,
  parseContentRange,
  parseRange,
  parseSecrets,
  parseShareNumber,
  parseStorageIndex,
  storagePath,
} from '#wire/storage.js';

const INDEX = 'aerukz4jvpg66ajdivtytk6n54';
const storageIndex = parseBase32(INDEX);

t.test('paths', (t) => {
  t.equal(storagePath.version, '/storage/v1/version');
  t.equal(storagePath.lease(storageIndex), `/storage/v1/lease/${INDEX}`);
  t.equal(storagePath.allocate(storageIndex), `/storage/v1/immutable/${INDEX}`);
  t.equal(storagePath.shares(storageIndex), `/storage/v1/immutable/${INDEX}/shares`);
  t.equal(storagePath.share(storageIndex, 12), `/storage/v1/immutable/${INDEX}/12`);
  t.equal(storagePath.abort(storageIndex, 0), `/storage/v1/immutable/${INDEX}/0/abort`);
  t.equal(storagePath.corrupt(storageIndex, 255), `/storage/v1/immutable/${INDEX}/255/corrupt`);
  t.strictSame(parseStorageIndex(INDEX), storageIndex);
  for (const text of [
    '',
    INDEX.slice(1),
    `${INDEX}a`,
    INDEX.toUpperCase(),
    `${INDEX.slice(0, 25)}5`,
    `${INDEX.slice(0, 25)}1`,
    `../${INDEX.slice(3)}`,
  ]) {
    t.equal(parseStorageIndex(text), undefined, text);
  }
  for (const text of [
    '',
    '00',
    '01',
    '-0',
    '-1',
    '+1',
    '1e2',
    '0x1',
    ' 1',
    '1 ',
    '١',
    '256',
    '1000',
    '18446744073709551616',
    '1.0',
  ]) {
    t.equal(parseShareNumber(text), undefined, text);
  }
  t.strictSame(['0', '9', '10', '255'].map(parseShareNumber), [0, 9, 10, 255]);
  t.end();
});

t.test('secrets', (t) => {
  t.equal(dangerouslyFormatAuthorization('swissnum'), 'Tahoe-LAFS c3dpc3NudW0=');
  const renew = new Uint8Array(32).fill(1);
  const header = dangerouslyFormatSecret('lease-renew-secret', renew);
  t.equal(header, 'lease-renew-secret AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=');
  const upload = dangerouslyFormatSecret('upload-secret', Uint8Array.of(255));
  t.strictSame(parseSecrets([header, upload], ['upload-secret', 'lease-renew-secret']), {
    'lease-renew-secret': renew,
    'upload-secret': Uint8Array.of(255),
  });
  t.strictSame(parseSecrets([], []), {});
  const bad: readonly [headers: string[], why: string][] = [
    [[], 'missing'],
    [[header], 'another'],
    [[upload, header], 'one too many'],
    [[upload, upload], 'twice'],
    [['upload-secret'], 'no value'],
    [['upload-secret '], 'an empty value'],
    [['upload-secret /w'], 'no padding'],
    [['upload-secret _w=='], 'the other alphabet'],
    [['upload-secret /w== x'], 'something behind it'],
    [['Upload-Secret /w=='], 'another case'],
    [['__proto__ /w=='], 'no kind'],
    [[''], 'nothing'],
  ];
  for (const [headers, why] of bad)
    t.throws(() => parseSecrets(headers, ['upload-secret']), { code: 'ERR_HEADER' }, why);
  for (const size of [0, 1, 31, 33]) {
    const wrong = dangerouslyFormatSecret('lease-cancel-secret', new Uint8Array(size));
    t.throws(() => parseSecrets([wrong], ['lease-cancel-secret']), { code: 'ERR_HEADER' }, String(size));
  }
  t.equal(fromBase64('QQ'), undefined);
  t.strictSame(fromBase64(''), new Uint8Array(0));
  t.end();
});

t.test('ranges', (t) => {
  t.equal(formatRange({ begin: 5, end: 10 }), 'bytes=5-9');
  t.equal(formatContentRange({ begin: 5, end: 10 }), 'bytes 5-9/*');
  t.strictSame(parseContentRange('bytes 5-9/12'), { begin: 5, end: 10 });
  const property = fc.property(fc.nat(), fc.nat(), (begin, size) => {
    const range = { begin, end: begin + size + 1 };
    t.strictSame(parseRange(formatRange(range)), range);
    t.strictSame(parseContentRange(formatContentRange(range)), range);
  });
  t.doesNotThrow(() => fc.assert(property));
  const ranges = [
    '',
    'bytes',
    'bytes=',
    'bytes=1-',
    'bytes=-1',
    'bytes=2-1',
    'bytes=1-2,4-5',
    'bytes=a-b',
    'bytes=1-99999999999999999',
    'Bytes=1-2x',
    'bytes=+1-2',
    'bytes=1 - 2',
    'bytes 1-2',
    'bytes=١-٢',
  ];
  for (const text of ranges) t.equal(parseRange(text), undefined, text);
  const contentRanges = [
    '',
    'bytes',
    'bytes 1-/*',
    'bytes */*',
    'bytes */5',
    'bytes 2-1/*',
    'bytes 1-2',
    'bytes=1-2/*',
    'bytes 1-2/x',
    'bytes 1-9007199254740991/*',
  ];
  for (const text of contentRanges) t.equal(parseContentRange(text), undefined, text);
  const begin = process.hrtime.bigint();
  for (const text of ['bytes=' + '1'.repeat(1_000_000), 'bytes=' + '1-2,'.repeat(10_000), ' '.repeat(100_000) + 'x'])
    parseRange(text);
  t.ok(process.hrtime.bigint() - begin < 1_000_000_000n, 'in linear time');
  t.end();
});

t.test('the version', (t) => {
  const version = {
    maximumImmutableShareSize: 10,
    maximumMutableShareSize: 69_105_000_000_000_000n,
    availableSpace: 2n ** 63n,
    applicationVersion: 'tallac/1',
  };
  t.strictSame(decodeVersion(encodeVersion(version)), version);
  // What the reference's server sends where it cannot measure its disk: three sizes, two of them 2^64.
  const key = utf8('http://allmydata.org/tahoe/protocols/storage/v1');
  const sizes = ['maximum-immutable-share-size', 'maximum-mutable-share-size', 'available-space'];
  const reply = (size: CborValue): Uint8Array =>
    encodeCbor(
      new Map<CborValue, CborValue>([[key, new Map<CborValue, CborValue>(sizes.map((name) => [utf8(name), size]))]]),
    );
  const text = Buffer.from(reply(5))
    .toString('hex')
    .replaceAll(/05(?=58|57|4f|$)/g, 'c249010000000000000000');
  const unknown = decodeVersion(Buffer.from(text, 'hex'));
  t.match(unknown, {
    maximumImmutableShareSize: Number.MAX_SAFE_INTEGER,
    availableSpace: 2n ** 64n,
    applicationVersion: '',
  });
  for (const bad of [-1, 'x', null]) t.throws(() => decodeVersion(reply(bad)), { code: 'ERR_MESSAGE' });
  t.throws(() => decodeVersion(encodeCbor(new Map())), { code: 'ERR_MESSAGE' });
  t.throws(() => decodeVersion(encodeCbor(5)), { code: 'ERR_MESSAGE' });
  t.end();
});

t.test('messages are read back as they were written', (t) => {
  const numbers = fc.uniqueArray(fc.nat(255)).map((list) => new Set(list.sort((a, b) => a - b)));
  const property = fc.property(numbers, numbers, fc.maxSafeNat(), (one, other, size) => {
    t.strictSame(decodeAllocateRequest(encodeAllocateRequest({ shareNumbers: one, allocatedSize: size })), {
      shareNumbers: one,
      allocatedSize: size,
    });
    t.strictSame(decodeAllocateReply(encodeAllocateReply({ alreadyHave: one, allocated: other })), {
      alreadyHave: one,
      allocated: other,
    });
    t.strictSame(decodeShareNumbers(encodeShareNumbers(one)), one);
  });
  t.doesNotThrow(() => fc.assert(property));
  const required = [
    { begin: 0, end: 5 },
    { begin: 7, end: 2 ** 52 },
  ];
  t.strictSame(decodeRequired(encodeRequired(required)), required);
  t.strictSame(decodeRequired(encodeRequired([])), []);
  t.equal(decodeCorruptRequest(encodeCorruptRequest('ü')), 'ü');
  t.end();
});

t.test('messages that break their schema', (t) => {
  const map = (...entries: [CborValue, CborValue][]): Uint8Array => encodeCbor(new Map(entries));
  const requests: readonly [bytes: Uint8Array, why: string][] = [
    [map(['share-numbers', new Set([1])]), 'a key missing'],
    [map(['share-numbers', new Set([1])], ['allocated-size', 1], ['more', 1]), 'a key too many'],
    [map(['share-numbers', new Set([1])], ['allocated-sizes', 1]), 'another key'],
    [map(['share-numbers', [1]], ['allocated-size', 1]), 'no set'],
    [map(['share-numbers', new Set([256])], ['allocated-size', 1]), 'a share number too large'],
    [map(['share-numbers', new Set([1])], ['allocated-size', -1]), 'a negative size'],
    [map(['share-numbers', new Set([1])], ['allocated-size', 2n ** 60n]), 'a size beyond 2^53'],
    [map(['share-numbers', new Set([1])], ['allocated-size', '1']), 'a text'],
    [encodeCbor([]), 'a list'],
  ];
  for (const [bytes, why] of requests) t.throws(() => decodeAllocateRequest(bytes), { code: 'ERR_MESSAGE' }, why);
  const wide = new Set(Array.from({ length: 257 }, (_, i) => i));
  t.throws(() => decodeShareNumbers(encodeCbor(wide)), { code: 'ERR_MESSAGE' });
  for (const reason of ['', 5, utf8('bytes'), null, 'x'.repeat(CORRUPT_REASON_SIZE_MAX + 1), 'ü'.repeat(20_000)]) {
    t.throws(() => decodeCorruptRequest(map(['reason', reason])), { code: 'ERR_MESSAGE' });
  }
  t.throws(() => decodeCorruptRequest(map(['reason', 'x'], ['more', 'x'])), { code: 'ERR_MESSAGE' });
  t.throws(() => decodeRequired(map(['required', 5])), { code: 'ERR_MESSAGE' });
  t.throws(() => decodeRequired(map(['required', [5]])), { code: 'ERR_MESSAGE' });
  t.throws(() => decodeRequired(map()), { code: 'ERR_MESSAGE' });
  t.throws(() => decodeAllocateReply(map(['allocated', new Set([1])])), { code: 'ERR_MESSAGE' });
  t.throws(() => decodeAllocateReply(new Uint8Array(0)), { code: 'ERR_CBOR' });
  t.end();
});
