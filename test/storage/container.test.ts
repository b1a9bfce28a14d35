/** The container's bytes against those that the reference wrote, and the rules of leases. */
import fc from 'fast-check';
import t from 'tap';
import { concat, equalBytes, utf8 } from '#core/bytes.js';
import {
  CONTAINER_HEADER_SIZE,
  decodeContainerShape,
  decodeLease,
  encodeContainerHeader,
  encodeExpiry,
  encodeLease,
  encodeLeaseCount,
  isMutableContainer,
  LEASE_RECORD_SIZE,
} from '#storage/container.js';
import { changeForLease, createLease, LEASE_DURATION_SECONDS, leaseExpiry } from '#storage/leases.js';
import { crypto } from '#test/fixtures/crypto.js';

// Written by ShareFile of tahoe-lafs 1.20.0: "hello", a lease of owner 0 whose secrets are the bytes 0 to 31 and
// 32 to 63, and one of owner 1 with 64 to 95 and 96 to 127 that never ends.
const written = {
  1:
    '00000001000000050000000268656c6c6f00000000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f' +
    '202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f657ccf8000000001404142434445464748494a4b4c' +
    '4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7fffffffff',
  2:
    '00000002000000050000000268656c6c6f00000000cb2f5160fc1f7e05a55ef49d340b48da2e5a78099d53393351cd579dd42503d6' +
    '20f01c2c9470650a95375bb28254ac56fa844bf8d663a4ffb10273fca29481b9657ccf800000000162093cd92cefd1bcb597c82ad3' +
    'a8f14f9905d30b298108a8da3ecbc672cfb8dc5ede41999638cdcabec37c8db9724c951cee9f4b2aa9e522ef7d01f399abfd4fffffffff',
} as const;

function counting(from: number): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => from + i);
}

const secrets = [
  { renewSecret: counting(0), cancelSecret: counting(32) },
  { renewSecret: counting(64), cancelSecret: counting(96) },
] as const;

for (const version of [1, 2] as const) {
  t.test(`a container of version ${String(version)} that the reference wrote`, (t) => {
    const file = Uint8Array.from(Buffer.from(written[version], 'hex'));
    const shape = decodeContainerShape(file.subarray(0, 32), file.length);
    t.strictSame(shape, { version, dataSize: 5, leaseCount: 2, leaseOffset: 17 });
    const records = [0, 1].map((i) => file.subarray(17 + i * LEASE_RECORD_SIZE, 17 + (i + 1) * LEASE_RECORD_SIZE));
    const leases = records.map(decodeLease);
    t.strictSame(leases, [
      createLease(crypto, version, 0, secrets[0], 1_702_678_400),
      createLease(crypto, version, 1, secrets[1], 0xffff_ffff),
    ]);
    for (const [i, lease] of leases.entries())
      t.strictSame(Buffer.from(encodeLease(lease)), Buffer.from(records[i] ?? []));
    if (version === 2) {
      const again = concat(encodeContainerHeader(5, 2), utf8('hello'), ...leases.map(encodeLease));
      t.ok(equalBytes(again, file));
    }
    t.end();
  });
}

t.test('any shape is read back', (t) => {
  const sizes = fc.oneof(fc.nat(1000), fc.nat(2 ** 32), fc.constantFrom(2 ** 32 - 2, 2 ** 32 - 1, 2 ** 32, 2 ** 40));
  const property = fc.property(sizes, fc.nat(500), (dataSize, leaseCount) => {
    const fileSize = CONTAINER_HEADER_SIZE + dataSize + LEASE_RECORD_SIZE * leaseCount;
    t.strictSame(decodeContainerShape(encodeContainerHeader(dataSize, leaseCount), fileSize), {
      version: 2,
      dataSize,
      leaseCount,
      leaseOffset: CONTAINER_HEADER_SIZE + dataSize,
    });
  });
  t.doesNotThrow(() => fc.assert(property));
  t.strictSame(encodeLeaseCount(258), Uint8Array.of(0, 0, 1, 2));
  t.strictSame(encodeExpiry(258), Uint8Array.of(0, 0, 1, 2));
  t.end();
});

t.test('any bytes are a shape inside their file, or damage', (t) => {
  const property = fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(100_000), (head, size) => {
    const bytes = Uint8Array.from(head, (byte, i) => (i < 3 ? 0 : byte));
    try {
      const { dataSize, leaseCount, leaseOffset } = decodeContainerShape(bytes, size);
      return dataSize >= 0 && leaseOffset === 12 + dataSize && leaseOffset + 72 * leaseCount <= size;
    } catch (error) {
      return (error as { code?: string }).code === 'ERR_CONTAINER';
    }
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 2000 }));
  t.end();
});

t.test('mutable containers are known by their first bytes', (t) => {
  t.ok(isMutableContainer(utf8('Tahoe mutable container v1\nuserdata')));
  t.ok(isMutableContainer(utf8('Tahoe mutable container v2\n')));
  for (const text of ['', 'Tahoe mutable container', 'tahoe mutable container v1'])
    t.notOk(isMutableContainer(utf8(text)));
  t.notOk(isMutableContainer(new Uint8Array(32).fill(0xff)));
  t.end();
});

t.test('a lease ends 31 days on, and no later than it can say', (t) => {
  t.equal(leaseExpiry(1_700_000_000_999), 1_700_000_000 + LEASE_DURATION_SECONDS);
  t.equal(LEASE_DURATION_SECONDS, 2_678_400);
  t.equal(leaseExpiry(2 ** 31 * 1000), 2 ** 31 + LEASE_DURATION_SECONDS);
  for (const seconds of [2 ** 32 - 1, 2 ** 32, 2 ** 40]) t.equal(leaseExpiry(seconds * 1000), 2 ** 32 - 1);
  t.equal(leaseExpiry(-5000), LEASE_DURATION_SECONDS, 'a clock before 1970');
  t.end();
});

t.test('who renews and who adds', (t) => {
  const held = [100, 200].map((expiry, i) => createLease(crypto, 2, i, secrets[i === 0 ? 0 : 1], expiry));
  const change = (i: 0 | 1, expiry: number): unknown =>
    changeForLease(crypto, held, createLease(crypto, 2, 1, secrets[i], expiry));
  t.strictSame(change(1, 201), { kind: 'renew', index: 1, expirySeconds: 201 });
  t.strictSame(change(1, 200), { kind: 'none' });
  t.strictSame(change(0, 99), { kind: 'none' });
  const stranger = createLease(crypto, 2, 1, { renewSecret: counting(7), cancelSecret: counting(32) }, 5);
  t.strictSame(changeForLease(crypto, held, stranger), { kind: 'append', lease: stranger });
  t.end();
});
