/** A disk that fails at any operation of a mutable request: all old or all new, nothing open, and well at once. */
import t from 'tap';
import type { Test } from 'tap';
import { isTahoeError } from '#core/errors.js';
import { createMemoryStore } from '#storage/memory-store.js';
import type { ShareStore } from '#storage/share-store.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { FaultyFiles } from '#test/fixtures/faulty-files.js';
import type { Fault, Operation } from '#test/fixtures/faulty-files.js';
import { readMutable, readTestWrite, slotRequest, vectors, writeMutable } from '#test/fixtures/mutable-store.js';
import { leaseSecrets, recordEvents, sameBytes, storageIndex, storeOptions } from '#test/fixtures/share-store.js';

const small = seededBytes('small', 500);
const large = seededBytes('large', 400_000);

/** A store with shares 0 to 2 and a damaged 4. */
async function prepare(files: FaultyFiles): Promise<ShareStore> {
  const store = createMemoryStore({ ...storeOptions(new ManualClock()), files });
  await writeMutable(store, [0, 1, 2], small);
  files.place(storageIndex, 4, small.slice(0, 10));
  return store;
}

/** Writes a small and a large share over old ones, removes one, makes one and puts one in place of a damaged one. */
async function work(store: ShareStore): Promise<void> {
  const given = {
    0: { writes: [{ offset: 10, data: small }] },
    1: { writes: [{ offset: 0, data: large }] },
    2: { newLength: 0 },
    3: { writes: [{ offset: 0, data: small }] },
    4: { writes: [{ offset: 0, data: small }] },
  };
  const tests = [{ offset: 0, size: 3, specimen: small.subarray(0, 3) }];
  const request = vectors({ ...given, 0: { ...given[0], tests } }, [{ offset: 0, size: 10 }]);
  const { success } = await store.readTestWrite(slotRequest(request, leaseSecrets('second')));
  if (!success) throw new Error('the tests did not hold');
}

/** What the shares are, in a word. */
async function stateOf(store: ShareStore): Promise<string> {
  const sizes = await Promise.all([0, 1, 2, 3].map(async (n) => (await readMutable(store, n))?.length ?? 'none'));
  return sizes.join(' ');
}

const before = '500 500 500 none';
const after = '510 400000 none 500';

async function countOperations(operation: Operation): Promise<[begun: number, done: number]> {
  const files = new FaultyFiles();
  const store = await prepare(files);
  const begun = files.countOf(operation);
  await work(store);
  return [begun, files.countOf(operation)];
}

t.test('every operation fails once', async (t) => {
  let faultCount = 0;
  for (const operation of ['list', 'open', 'read', 'prepare', 'write', 'commit', 'quarantine'] as const) {
    const [begun, done] = await countOperations(operation);
    t.ok(done > begun, `${operation} is used`);
    for (let when = begun + 1; when <= done; when++) {
      for (const code of ['ERR_NO_SPACE', 'ERR_DISK'] as const) {
        if (operation === 'read' && code === 'ERR_NO_SPACE') continue;
        faultCount += 1;
        await checkFault(t, { operation, when, code });
      }
    }
  }
  t.ok(faultCount > 40, `${String(faultCount)} faults`);
});

async function checkFault(t: Test, fault: Fault): Promise<void> {
  const what = `${fault.operation} ${String(fault.when)} ${fault.code}`;
  const files = new FaultyFiles();
  const store = await prepare(files);
  files.fault = fault;
  let failure: unknown;
  await work(store).catch((error: unknown) => (failure = error));
  files.fault = undefined;
  // A share that cannot be read counts as damaged, as missing where it is tested.
  if (fault.operation !== 'read') t.ok(isTahoeError(failure, fault.code), `${what}: it is told as what it is`);
  t.equal(files.openCount, 0, `${what}: no file is left open`);
  if (failure === undefined) return;
  t.equal(await stateOf(store), before, `${what}: all is as it was`);
  await work(store);
  t.equal(await stateOf(store), after, `${what}: and well again`);
  await store.close();
}

t.test('a share that cannot be read is left out, and told', async (t) => {
  const files = new FaultyFiles();
  const { events, told } = recordEvents();
  const store = createMemoryStore({ ...storeOptions(new ManualClock(), { events }), files });
  await writeMutable(store, [0, 1], large);
  // Two beginnings are read first, then what was asked for.
  files.fault = { operation: 'read', when: files.countOf('read') + 3, code: 'ERR_DISK' };
  const { data } = await store.readTestWrite(slotRequest(vectors({}, [{ offset: 100_000, size: 10 }])));
  t.strictSame([...data.keys()], [1]);
  t.match(told.at(-1), { kind: 'damaged', shareNumber: 0 });
  sameBytes(t, await readMutable(store, 0), large, 'another time it can be read');
  t.ok((await readTestWrite(store, { 0: { newLength: 3 } })).success);
  t.equal(files.openCount, 0);
});
