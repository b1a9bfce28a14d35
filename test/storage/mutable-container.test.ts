/** The mutable container's bytes against those that the reference wrote. */
import fc from 'fast-check';
import t from 'tap';
import { concat, equalBytes, utf8 } from '#core/bytes.js';
import { taggedHash } from '#core/derive.js';
import { createLease } from '#storage/leases.js';
import {
  decodeLeaseSlots,
  decodeMutableLease,
  decodeMutableShape,
  encodeMutableContainer,
  encodeMutableLease,
  leaseRecordOffset,
  MUTABLE_DATA_OFFSET,
  MUTABLE_LEASE_SIZE,
  wholeExtraLeases,
} from '#storage/mutable-container.js';
import { crypto } from '#test/fixtures/crypto.js';
import { containerOf, counting, fromText, mutableVectors } from '#test/fixtures/mutable-vectors.js';

const nodeId = fromText(mutableVectors.nodeId);
const writeEnabler = fromText(mutableVectors.writeEnabler);
const NOW = 1_700_000_000;

t.test('a new container', (t) => {
  t.ok(equalBytes(encodeMutableContainer(nodeId, writeEnabler), containerOf(2, 'new')));
  const line = utf8('Tahoe mutable container v2\n');
  const magic = concat(line, taggedHash(crypto, utf8('allmydata_mutable_container_header'), line, 5));
  t.ok(equalBytes(containerOf(2, 'new').subarray(0, 32), magic));
  t.end();
});

for (const version of [1, 2] as const) {
  t.test(`a container of version ${String(version)} that the reference wrote`, (t) => {
    const file = containerOf(version, 'seven leases');
    const shape = decodeMutableShape(file, file.length);
    t.strictSame(shape, { version, nodeId, writeEnabler, dataLength: 5, extraOffset: 473 });
    const extraLeases = wholeExtraLeases(file.subarray(shape.extraOffset));
    const wanted = [1, 2, 3, 4, 5, 6, 7].map((n) => ({
      ...createLease(crypto, version, 1, { renewSecret: counting(n), cancelSecret: counting(n + 32) }, NOW + 1000 * n),
      nodeId,
    }));
    t.strictSame(decodeLeaseSlots(file, extraLeases), wanted);
    for (const [slot, lease] of wanted.entries()) {
      const offset = leaseRecordOffset(slot, shape.extraOffset);
      t.ok(equalBytes(encodeMutableLease(lease), file.subarray(offset, offset + MUTABLE_LEASE_SIZE)));
    }
    const cancelled = containerOf(version, 'two leases cancelled');
    const { extraOffset } = decodeMutableShape(cancelled, cancelled.length);
    const left = decodeLeaseSlots(cancelled, wholeExtraLeases(cancelled.subarray(extraOffset)));
    t.strictSame(
      left.map((lease) => lease !== undefined),
      [true, false, true, true, true, false, true],
    );
    t.end();
  });
}

t.test('extra leases that are cut, or counted wrong', (t) => {
  const file = containerOf(2, 'seven leases');
  const extra = file.subarray(473);
  t.strictSame(wholeExtraLeases(extra), extra);
  for (let size = 0; size <= extra.length; size++) {
    const count = Math.max(0, Math.floor((size - 4) / MUTABLE_LEASE_SIZE));
    const whole = wholeExtraLeases(extra.subarray(0, size));
    t.strictSame([whole.length, whole[3]], [4 + count * MUTABLE_LEASE_SIZE, count]);
  }
  const longer = concat(extra, new Uint8Array(500));
  t.equal(wholeExtraLeases(longer).length, extra.length, 'what is not counted is none');
  t.equal(decodeMutableLease(new Uint8Array(MUTABLE_LEASE_SIZE)), undefined);
  t.throws(() => decodeMutableLease(new Uint8Array(MUTABLE_LEASE_SIZE - 1)), { code: 'ERR_TRUNCATED' });
  t.end();
});

t.test('any lengths are a shape inside their file, or damage', (t) => {
  const field = fc.oneof(
    fc.bigInt({ min: 0n, max: 3000n }),
    fc.constantFrom(2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n),
  );
  const property = fc.property(field, field, fc.nat(3000), (dataLength, extraOffset, fileSize) => {
    const head = containerOf(1, 'new').slice(0, MUTABLE_DATA_OFFSET);
    const view = new DataView(head.buffer);
    view.setBigUint64(84, dataLength);
    view.setBigUint64(92, extraOffset);
    try {
      const shape = decodeMutableShape(head, fileSize);
      return MUTABLE_DATA_OFFSET + shape.dataLength <= shape.extraOffset && shape.extraOffset <= fileSize;
    } catch (error) {
      return (error as { code?: string }).code === 'ERR_CONTAINER';
    }
  });
  t.doesNotThrow(() => {
    fc.assert(property, { numRuns: 2000 });
  });
  t.end();
});
