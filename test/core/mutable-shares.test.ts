/** Mutable shares: keys and capabilities of the reference, its shares taken apart and made again, and properties. */
import fc from 'fast-check';
import t from 'tap';
import { equalBytes, toHex } from '#core/bytes.js';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { requireCapability } from '#core/capability/parse.js';
import { createErasureCodec } from '#core/erasure/codec.js';
import { decodeShareHashes } from '#core/immutable/layout.js';
import { MerkleVerifier, paddedLeafCount, verifyMerklePath } from '#core/merkle.js';
import { encodeVersion, saltsFrom } from '#core/mutable/encoder.js';
import { decryptPrivateKey, mutableKeysOf, writeCapabilityOf } from '#core/mutable/keys.js';
import type { MutableKeys } from '#core/mutable/keys.js';
import { decodeBlockHashes, decodeMutableHeader } from '#core/mutable/layout.js';
import { decodeMutableSegment, hashRecord, recordRange } from '#core/mutable/segments.js';
import type { NumberedRecord } from '#core/mutable/segments.js';
import { decodeMutableShare, encodeMutableShare } from '#core/mutable/share.js';
import type { MutableShare } from '#core/mutable/share.js';
import {
  compareVersions,
  encodeCheckstring,
  encodeSignedPrefix,
  mutableParameters,
  nameVersion,
} from '#core/mutable/version.js';
import { parsePrivateKeyText } from '#core/rsa/key-text.js';
import { Chance } from '../fixtures/chance.js';
import { crypto, seededBytes, seededRandom } from '../fixtures/crypto.js';
import { contentsOf, nameOf, privateKeyOf, shareCases, sharesOf } from '../fixtures/mutable-share-vectors.js';
import { readVectors } from '../fixtures/vectors.js';

interface KeyCase {
  readonly kind: string;
  readonly format?: 'sdmf' | 'mdmf';
  readonly key?: string;
  readonly capability: string;
}
const { cases, keys } = readVectors<{ cases: KeyCase[]; keys: Record<string, string> }>('capabilities.json');

t.test('every mutable capability follows from its key', async (t) => {
  const mutable = cases.filter(({ kind }) => kind === 'ssk');
  t.equal(mutable.length, 120);
  for (const { capability, format, key = '' } of mutable) {
    const made = mutableKeysOf(crypto, parsePrivateKeyText(keys[key] ?? ''));
    if (format === undefined) throw new Error('a format is missing');
    t.equal(dangerouslyFormatCapability(writeCapabilityOf(format, made)), capability);
    t.ok(equalBytes(decryptPrivateKey(crypto, made.writeKey, made.encryptedPrivateKey), made.privateKey));
  }
});

/** Checks the share in every way there is. @returns its records. */
function verify(
  check: (holds: boolean, what: string) => void,
  keysOfFile: MutableKeys,
  { version, sections }: MutableShare,
  shareNumber: number,
) {
  check(equalBytes(sections.publicKey, keysOfFile.publicKey), 'public key');
  check(crypto.rsaVerify(sections.publicKey, encodeSignedPrefix(version), sections.signature), 'signature');
  check(equalBytes(sections.encryptedPrivateKey, keysOfFile.encryptedPrivateKey), 'private key');
  const file = mutableParameters(version);
  const [root, ...below] = decodeBlockHashes(sections.blockHashes);
  if (root === undefined) throw new Error('there is no root');
  const nodes = new Map(decodeShareHashes(sections.shareHashes));
  const leaf = paddedLeafCount(version.total) - 1 + shareNumber;
  check(!nodes.has(leaf), 'the leaf is left out');
  nodes.set(leaf, root);
  check(
    verifyMerklePath(crypto, { leafCount: version.total, root: version.rootHash }, shareNumber, nodes) !== undefined,
    'path',
  );
  const tree = new MerkleVerifier(crypto, file.segmentCount, root);
  tree.accept(0, [{ first: 0, bytes: sections.blockHashes }]);
  return Array.from({ length: file.segmentCount }, (_, segment) => {
    const { begin, end } = recordRange(version.format, file, segment);
    const record = sections.blocks.subarray(begin, end);
    const hash = tree.leafHash(segment);
    check(
      hash !== undefined && equalBytes(hashRecord(crypto, record), hash),
      `block ${String(segment)} of ${String(below.length)}`,
    );
    return record;
  });
}

function contentsFrom(keysOfFile: MutableKeys, share: MutableShare, records: ReadonlyMap<number, Uint8Array[]>) {
  const { version } = share;
  const file = mutableParameters(version);
  const codec = createErasureCodec(version.needed, version.total);
  const context = { crypto, codec, format: version.format, file, readKey: keysOfFile.readKey };
  const parts = Array.from({ length: file.segmentCount }, (_, segment) => {
    const some: NumberedRecord[] = [...records]
      .slice(0, version.needed)
      .map(([shareNumber, list]) => ({ shareNumber, record: list[segment] ?? new Uint8Array(0) }));
    return decodeMutableSegment(context, segment, some, version.salt);
  });
  return Buffer.concat(parts);
}

for (const each of shareCases) {
  t.test(`the reference's ${nameOf(each)}`, async (t) => {
    const made = mutableKeysOf(crypto, privateKeyOf(each.key));
    t.equal(dangerouslyFormatCapability(writeCapabilityOf(each.format, made)), each.capability);
    t.match(requireCapability(each.capability), { format: each.format });
    const records = new Map<number, Uint8Array[]>();
    const salts: Uint8Array[] = [];
    let sample: MutableShare | undefined;
    for (const [shareNumber, bytes] of sharesOf(each)) {
      const { end } = decodeMutableHeader(bytes.subarray(0, 123));
      const share = decodeMutableShare(bytes);
      t.ok(equalBytes(encodeMutableShare(share), bytes.subarray(0, end)), 'made again');
      t.equal(share.version.sequenceNumber, each.sequenceNumber);
      t.equal(share.version.dataSize, each.sizeBytes);
      t.ok(equalBytes(encodeCheckstring(share.version), bytes.subarray(0, each.format === 'sdmf' ? 57 : 41)));
      records.set(
        shareNumber,
        verify((holds, what) => t.ok(holds, what), made, share, shareNumber),
      );
      sample = share;
    }
    if (sample === undefined) throw new Error('there is no share');
    const { version } = sample;
    const [first] = records.values();
    if (version.salt !== undefined) salts.push(version.salt);
    else salts.push(...(first ?? []).map((record) => record.subarray(0, 16)));
    if (records.size >= version.needed) {
      t.ok(contentsFrom(made, sample, records).equals(contentsOf(each.sizeBytes)), 'contents');
    }
    const { shares } = encodeVersion(
      crypto,
      made,
      { ...version, encoding: version, contents: contentsOf(each.sizeBytes), segmentSizeMax: 90 },
      () => salts.shift() ?? new Uint8Array(16),
    );
    for (const [shareNumber, bytes] of sharesOf(each)) {
      const ours = decodeMutableShare(shares[shareNumber] ?? new Uint8Array(0));
      const theirs = decodeMutableShare(bytes);
      t.ok(crypto.rsaVerify(made.publicKey, encodeSignedPrefix(theirs.version), ours.sections.signature), 'signed');
      // A signature has chance in it; all else is equal to the byte.
      const sections = { ...ours.sections, signature: theirs.sections.signature };
      const { end } = decodeMutableHeader(bytes.subarray(0, 123));
      t.ok(equalBytes(encodeMutableShare({ ...ours, sections }), bytes.subarray(0, end)), 'the same share');
    }
  });
}

function insist(holds: boolean, what: string): void {
  if (!holds) throw new Error(`the ${what} is wrong`);
}

t.test('what is encoded decodes to the contents from any shares', async () => {
  const made = mutableKeysOf(crypto, privateKeyOf(0));
  const sizes = [0, 1, 2, 3, 100, 131_071, 131_072, 131_073, 262_144, 300_001, 393_216];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('sdmf' as const, 'mdmf' as const),
      fc.constantFrom(...sizes),
      fc.integer({ min: 1, max: 12 }),
      fc.nat(10),
      fc.nat(),
      async (format, size, needed, more, seed) => {
        const contents = seededBytes(`contents ${String(seed)}`, size);
        const encoding = { needed, total: needed + more };
        const random = seededRandom(String(seed));
        const { shares, version } = encodeVersion(
          crypto,
          made,
          { format, sequenceNumber: 7, encoding, contents },
          saltsFrom(random),
        );
        const chosen = new Chance(seed).shuffle([...shares.entries()]).slice(0, needed);
        const records = new Map(chosen.map(([n, bytes]) => [n, verify(insist, made, decodeMutableShare(bytes), n)]));
        const share = decodeMutableShare(shares[0] ?? new Uint8Array(0));
        return (
          nameVersion(share.version) === nameVersion(version) && contentsFrom(made, share, records).equals(contents)
        );
      },
    ),
    { numRuns: 40 },
  );
});

t.test('versions are ordered by number, then by root', async (t) => {
  const version = {
    format: 'sdmf',
    needed: 1,
    total: 1,
    salt: new Uint8Array(16),
    segmentSize: 0,
    dataSize: 0,
  } as const;
  const make = (sequenceNumber: number, root: number) => ({
    ...version,
    sequenceNumber,
    rootHash: new Uint8Array(32).fill(root),
  });
  t.ok(compareVersions(make(2, 0), make(1, 9)) > 0);
  t.ok(compareVersions(make(2, 1), make(2, 9)) < 0);
  t.equal(compareVersions(make(2, 1), make(2, 1)), 0);
  t.ok(compareVersions(make(2, 1), { ...make(2, 1), salt: new Uint8Array(16).fill(1) }) < 0);
});

t.test('what cannot be written is refused', async (t) => {
  const made = mutableKeysOf(crypto, privateKeyOf(0));
  const write = (format: 'sdmf' | 'mdmf', needed: number, total: number, contents: Uint8Array = new Uint8Array(3)) =>
    encodeVersion(
      crypto,
      made,
      { format, sequenceNumber: 1, encoding: { needed, total }, contents },
      () => new Uint8Array(16),
    );
  t.throws(() => write('sdmf', 3, 256), { code: 'ERR_ENCODING' });
  t.throws(() => write('mdmf', 4, 3), { code: 'ERR_ENCODING' });
  const large = { length: 268_435_457 } as Uint8Array;
  t.throws(() => write('sdmf', 1, 1, large), { code: 'ERR_TOO_LARGE' });
  t.throws(() => decryptPrivateKey(crypto, new Uint8Array(16), made.encryptedPrivateKey), { code: 'ERR_HASH' });
  t.throws(() => decodeMutableShare((write('sdmf', 1, 1).shares[0] ?? new Uint8Array(0)).subarray(0, -1)), {
    code: 'ERR_SHARE_LAYOUT',
  });
  t.equal(toHex(made.storageIndex).length, 32);
});
