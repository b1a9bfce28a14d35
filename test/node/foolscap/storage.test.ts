/** Storage over Foolscap: our client, our server, real sockets, and what becomes of what goes wrong between them. */
import t from 'tap';
import type { Test } from 'tap';
import { FoolscapStorageServer } from '#client/foolscap/foolscap-storage-server.js';
import type { StorageServer } from '#client/storage-server.js';
import { concat, equalBytes, utf8 } from '#core/bytes.js';
import { systemClock } from '#node/clock.js';
import { StorageObject } from '#storage/foolscap/storage-object.js';
import { createMemoryStore } from '#storage/memory-store.js';
import type { ShareStore } from '#storage/share-store.js';
import { parseFurl } from '#wire/foolscap/furl.js';
import type { RemoteReference } from '#wire/foolscap/tub.js';
import { isRemoteReference } from '#wire/foolscap/tub.js';
import { Dict, Tuple, ValueSet } from '#wire/foolscap/values.js';
import type { Value } from '#wire/foolscap/values.js';
import { mutableClientSuite } from '#test/conformance/mutable-client.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { seededBytes, seededRandom } from '#test/fixtures/crypto.js';
import { makeTub, startTub } from '#test/fixtures/foolscap/tub-pair.js';
import {
  leaseSecrets,
  otherIndex,
  otherSecret,
  storageIndex,
  storeOptions,
  uploadSecret,
} from '#test/fixtures/share-store.js';

const secrets = leaseSecrets('first');
const { cancelSecret, renewSecret } = secrets;
const content = seededBytes('content', 300_000);
const none = new Uint8Array(0);

interface Pair {
  readonly store: ShareStore;
  readonly server: FoolscapStorageServer;
  /** The same server as an object that can be called with anything. */
  readonly object: RemoteReference;
  /** Ends the client's connection. */
  readonly disconnect: () => Promise<void>;
}

async function startPair(t: Test): Promise<Pair> {
  const store = createMemoryStore(storeOptions(new ManualClock()));
  t.teardown(() => store.close());
  const { serve } = await startTub(t);
  const random = seededRandom('uploads');
  const furl = serve('swissnum', new StorageObject({ store, random, applicationVersion: 'tallac/test' }));
  const tub = await makeTub(t);
  const identity = { serverId: 'v0-server', nickname: '', permutationSeed: none, tubId: new Uint8Array(20) };
  const server = new FoolscapStorageServer({ identity, furl: parseFurl(furl), tub, clock: systemClock });
  t.teardown(() => server.close());
  return { store, server, object: await tub.connect(furl), disconnect: () => tub.close() };
}

const request = (shareNumbers: number[], allocatedSize = content.length, secret = uploadSecret) => ({
  ...secrets,
  shareNumbers: new Set(shareNumbers),
  allocatedSize,
  uploadSecret: secret,
});

t.test('mutable shares', async (t) => mutableClientSuite(t, (await startPair(t)).server));

t.test('a share is allocated, written, complete and read', async (t) => {
  const { server, store } = await startPair(t);
  const version = await server.version();
  t.equal(version.applicationVersion, 'tallac/test');
  t.ok(version.availableSpace > 0 && version.maximumMutableShareSize > 10n ** 12n);
  t.strictSame(await server.allocate(storageIndex, request([0, 255])), {
    alreadyHave: new Set(),
    allocated: new Set([0, 255]),
  });
  t.strictSame((await server.allocate(storageIndex, request([0]))).allocated, new Set([0]), 'asked again');
  t.strictSame((await server.allocate(storageIndex, request([0], 5, otherSecret))).allocated, new Set());
  const half = content.subarray(0, 100_000);
  t.strictSame(await server.write(storageIndex, 0, uploadSecret, 0, [half.subarray(0, 9), half.subarray(9)]), {
    complete: false,
  });
  t.strictSame(await server.write(storageIndex, 0, uploadSecret, 0, [half]), { complete: false }, 'once more');
  const rest = content.subarray(half.length);
  t.strictSame(await server.write(storageIndex, 0, uploadSecret, half.length, [rest]), { complete: true });
  t.strictSame(await store.listShares(storageIndex), new Set([0]));
  t.strictSame(await server.listShares(storageIndex), new Set([0]));
  t.strictSame((await server.allocate(storageIndex, request([0, 1], 5))).alreadyHave, new Set([0]));
  const read = await server.read(storageIndex, 0, { begin: 10, end: content.length + 50 });
  t.ok(equalBytes(read ?? none, content.subarray(10)));
  t.strictSame(await server.read(storageIndex, 0, { begin: content.length, end: content.length + 1 }), none);
  t.equal(await server.read(storageIndex, 7, { begin: 0, end: 1 }), undefined);
  t.equal(await server.read(otherIndex, 0, { begin: 0, end: 1 }), undefined);
  t.equal(await server.addLease(storageIndex, leaseSecrets('second')), true);
  await server.reportCorrupt(storageIndex, 0, 'a test: ü');
  const asServer: StorageServer = server;
  t.equal(await asServer.streamWrite(storageIndex, 0, uploadSecret, { begin: 0, end: 1 }, noChunks()), undefined);
  t.equal(await server.subscribe(), 'absent');
});

t.test('an upload is given up, by abort and with its connection', async (t) => {
  const { disconnect, server, store } = await startPair(t);
  await server.allocate(storageIndex, request([0, 1, 2]));
  await server.write(storageIndex, 1, uploadSecret, 0, [content.subarray(0, 10)]);
  await server.abort(storageIndex, 0, uploadSecret);
  await server.abort(storageIndex, 9, uploadSecret);
  t.equal((await store.figures()).uploadCount, 2);
  await t.rejects(server.write(storageIndex, 0, uploadSecret, 0, [content]), { code: 'ERR_SERVER_REPLY' });
  await disconnect();
  while ((await store.figures()).uploadCount > 0) await settle(1);
  t.strictSame(await store.listShares(storageIndex), new Set());
  await t.rejects(server.write(storageIndex, 1, uploadSecret, 10, [content]), { code: 'ERR_SERVER_REPLY' });
});

async function* noChunks(): AsyncGenerator<Uint8Array> {
  yield* await Promise.resolve([]);
}

/** Only how it ends. */
async function ended(calling: Promise<Value> | undefined): Promise<void> {
  await calling;
}

async function writersOf(object: RemoteReference, size: number): Promise<RemoteReference[]> {
  const canary = { interfaceName: '', call: () => Promise.resolve(null) };
  const numbers = new ValueSet([0, 1]);
  const answer = await object.call('allocate_buckets', [
    storageIndex,
    renewSecret,
    cancelSecret,
    numbers,
    size,
    canary,
  ]);
  const given = answer instanceof Tuple ? answer.items[1] : undefined;
  if (!(given instanceof Dict)) throw new Error('no writers');
  return given.entries.flatMap(([, writer]) => (isRemoteReference(writer) ? [writer] : []));
}

t.test('what old releases leave out of a share is zeros', async (t) => {
  const { object, server } = await startPair(t);
  const [writer, other] = await writersOf(object, 1000);
  await writer?.call('write', [0, utf8('begin')]);
  await writer?.call('write', [995, utf8('the e')]);
  t.equal(await writer?.call('close', []), null);
  t.equal(await writer?.call('close', []), null, 'twice');
  const expected = concat(utf8('begin'), new Uint8Array(990), utf8('the e'));
  t.strictSame(await server.read(storageIndex, 0, { begin: 0, end: 2000 }), expected);
  await other?.call('abort', []);
  await t.rejects(ended(other?.call('write', [0, utf8('x')])), { code: 'ERR_REMOTE' });
});

t.test('refusals have the names that the reference knows', async (t) => {
  const { object, server } = await startPair(t);
  const [writer] = await writersOf(object, 10);
  const named = async (calling: Promise<Value> | undefined, name: string): Promise<void> => {
    await t.rejects(ended(calling), { code: 'ERR_REMOTE', facts: { type: name } }, name);
  };
  await writer?.call('write', [0, utf8('12345')]);
  await named(writer?.call('write', [4, utf8('67')]), 'allmydata.interfaces.ConflictingWriteError');
  await named(writer?.call('write', [8, utf8('678')]), 'allmydata.interfaces.DataTooLargeError');
  await named(writer?.call('rename', []), 'foolscap.tokens.Violation');
  await named(object.call('delete', []), 'foolscap.tokens.Violation');
  const write = (enabler: string) => {
    const written = new Dict([[0, new Tuple([], [new Tuple(0, utf8('data'))], null)]]);
    const all = new Tuple(seededBytes(enabler, 32), renewSecret, cancelSecret);
    return object.call('slot_testv_and_readv_and_writev', [otherIndex, all, written, []]);
  };
  t.strictSame(await write('right'), new Tuple(true, new Dict([])));
  await named(write('wrong'), 'allmydata.interfaces.BadWriteEnablerError');
  t.strictSame(await server.listMutableShares(otherIndex), new Set([0]));
  const size = 2 ** 52;
  t.strictSame((await server.allocate(storageIndex, request([9], size))).allocated, new Set(), 'no room');
});

t.test('arguments of another shape are violations, and change nothing', async (t) => {
  const { object, store } = await startPair(t);
  const canary = { interfaceName: '', call: () => Promise.resolve(null) };
  const numbers = new ValueSet([0]);
  const all = new Tuple(seededBytes('enabler', 32), renewSecret, cancelSecret);
  const calls: readonly [string, readonly Value[]][] = [
    ['get_version', [1]],
    ['get_buckets', []],
    ['get_buckets', [new Uint8Array(15)]],
    ['get_buckets', ['sixteen letters!']],
    ['add_lease', [storageIndex, renewSecret, new Uint8Array(31)]],
    ['allocate_buckets', [storageIndex, renewSecret, cancelSecret, numbers, -1, canary]],
    ['allocate_buckets', [storageIndex, renewSecret, cancelSecret, numbers, 2n ** 64n, canary]],
    ['allocate_buckets', [storageIndex, renewSecret, cancelSecret, [0], 10, canary]],
    ['allocate_buckets', [storageIndex, renewSecret, cancelSecret, new ValueSet([256]), 10, canary]],
    ['allocate_buckets', [storageIndex, renewSecret, cancelSecret, new ValueSet([-1]), 10, canary]],
    ['allocate_buckets', [storageIndex, renewSecret, cancelSecret, numbers, 10, null]],
    ['slot_readv', [storageIndex, [0], [new Tuple(0, 2 ** 31)]]],
    ['slot_readv', [storageIndex, [0], [new Tuple(0)]]],
    ['slot_testv_and_readv_and_writev', [storageIndex, all, new Dict([[0, new Tuple([], [])]]), []]],
    ['slot_testv_and_readv_and_writev', [storageIndex, all, new Dict([[0, tested('ne')]]), []]],
    ['slot_testv_and_readv_and_writev', [storageIndex, new Tuple(renewSecret), new Dict([]), []]],
    ['advise_corrupt_share', [utf8('other'), storageIndex, 0, utf8('why')]],
    ['advise_corrupt_share', [utf8('mutable'), storageIndex, 0, 'why']],
  ];
  for (const [method, given] of calls) {
    await t.rejects(object.call(method, given), { facts: { type: 'foolscap.tokens.Violation' } } as never, method);
  }
  t.equal((await store.figures()).uploadCount, 0);
  t.strictSame(await store.listMutable(storageIndex), new Set());
});

function tested(operator: string): Tuple {
  return new Tuple([new Tuple(0, 1, utf8(operator), none)], [new Tuple(0, utf8('data'))], null);
}

t.test('an answer that is no answer', async (t) => {
  const { serve } = await startTub(t);
  let answer: Value = null;
  const furl = serve('liar', {
    interfaceName: 'RIStorageServer.tahoe.allmydata.com',
    call: () => Promise.resolve(answer),
  });
  const identity = { serverId: 'v0-server', nickname: '', permutationSeed: none, tubId: new Uint8Array(20) };
  const server = new FoolscapStorageServer({
    identity,
    furl: parseFurl(furl),
    tub: await makeTub(t),
    clock: systemClock,
  });
  const lies: readonly Value[] = [null, 1, new Dict([]), new Tuple(1, 2), new Dict([[utf8('x'), 1]]), [[]]];
  for (const lie of lies) {
    answer = lie;
    const refused = { code: 'ERR_SERVER_REPLY' };
    await t.rejects(server.version(), refused);
    await t.rejects(server.allocate(storageIndex, request([0])), refused);
    if (!(lie instanceof Dict) || lie.entries.length > 0) await t.rejects(server.listShares(storageIndex), refused);
    const test = { shares: new Map(), reads: [], ...secrets, writeEnabler: cancelSecret };
    await t.rejects(server.readTestWrite(storageIndex, test), refused);
  }
  answer = new Dict([[0, [new Uint8Array(11)]]]);
  await t.rejects(server.readMutable(storageIndex, 0, { begin: 0, end: 10 }), { code: 'ERR_SERVER_REPLY' });
  await server.close();
  await t.rejects(server.version(), { code: 'ERR_CANCELLED' });
});
