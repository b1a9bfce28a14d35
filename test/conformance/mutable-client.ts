/** What a grid user may expect of any server's mutable half: over HTTPS to either program, and in memory. */
import type { Test } from 'tap';
import type { StorageServer } from '#client/storage-server.js';
import { equalBytes, utf8 } from '#core/bytes.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { vectors, writeEnabler } from '#test/fixtures/mutable-store.js';
import type { VectorsGiven } from '#test/fixtures/mutable-store.js';
import { leaseSecrets, otherIndex, storageIndex } from '#test/fixtures/share-store.js';
import type { ReadTestWriteReply, ReadVector } from '#wire/storage-mutable.js';

const large = seededBytes('large', 3_000_000);
const isMissing = [{ offset: 0, size: 1, specimen: new Uint8Array(0) }];

/** Runs every test against one empty server. */
export async function mutableClientSuite(t: Test, server: StorageServer): Promise<void> {
  const write = (
    given: Readonly<Record<number, VectorsGiven>>,
    reads: readonly ReadVector[] = [],
    enabler = writeEnabler,
  ): Promise<ReadTestWriteReply> =>
    server.readTestWrite(storageIndex, { ...vectors(given, reads), ...leaseSecrets('first'), writeEnabler: enabler });

  await t.test('shares are made, tested and written on', async (t) => {
    const first = { tests: isMissing, writes: [{ offset: 0, data: utf8('the first data') }] };
    t.strictSame(await write({ 0: first, 255: first }), { success: true, data: new Map() });
    const again = await write({ 0: first }, [{ offset: 4, size: 5 }]);
    t.equal(again.success, false);
    t.strictSame(
      [...again.data].sort(([a], [b]) => a - b),
      [
        [0, [utf8('first')]],
        [255, [utf8('first')]],
      ],
    );
    t.strictSame(await server.listMutableShares(storageIndex), new Set([0, 255]));
    t.strictSame(await server.listMutableShares(otherIndex), new Set());
    await write({ 0: { writes: [{ offset: 4, data: utf8('LATER') }], newLength: 9 }, 255: { newLength: 0 } });
    t.strictSame(await server.readMutable(storageIndex, 0, { begin: 2, end: 100 }), utf8('e LATER'));
    t.strictSame(await server.readMutable(storageIndex, 0, { begin: 50, end: 100 }), new Uint8Array(0));
    t.equal(await server.readMutable(storageIndex, 255, { begin: 0, end: 1 }), undefined);
    t.equal(await server.readMutable(otherIndex, 0, { begin: 0, end: 1 }), undefined);
  });

  await t.test('a large share, written and read in one request each', async (t) => {
    await write({ 3: { writes: [{ offset: 0, data: large }] } });
    const read = await server.readMutable(storageIndex, 3, { begin: 0, end: large.length });
    t.ok(equalBytes(read ?? new Uint8Array(0), large));
    const { data } = await write({}, [{ offset: 1, size: large.length }]);
    t.ok(equalBytes(data.get(3)?.[0] ?? new Uint8Array(0), large.subarray(1)));
  });

  await t.test('who has another write enabler is refused', async (t) => {
    await t.rejects(write({ 0: { newLength: 0 } }, [], seededBytes('foreign', 32)));
    t.ok((await server.listMutableShares(storageIndex)).has(0));
  });

  await t.test('reports of damage', async (t) => {
    await t.resolves(server.reportMutableCorrupt(storageIndex, 0, 'a test: nothing is wrong – ü'));
    await t.resolves(server.reportMutableCorrupt(storageIndex, 100, 'not there'));
  });
}
