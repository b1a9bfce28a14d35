/** Whatever a power cut leaves of a share that is just getting a lease, all other leases are whole, and none is made up. */
import t from 'tap';
import { equalBytes, toHex } from '#core/bytes.js';
import { decodeContainerShape, decodeLease, LEASE_RECORD_SIZE } from '#storage/container.js';
import { keepLease, keepMutableLease } from '#storage/lease-file.js';
import { createLease } from '#storage/leases.js';
import type { LeaseRecord } from '#storage/container.js';
import {
  decodeLeaseSlots,
  decodeMutableShape,
  MUTABLE_DATA_OFFSET,
  wholeExtraLeases,
} from '#storage/mutable-container.js';
import { MutableShare } from '#storage/mutable-share.js';
import { leaseSecrets } from '#test/fixtures/share-store.js';
import { fileStates } from '#test/fixtures/sim-file.js';
import { immutableFile, mutableFile } from '#test/fixtures/share-files.js';
import { crypto, seededBytes } from '#test/fixtures/crypto.js';

const hasRoom = (): Promise<boolean> => Promise.resolve(true);
const EXPIRY = 0x0001_ffff;

/** The leases of a container as text, each once. */
type LeasesOf = (bytes: Uint8Array) => string[];

const describe = ({ expirySeconds, renewSecret }: Pick<LeaseRecord, 'expirySeconds' | 'renewSecret'>): string =>
  `${toHex(renewSecret)} until ${String(expirySeconds)}`;

const immutableLeases: LeasesOf = (bytes) => {
  const { leaseCount, leaseOffset } = decodeContainerShape(bytes, bytes.length);
  return Array.from({ length: leaseCount }, (_, i) =>
    describe(decodeLease(bytes.subarray(leaseOffset + i * LEASE_RECORD_SIZE))),
  );
};

const mutableLeases: LeasesOf = (bytes) => {
  const { extraOffset } = decodeMutableShape(bytes, bytes.length);
  const slots = decodeLeaseSlots(bytes.subarray(0, MUTABLE_DATA_OFFSET), wholeExtraLeases(bytes.subarray(extraOffset)));
  return slots.flatMap((lease) => (lease === undefined ? [] : [describe(lease)]));
};

const lease = createLease(crypto, 2, 1, leaseSecrets('new'), EXPIRY + 1);

/** What is wrong with the states of a container that gets `lease` while its data are from `dataOffset` on. */
function faultsIn(
  { afterwards, meanwhile }: Awaited<ReturnType<typeof fileStates>>,
  before: Uint8Array,
  { dataOffset, leasesOf, size }: { dataOffset: number; leasesOf: LeasesOf; size: number },
): string[] {
  const old = leasesOf(before).join();
  const all = [old, describe(lease)].join();
  const dataOf = (bytes: Uint8Array): Uint8Array => bytes.subarray(dataOffset, dataOffset + size);
  const wrong = meanwhile.filter((bytes) => ![old, all].includes(leasesOf(bytes).join()));
  return [
    ...wrong.map((bytes) => `these leases may be found: ${leasesOf(bytes).join()}`),
    ...meanwhile.flatMap((bytes) => (equalBytes(dataOf(bytes), dataOf(before)) ? [] : ['the data are others'])),
    ...afterwards.flatMap((bytes) => (leasesOf(bytes).join() === all ? [] : ['the new lease may be lost'])),
  ];
}

// Sizes that put the lease, or its expiry, across the borders of sectors and of pages.
for (const size of [1, 360, 426, 500, 3940, 4012, 4014, 4084, 5000]) {
  t.test(`a new lease of an immutable share of ${String(size)} bytes`, async (t) => {
    const before = immutableFile(seededBytes('data', size), [EXPIRY]);
    const states = await fileStates(before, async (file) => {
      await keepLease({ crypto, file, shape: decodeContainerShape(before, before.length), lease, hasRoom });
    });
    t.ok(states.meanwhile.length > 3);
    t.strictSame(faultsIn(states, before, { dataOffset: 12, leasesOf: immutableLeases, size }), []);
  });
}

for (const leaseCount of [1, 4, 5]) {
  for (const size of [1, 40, 3530, 3628, 4090]) {
    t.test(`a new lease beside ${String(leaseCount)} of a mutable share of ${String(size)} bytes`, async (t) => {
      const expiries = Array.from({ length: leaseCount }, (_, i) => EXPIRY + i);
      const before = mutableFile(seededBytes('data', size), expiries);
      const states = await fileStates(before, async (file) => {
        const share = new MutableShare(file, before.slice(0, 4096));
        await keepMutableLease({ crypto, share, lease: { ...lease, nodeId: new Uint8Array(20) }, hasRoom });
      });
      t.ok(states.meanwhile.length > 3);
      t.strictSame(faultsIn(states, before, { dataOffset: MUTABLE_DATA_OFFSET, leasesOf: mutableLeases, size }), []);
    });
  }
}
