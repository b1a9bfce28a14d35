/** File parameters, URI extension blocks and share layouts: edges, properties, damage. */
import t from 'tap';
import fc from 'fast-check';
import { concat, equalBytes, fromUtf8, toHex, utf8 } from '#core/bytes.js';
import { isTahoeError } from '#core/errors.js';
import { createErasureCodec } from '#core/erasure/codec.js';
import { CiphertextEncoder, ShareEncoder } from '#core/immutable/encoder.js';
import {
  decodeShareHashes,
  decodeShareHeader,
  encodeShareHashes,
  encodeShareHeader,
  layoutOf,
  layoutOfVersion,
} from '#core/immutable/layout.js';
import { blockSizeOf, fileParameters, parametersOf, segmentSizeOf, shareDataSize } from '#core/immutable/parameters.js';
import { decodeUeb, encodeUeb, isUebConsistent, uebSize } from '#core/immutable/ueb.js';
import { crypto, seededBytes } from '../fixtures/crypto.js';

const hashes = {
  crypttextHash: new Uint8Array(32).fill(1),
  crypttextRootHash: new Uint8Array(32).fill(2),
  shareRootHash: new Uint8Array(32).fill(3),
};
const encodings = fc
  .tuple(fc.integer({ min: 1, max: 256 }), fc.integer({ min: 1, max: 256 }))
  .map(([a, b]) => ({ needed: Math.min(a, b), total: Math.max(a, b) }));

t.test('segments and blocks cover the file exactly', async () => {
  fc.assert(
    fc.property(
      encodings,
      fc.integer({ min: 1, max: 2 ** 40 }),
      fc.integer({ min: 1, max: 2 ** 21 }),
      (encoding, size, max) => {
        const file = fileParameters(encoding, size, max);
        const last = file.segmentCount - 1;
        const covered = last * segmentSizeOf(file, 0) * (last > 0 ? 1 : 0) + segmentSizeOf(file, last);
        const tailFits = blockSizeOf(file, last) * encoding.needed - segmentSizeOf(file, last);
        return (
          covered === size &&
          file.segmentSize % encoding.needed === 0 &&
          tailFits >= 0 &&
          tailFits < encoding.needed &&
          shareDataSize(file) === last * file.blockSize + file.tailBlockSize &&
          equalFile(file, parametersOf(encoding, size, file.segmentSize))
        );
      },
    ),
  );
});

function equalFile(a: object, b: object): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

t.test('impossible encodings are refused', async (t) => {
  for (const [needed, total] of [
    [0, 1],
    [2, 1],
    [1, 257],
    [1.5, 2],
    [Number.NaN, 3],
  ] as const) {
    t.throws(() => fileParameters({ needed, total }, 100), { code: 'ERR_ENCODING' });
  }
});

t.test('a URI extension block has its eleven keys in order and the size that was foretold', async (t) => {
  const file = fileParameters({ needed: 3, total: 10 }, 2_000_000, 1_048_576);
  const ueb = encodeUeb(file, hashes);
  const keys = [
    ...Buffer.from(ueb)
      .toString('latin1')
      .matchAll(/([a-z_]+):\d+:/g),
  ].map((match) => match[1]);
  t.same(keys, [...keys].sort());
  t.equal(keys.length, 11);
  t.match(Buffer.from(ueb).toString('latin1'), 'codec_params:12:1048578-3-10,');
  t.match(Buffer.from(ueb).toString('latin1'), 'tail_codec_params:11:951423-3-10,');
  fc.assert(
    fc.property(encodings, fc.integer({ min: 1, max: 2 ** 50 }), (encoding, size) => {
      const any = fileParameters(encoding, size);
      const bytes = encodeUeb(any, hashes);
      const read = decodeUeb(bytes);
      return bytes.length === uebSize(any) && read.size === size && read.segmentSize === any.segmentSize;
    }),
  );
});

t.test('a damaged URI extension block is an error with a code, or reads the same', async () => {
  const bytes = encodeUeb(fileParameters({ needed: 3, total: 10 }, 2_000_000), hashes);
  fc.assert(
    fc.property(fc.nat(bytes.length), fc.nat(bytes.length - 1), fc.nat(255), (size, index, value) => {
      const damaged = bytes.slice(0, size);
      if (index < size) damaged[index] = value;
      try {
        return decodeUeb(damaged).segmentCount > 0;
      } catch (error) {
        return isTahoeError(error, 'ERR_UEB');
      }
    }),
    { numRuns: 2000 },
  );
});

t.test('headers come back in both versions', async () => {
  fc.assert(
    fc.property(
      encodings,
      fc.integer({ min: 1, max: 2 ** 31 }),
      fc.constantFrom(1 as const, 2 as const),
      (encoding, size, version) => {
        const file = fileParameters(encoding, size);
        const layout = layoutOfVersion(file, version);
        const bytes = encodeShareHeader(file, layout);
        const read = decodeShareHeader(bytes);
        return (
          bytes.length === (version === 1 ? 0x24 : 0x44) &&
          read.version === version &&
          JSON.stringify(read.offsets) === JSON.stringify(layout.offsets)
        );
      },
    ),
  );
});

t.test('version 2 begins where 32 bits end', async (t) => {
  const version = (size: number): number => layoutOf(fileParameters({ needed: 1, total: 1 }, size)).version;
  t.equal(version(2 ** 32 - 2 ** 21), 1);
  t.equal(version(2 ** 32 - 1000), 2, 'the last offset reaches 2^32 before the data does');
  t.equal(version(2 ** 33), 2);
  t.equal(
    layoutOf(fileParameters({ needed: 4, total: 4 }, 2 ** 33)).version,
    1,
    'a share is what counts, not the file',
  );
});

t.test('headers cut short, of unknown version, or with numbers beyond 2^53 are refused', async (t) => {
  const file = fileParameters({ needed: 3, total: 10 }, 1000);
  for (const version of [1, 2] as const) {
    const bytes = encodeShareHeader(file, layoutOfVersion(file, version));
    for (let size = 0; size < bytes.length; size++) {
      t.throws(() => decodeShareHeader(bytes.subarray(0, size)), { code: 'ERR_SHARE_LAYOUT' });
    }
  }
  t.throws(() => decodeShareHeader(new Uint8Array(68).fill(0)), { code: 'ERR_SHARE_LAYOUT' });
  const huge = encodeShareHeader(file, layoutOfVersion(file, 2)).fill(0xff, 20);
  t.throws(() => decodeShareHeader(huge), { code: 'ERR_SHARE_LAYOUT' });
});

t.test('share hashes are read in any order and must be whole', async (t) => {
  const nodes = new Map([16, 8, 2, 4, 15].map((index) => [index, new Uint8Array(32).fill(index)]));
  const bytes = encodeShareHashes(nodes);
  t.equal(bytes.length, 5 * 34);
  t.same([...decodeShareHashes(bytes).keys()], [16, 8, 2, 4, 15]);
  t.throws(() => decodeShareHashes(bytes.subarray(1)), { code: 'ERR_SHARE_LAYOUT' });
});

t.test('an encoded share fills its allocation exactly, in every encoding and size', async () => {
  fc.assert(
    fc.property(
      encodings,
      fc.integer({ min: 1, max: 5000 }),
      fc.integer({ min: 40, max: 2000 }),
      (encoding, size, max) => {
        const file = fileParameters(encoding, size, max);
        const encoder = new ShareEncoder(crypto, createErasureCodec(file.needed, file.total), file, new Uint8Array(16));
        const plaintext = seededBytes('plaintext', size);
        let dataSize = 0;
        for (let segment = 0; segment < file.segmentCount; segment++) {
          const begin = segment * file.segmentSize;
          const blocks = encoder.encodeSegment(plaintext.subarray(begin, begin + file.segmentSize));
          dataSize += blocks[file.total - 1]?.length ?? 0;
        }
        const { trailers } = encoder.finish();
        const header = encodeShareHeader(file, encoder.layout);
        const sizes = trailers.map((trailer) => header.length + dataSize + trailer.length);
        return sizes.length === file.total && sizes.every((share) => share === encoder.layout.allocatedSize);
      },
    ),
    { numRuns: 20 },
  );
});

t.test('segments out of step are a bug, not a share', async (t) => {
  const file = fileParameters({ needed: 1, total: 1 }, 100);
  const encoder = new ShareEncoder(crypto, createErasureCodec(1, 1), file, new Uint8Array(16));
  t.throws(() => encoder.encodeSegment(new Uint8Array(99)), RangeError);
  t.ok(
    equalBytes(
      encoder.encodeSegment(new Uint8Array(100))[0] ?? new Uint8Array(0),
      crypto.aesCtr(new Uint8Array(16), 0).process(new Uint8Array(100)),
    ),
  );
  t.equal(toHex(new Uint8Array([1])), '01');
  t.equal(fromUtf8(new Uint8Array([0x61])), 'a');
});

t.test('ciphertext encodes to the same shares, under the URI extension block that the file has', async (t) => {
  const file = fileParameters({ needed: 2, total: 4 }, 1000, 300);
  const codec = createErasureCodec(2, 4);
  const [plaintext, readKey] = [seededBytes('plaintext', 1000), new Uint8Array(16).fill(3)];
  const ciphertext = crypto.aesCtr(readKey, 0).process(plaintext);
  const encode = (encoder: ShareEncoder | CiphertextEncoder, bytes: Uint8Array): Uint8Array[][] =>
    Array.from({ length: file.segmentCount }, (_, i) => encoder.encodeSegment(bytes.subarray(300 * i, 300 * i + 300)));
  const first = new ShareEncoder(crypto, codec, file, readKey);
  const blocks = encode(first, plaintext);
  const { trailers, capability } = first.finish();
  const ueb = trailers[0]?.slice(-uebSize(file)) ?? new Uint8Array(0);
  const again = new CiphertextEncoder(crypto, codec, file, ueb);
  t.same(encode(again, ciphertext), blocks);
  t.same(again.finish(), { trailers, ueb, uebHash: capability.uebHash });

  const older = concat(ueb, utf8('zz_unknown:2:hi,'));
  const kept = new CiphertextEncoder(crypto, codec, file, older);
  encode(kept, ciphertext);
  const size = first.layout.allocatedSize + older.length - ueb.length;
  t.equal(kept.layout.allocatedSize, size);
  t.ok(equalBytes(kept.finish().trailers[3]?.slice(-older.length) ?? new Uint8Array(0), older), 'as it was');

  const other = new CiphertextEncoder(crypto, codec, file, ueb);
  encode(other, plaintext);
  t.throws(() => other.finish(), { code: 'ERR_HASH' }, 'another file under this URI extension block');
});

t.test('what a URI extension block says twice must agree; what it leaves out need not', async (t) => {
  const file = fileParameters({ needed: 3, total: 10 }, 2_000_000);
  const bytes = encodeUeb(file, hashes);
  t.ok(isUebConsistent(bytes, file));
  const text = Buffer.from(bytes).toString('latin1');
  const changed: [string, string][] = [
    ['codec_name:3:crs', 'codec_name:3:xor'],
    ['1048578-3-10', '1048578-4-10'],
    ['951423-3-10', '951423-3-11'],
    ['needed_shares:1:3', 'needed_shares:1:4'],
    ['total_shares:2:10', 'total_shares:2:11'],
  ];
  for (const [from, to] of changed) {
    t.notOk(isUebConsistent(Buffer.from(text.replace(from, to), 'latin1'), file), to);
    t.ok(text.includes(from));
  }
  t.ok(isUebConsistent(Buffer.from(text.replace('needed_shares:1:3,', ''), 'latin1'), file));
});
