/** Who allocates and does not write takes nothing from those who do. */
import fc from 'fast-check';
import t from 'tap';
import { createMemoryStore } from '#storage/memory-store.js';
import { MemoryFiles } from '#storage/memory-files.js';
import { isMereReservation, mayReserve } from '#storage/reservations.js';
import { RESERVATION_YIELD_MS, UPLOAD_COUNT_MAX, UPLOAD_YIELD_MS } from '#storage/share-store.js';
import type { ShareStore } from '#storage/share-store.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import {
  HandFedBody,
  leaseSecrets,
  otherIndex,
  storageIndex,
  storeOptions,
  uploadOf,
  uploadSecret,
  write,
} from '#test/fixtures/share-store.js';

const CAPACITY = 400_000_000;
const HONEST_SIZE = 20_000_000;

t.test('whatever one client has reserved, another one may reserve a twentieth', (t) => {
  const free = { size: 1_000_000, count: 1000 };
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 1_000_000 }), { maxLength: 1200 }), (sizes) => {
      let held = { size: 0, count: 0 };
      for (const size of sizes) {
        const fits = held.size + size <= free.size && held.count < free.count;
        if (!fits || !mayReserve(size, { free, everybody: held, client: held })) continue;
        held = { size: held.size + size, count: held.count + 1 };
      }
      const isLeft = held.size + 50_000 <= free.size && held.count + 50 <= free.count;
      const state = { free, everybody: held, client: { size: 0, count: 0 } };
      t.ok(isLeft && mayReserve(50_000, state), JSON.stringify(held));
    }),
    { numRuns: 200 },
  );
  t.end();
});

t.test('while little is reserved anybody may have what he asks for', (t) => {
  const nothing = { size: 0, count: 0 };
  const free = { size: 100, count: 100 };
  t.ok(mayReserve(50, { free, everybody: nothing, client: nothing }));
  t.ok(mayReserve(90, { free, everybody: nothing, client: nothing }), 'one large share');
  t.notOk(mayReserve(91, { free, everybody: nothing, client: nothing }), 'the last tenth is for those with little');
  t.notOk(mayReserve(1, { free, everybody: { size: 60, count: 2 }, client: { size: 10, count: 1 } }));
  t.ok(mayReserve(1, { free, everybody: { size: 95, count: 2 }, client: { size: 9, count: 1 } }));
  t.ok(isMereReservation(0, 1));
  t.notOk(isMereReservation(1, 16));
  t.ok(isMereReservation((1 << 20) - 1, 2 ** 40));
  t.notOk(isMereReservation(1 << 20, 2 ** 40));
  t.end();
});

/** A store, and what asks it for one share on behalf of a client. */
function makeStore(): {
  readonly store: ShareStore;
  readonly clock: ManualClock;
  readonly ask: (client: string, shareNumber: number, size: number, index?: Uint8Array) => Promise<boolean>;
} {
  const clock = new ManualClock();
  const store = createMemoryStore({ ...storeOptions(clock), files: new MemoryFiles(CAPACITY) });
  const ask = async (client: string, shareNumber: number, size: number, index = storageIndex): Promise<boolean> => {
    const request = { storageIndex: index, shareNumbers: new Set([shareNumber]), allocatedSize: size, uploadSecret };
    return (await store.allocate({ ...request, client, ...leaseSecrets('first') })).allocated.has(shareNumber);
  };
  return { store, clock, ask };
}

t.test('an honest upload always fits beside a hoard of room', async (t) => {
  for (const size of [CAPACITY, 0.9 * CAPACITY, CAPACITY / 2, CAPACITY / 7, 10_000_000]) {
    const { ask } = makeStore();
    for (let n = 0; n < 100; n++) await ask('hoarder', n, size);
    t.ok(await ask('honest', 0, HONEST_SIZE, otherIndex), `in pieces of ${String(size)}`);
  }
});

t.test('and beside a hoard of uploads', async (t) => {
  const { ask, store } = makeStore();
  for (let n = 0; n < UPLOAD_COUNT_MAX; n++) await ask('hoarder', n % 256, 1, seededBytes(String(n >> 8), 16));
  const { uploadCount } = await store.figures();
  t.ok(uploadCount < UPLOAD_COUNT_MAX, `${String(uploadCount)} uploads`);
  t.ok(await ask('honest', 0, HONEST_SIZE, otherIndex));
});

t.test('where room lacks, who does not write gives way to who asks', async (t) => {
  const { ask, clock, store } = makeStore();
  t.ok(await ask('large', 0, 0.9 * CAPACITY));
  t.notOk(await ask('other', 0, 0.5 * CAPACITY, otherIndex), 'it may be about to write');
  clock.advance(RESERVATION_YIELD_MS - 1);
  t.notOk(await ask('other', 0, 0.5 * CAPACITY, otherIndex));
  clock.advance(1);
  t.notOk(await ask('other', 0, 1.1 * CAPACITY, otherIndex), 'not where that would not help');
  t.equal((await store.figures()).uploadCount, 1);
  t.ok(await ask('other', 0, 0.5 * CAPACITY, otherIndex));
  t.equal(store.upload({ storageIndex, shareNumber: 0, uploadSecret }), 'no-such-upload');
});

t.test('who writes does not', async (t) => {
  const { ask, clock, store } = makeStore();
  const half = CAPACITY / 2;
  t.ok(await ask('slow', 0, 0.8 * CAPACITY));
  await write(uploadOf(store, 0), 0, new Uint8Array(1 << 20));
  t.notOk(await ask('other', 0, half, otherIndex));
  clock.advance(UPLOAD_YIELD_MS - 1);
  t.notOk(await ask('other', 0, half, otherIndex), 'for a minute');
  const body = new HandFedBody();
  const writing = uploadOf(store, 0).write({ begin: 1 << 20, end: (1 << 20) + 1 }, body);
  clock.advance(2 * UPLOAD_YIELD_MS);
  await settle();
  t.notOk(await ask('other', 0, half, otherIndex), 'nor while a body arrives');
  body.feed(new Uint8Array(1));
  body.end();
  await writing;
  clock.advance(UPLOAD_YIELD_MS);
  t.ok(await ask('other', 0, half, otherIndex), 'after that it does');
});
