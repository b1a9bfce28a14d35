/** Headers of mutable shares: those of the reference, every field at its place, damage, delivery. */
import fc from 'fast-check';
import t from 'tap';
import { ByteWriter } from '#core/bytes.js';
import { isTahoeError } from '#core/errors.js';
import {
  CHECKSTRING_SIZE,
  MUTABLE_HEADER_SIZE_MAX,
  SDMF_HEADER_SIZE,
  SIGNED_SIZE,
  decodeMutableHeader,
} from '#core/mutable/layout.js';
import type { MutableHeader, MutableSections, Section } from '#core/mutable/layout.js';
import { readVectors } from '../fixtures/vectors.js';

/** Where a mutable container's data begins. */
const DATA_OFFSET = 468;
const vectors = readVectors<{ readonly files: Readonly<Record<string, string>> }>('debug.json');
const shares = Object.values(vectors.files)
  .map((text) => new Uint8Array(Buffer.from(text, 'base64')))
  .filter((file) => Buffer.from(file).toString('latin1', 0, 13) === 'Tahoe mutable')
  .map((file) => file.subarray(DATA_OFFSET))
  .filter(([version]) => version === 0 || version === 1);

/** The sizes of a share's sections, and its numbers. */
interface Plan {
  readonly numbers: readonly [sequenceNumber: number, segmentSize: number, dataSize: number];
  readonly encoding: readonly [needed: number, total: number];
  readonly sizes: readonly number[];
}

const rootHash = new Uint8Array(32).fill(7);
const salt = new Uint8Array(16).fill(9);

/** The header's bytes, written here anew from the description of the format. */
function encode(format: 'sdmf' | 'mdmf', { numbers, encoding, sizes }: Plan): Uint8Array {
  const [sequenceNumber, segmentSize, dataSize] = numbers;
  const writer = new ByteWriter().bytes(new Uint8Array([format === 'sdmf' ? 0 : 1]));
  writer.uint64(sequenceNumber).bytes(rootHash);
  if (format === 'sdmf') writer.bytes(salt);
  writer.bytes(new Uint8Array(encoding)).uint64(segmentSize).uint64(dataSize);
  let offset = format === 'sdmf' ? SDMF_HEADER_SIZE : MUTABLE_HEADER_SIZE_MAX;
  if (format === 'mdmf') writer.uint64(offset);
  sizes.forEach((size, i) => {
    offset += size;
    if (format === 'sdmf' && i < 4) writer.uint32(offset);
    else writer.uint64(offset);
  });
  return writer.finish();
}

const order: Readonly<Record<'sdmf' | 'mdmf', readonly (keyof MutableSections | 'room')[]>> = {
  sdmf: ['publicKey', 'signature', 'shareHashes', 'blockHashes', 'blocks', 'encryptedPrivateKey'],
  mdmf: ['encryptedPrivateKey', 'shareHashes', 'signature', 'publicKey', 'room', 'blocks', 'blockHashes'],
};

function plan(format: 'sdmf' | 'mdmf'): fc.Arbitrary<Plan> {
  const byte = fc.integer({ min: 1, max: 255 });
  const count = order[format].length;
  return fc
    .record({
      sequenceNumber: fc.maxSafeNat(),
      encoding: fc.tuple(byte, byte),
      blockSize: fc.integer({ min: 1, max: 2 ** 31 }),
      dataPart: fc.double({ min: 0, max: 1, noNaN: true }),
      sizes: fc.array(fc.integer({ min: 0, max: 2 ** 29 }), { minLength: count, maxLength: count }),
    })
    .map(({ sequenceNumber, encoding: [a, b], blockSize, dataPart, sizes }) => {
      const needed = Math.min(a, b);
      const segmentSize = blockSize * needed;
      const dataSize = Math.floor(segmentSize * dataPart);
      return { numbers: [sequenceNumber, segmentSize, dataSize], encoding: [needed, Math.max(a, b)], sizes } as const;
    });
}

t.test('the reference’s shares are read, and end where they say', async (t) => {
  t.ok(shares.length >= 6);
  t.strictSame(new Set(shares.map((share) => decodeMutableHeader(share).format)), new Set(['sdmf', 'mdmf']));
  for (const share of shares) {
    const header = decodeMutableHeader(share);
    t.ok(share.length >= header.end && share.length <= header.end + 4 + 2 * 92, 'leases follow');
    t.equal(header.sequenceNumber, 1);
    t.equal(header.sections.signature.end - header.sections.signature.begin, 256);
    t.equal(share[header.sections.publicKey.begin], 0x30, 'a DER sequence');
    const short = share.subarray(0, MUTABLE_HEADER_SIZE_MAX);
    t.same(decodeMutableHeader(short), header, 'the first 123 bytes say it all');
  }
});

t.test('every field is where the specification puts it', async () => {
  for (const format of ['sdmf', 'mdmf'] as const) {
    fc.assert(
      fc.property(plan(format), (plan) => {
        const header = decodeMutableHeader(encode(format, plan));
        const [sequenceNumber, segmentSize, dataSize] = plan.numbers;
        const [needed, total] = plan.encoding;
        let begin = format === 'sdmf' ? SDMF_HEADER_SIZE : MUTABLE_HEADER_SIZE_MAX;
        const sections: Record<string, object> = {};
        order[format].forEach((name, i) => {
          const end = begin + (plan.sizes[i] ?? 0);
          if (name !== 'room') sections[name] = { begin, end };
          begin = end;
        });
        const expected = { format, sequenceNumber, needed, total, segmentSize, dataSize, sections, end: begin };
        return (Object.keys(expected) as (keyof MutableHeader & keyof typeof expected)[]).every(
          (key) => sorted(header[key]) === sorted(expected[key]),
        );
      }),
    );
  }
});

function sorted(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null ? Object.fromEntries(Object.entries(part).sort()) : part,
  );
}

t.test('what writers compare and what is signed', async (t) => {
  t.strictSame(CHECKSTRING_SIZE, { sdmf: 1 + 8 + 32 + 16, mdmf: 1 + 8 + 32 });
  t.strictSame(SIGNED_SIZE, { sdmf: 57 + 2 + 16, mdmf: 41 + 2 + 16 });
});

t.test('damage is an error that is named, or another header, and nothing else', async (t) => {
  for (const share of shares) {
    const head = share.slice(0, MUTABLE_HEADER_SIZE_MAX);
    for (let bit = 0; bit < head.length * 8; bit++) {
      const damaged = head.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      try {
        const { end, sections } = decodeMutableHeader(damaged);
        for (const section of Object.values<Section>({ ...sections })) {
          if (section.begin < SDMF_HEADER_SIZE || section.end > end || section.begin > section.end) t.fail(String(bit));
        }
      } catch (error) {
        if (!isTahoeError(error, 'ERR_SHARE_LAYOUT')) throw error;
      }
    }
    const whole = decodeMutableHeader(share).format === 'sdmf' ? SDMF_HEADER_SIZE : MUTABLE_HEADER_SIZE_MAX;
    for (let size = 0; size < whole; size++) {
      t.throws(() => decodeMutableHeader(share.subarray(0, size)), { code: 'ERR_SHARE_LAYOUT' });
    }
  }
});

t.test('each way to make no sense has its sentence', async (t) => {
  const sizes = [294, 256, 68, 32, 150, 1217];
  const good = { numbers: [1, 300, 300], encoding: [2, 3], sizes } as const;
  t.equal(decodeMutableHeader(encode('sdmf', good)).end, 107 + 294 + 256 + 68 + 32 + 150 + 1217);
  const cases: [plan: Plan, reason: RegExp][] = [
    [{ ...good, encoding: [0, 3] }, /it is 0 of 3 shares/],
    [{ ...good, encoding: [4, 3] }, /it is 4 of 3 shares/],
    [{ ...good, encoding: [7, 9] }, /segments of 300 bytes do not make 300 bytes, 7 blocks each/],
    [{ ...good, numbers: [1, 300, 301] }, /do not make 301 bytes/],
    [{ ...good, sizes: [294, -1, 68, 32, 150, 1217] }, /its signature would end at 400, before it begins at 401/],
  ];
  for (const [plan, message] of cases) {
    t.throws(() => decodeMutableHeader(encode('sdmf', plan)), { code: 'ERR_SHARE_LAYOUT', message });
  }
  const mdmf = { numbers: [1, 0, 300], encoding: [2, 3], sizes: [1, 1, 1, 1, 1, 1, 1] } as const;
  t.throws(() => decodeMutableHeader(encode('mdmf', mdmf)), { message: /segments of 0 bytes do not make 300 bytes/ });
  t.throws(() => decodeMutableHeader(new Uint8Array([2])), { message: /its version is 2/ });
  t.throws(() => decodeMutableHeader(new Uint8Array()), { message: /its version is missing/ });
  const beyond = encode('mdmf', { ...mdmf, numbers: [1, 2, 2] });
  beyond[59] = 0xff;
  t.throws(() => decodeMutableHeader(beyond), { code: 'ERR_SHARE_LAYOUT', message: /beyond 2\^53/ });
});
