/**
 * The reference's own Tub against ours: values, references, failures and vocabularies both ways, every method of the storage
 * interfaces under the reference's schemas, and what becomes of connections that are lost.
 */
import t from 'tap';
import type { Test } from 'tap';
import { fromUtf8, utf8 } from '#core/bytes.js';
import { silentLog } from '#core/environment.js';
import { StorageObject } from '#storage/foolscap/storage-object.js';
import { createMemoryStore } from '#storage/memory-store.js';
import type { ShareStore } from '#storage/share-store.js';
import { isRemoteReference } from '#wire/foolscap/tub.js';
import type { RemoteObject } from '#wire/foolscap/tub.js';
import { Dict, Float, Tuple, ValueSet } from '#wire/foolscap/values.js';
import type { Value } from '#wire/foolscap/values.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { seededRandom } from '#test/fixtures/crypto.js';
import { objectOf } from '#test/fixtures/foolscap/banana-talk.js';
import { startReferenceTub } from '#test/fixtures/foolscap/reference-tub.js';
import { makeTub, startTub } from '#test/fixtures/foolscap/tub-pair.js';
import { hasReference } from '#test/fixtures/process-grid.js';
import { storageIndex, storeOptions } from '#test/fixtures/share-store.js';

const options = { skip: hasReference ? false : 'no reference', timeout: 60_000 };

/** Values of ours, and what they are in Python. */
const values: readonly [Value, string][] = [
  [null, 'None'],
  [true, 'True'],
  [0, '0'],
  [-1, '-1'],
  [2 ** 31 - 1, '2147483647'],
  [2 ** 31, '2147483648'],
  [-(2 ** 31), '-2147483648'],
  [-(2 ** 31) - 1, '-2147483649'],
  [2 ** 53 - 1, '9007199254740991'],
  [2n ** 64n, '18446744073709551616'],
  [-(2n ** 64n), '-18446744073709551616'],
  [2n ** 2000n, String(2n ** 2000n)],
  [new Float(1.5), '1.5'],
  ['ü€𝄞', "'ü€𝄞'"],
  ['', "''"],
  [Uint8Array.of(0, 255), "b'\\x00\\xff'"],
  [utf8('list'), "b'list'"],
  [[1, [2, []]], '[1, [2, []]]'],
  [new Tuple(1, new Tuple()), '(1, ())'],
  [new Dict([[utf8('a'), new Dict([[1, 'x']])]]), "{b'a': {1: 'x'}}"],
  [new ValueSet([1, 2]), '{1, 2}'],
  [new ValueSet([1], true), 'frozenset({1})'],
];

t.test('values there and back', options, async (t) => {
  const { furl, run } = await startReferenceTub(t);
  const server = await startTub(t);
  const ours = server.serve('echo', objectOf({ echo: (value) => value ?? null }));
  const reference = await (await makeTub(t)).connect(furl);
  for (const [value, python] of values) {
    const kind = await reference.call('kind', [value]);
    t.equal(kind instanceof Uint8Array ? fromUtf8(kind) : '', python, `${python}: sent`);
    t.strictSame(await reference.call('echo', [value]), value, `${python}: received`);
  }
  const calls = values.map(([, python]) => `values.append((yield ref.callRemote("echo", ${python})) == ${python})`);
  const all = await run(
    [`ref = yield tub.getReference("${ours}")`, 'values = []', ...calls, 'return values'].join('\n'),
  );
  t.strictSame(
    all,
    values.map(() => true),
  );
  const large = new Uint8Array(30_000_000).fill(7);
  const back = await reference.call('echo', [large]);
  t.ok(back instanceof Uint8Array && back.length === large.length && back.every((byte) => byte === 7), '30 MB');
  t.strictSame(await reference.call('twice', []), [
    [1, 2],
    [1, 2],
  ]);
  await t.rejects(reference.call('cycle', []), { code: 'ERR_VIOLATION' });
  await reference.call('vocabulary', [[utf8('answer'), utf8('list'), utf8('a word')]]);
  t.strictSame(await reference.call('echo', [[utf8('a word'), utf8('another')]]), [utf8('a word'), utf8('another')]);
  await reference.call('vocabulary', [[]]);
  t.strictSame(await reference.call('echo', [utf8('list')]), utf8('list'));
});

t.test('failures and references', options, async (t) => {
  const { furl, kill, run } = await startReferenceTub(t);
  const client = await makeTub(t);
  const reference = await client.connect(furl);
  await t.rejects(reference.call('fail', [utf8('why')]), {
    code: 'ERR_REMOTE',
    facts: { method: 'fail', type: 'builtins.KeyError', message: "'why'" },
  });
  await t.rejects(reference.call('absent', []), { code: 'ERR_REMOTE' });
  await t.rejects(client.connect(`${furl}x`), { code: 'ERR_REMOTE', facts: { type: 'builtins.KeyError' } });
  const part = await reference.call('part', [7]);
  if (!isRemoteReference(part)) throw new Error('no reference');
  t.equal(await part.call('number', []), 7);
  part.release();
  let released = 0;
  const mine: RemoteObject = { ...objectOf({ add: (a, b) => Number(a) + Number(b) }), released: () => (released += 1) };
  t.equal(await reference.call('call_back', [mine, utf8('add'), [2, 3]]), 5);
  t.equal(await reference.call('echo', [mine]), mine, 'ours comes back as itself');
  t.equal(await reference.call('echo', [reference]), reference, 'theirs as well');
  await reference.call('hold', [mine]);
  await reference.call('drop', []);
  await run('import gc\ngc.collect()\nreturn None');
  while (released === 0) await settle(1);
  t.equal(released, 1, 'let go of when the reference collects it');
  await reference.call('hold', [mine]);
  t.equal(await reference.call('lost', []), 0);
  await client.close();
  const another = await (await makeTub(t)).connect(furl);
  // It was asked to watch twice.
  while (Number(await another.call('lost', [])) < 2) await settle(1);
  const ended = new Promise<void>((resolve) => another.notifyOnDisconnect(resolve));
  await kill();
  await ended;
  await t.rejects(another.call('lost', []), { code: 'ERR_CONNECTION_CLOSED' });
});

/** Python that gets the storage server and defines what its calls take. */
const preamble = (furl: string): string => `
ref = yield tub.getReference("${furl}")
si, renew, cancel, enabler = b"\\x07" * 16, b"r" * 32, b"c" * 32, b"w" * 32
secrets = (enabler, renew, cancel)
canary = Referenceable()
`;

async function serveStore(t: Test): Promise<{ store: ShareStore; furl: string; exported: () => number }> {
  const store = createMemoryStore(storeOptions(new ManualClock(), { log: silentLog }));
  t.teardown(() => store.close());
  const server = await startTub(t);
  const random = seededRandom('uploads');
  const furl = server.serve('swissnum', new StorageObject({ store, random, applicationVersion: 'tallac/test' }));
  return { store, furl, exported: () => server.tub.connectionCount };
}

t.test('every method of the storage interfaces, under the schemas of the reference', options, async (t) => {
  const { run } = await startReferenceTub(t);
  const { furl } = await serveStore(t);
  const results = await run(`${preamble(furl)}
version = yield ref.callRemote("get_version")
protocol = version[b"http://allmydata.org/tahoe/protocols/storage/v1"]
had, writers = yield ref.callRemote("allocate_buckets", si, renew, cancel, set([0, 3]), 100, canary)
yield writers[0].callRemote("write", 0, b"a" * 60)
yield writers[0].callRemote("write", 60, b"b" * 40)
yield writers[0].callRemote("close")
yield writers[3].callRemote("write", 0, b"a")
yield writers[3].callRemote("abort")
again, more = yield ref.callRemote("allocate_buckets", si, renew, cancel, set([0, 1]), 100, canary)
yield ref.callRemote("add_lease", si, b"R" * 32, b"C" * 32)
readers = yield ref.callRemote("get_buckets", si)
data = yield readers[0].callRemote("read", 58, 4)
end = yield readers[0].callRemote("read", 98, 1000)
past = yield readers[0].callRemote("read", 100, 1)
yield readers[0].callRemote("advise_corrupt_share", b"why")
yield ref.callRemote("advise_corrupt_share", b"immutable", si, 0, b"why not")
return [version[b"application-version"].decode(), sorted(k.decode() for k in protocol), sorted(had), sorted(writers), sorted(again),
        sorted(more), sorted(readers), data.decode(), end.decode(), past.decode()]
`);
  t.strictSame(results, [
    'tallac/test',
    [
      'available-space',
      'delete-mutable-shares-with-zero-length-writev',
      'fills-holes-with-zero-bytes',
      'maximum-immutable-share-size',
      'maximum-mutable-share-size',
      'prevents-read-past-end-of-share-data',
      'tolerates-immutable-read-overrun',
    ],
    [],
    [0, 3],
    [0],
    [1],
    [0],
    'aabb',
    'bb',
    '',
  ]);
  const slot = await run(`${preamble(furl)}
si = b"\\x08" * 16
made = yield ref.callRemote("slot_testv_and_readv_and_writev", si, secrets, {0: ([(0, 1, b"eq", b"")], [(0, b"first data")], None), 5: ([], [(0, b"x")], None)}, [])
failed = yield ref.callRemote("slot_testv_and_readv_and_writev", si, secrets, {0: ([(0, 1, b"eq", b"")], [(0, b"other")], None)}, [(0, 5), (6, 100)])
cut = yield ref.callRemote("slot_testv_and_readv_and_writev", si, secrets, {0: ([], [], 5), 5: ([], [], 0)}, [])
some = yield ref.callRemote("slot_readv", si, [0, 9], [(0, 100), (3, 1)])
every = yield ref.callRemote("slot_readv", si, [], [(0, 1)])
yield ref.callRemote("advise_corrupt_share", b"mutable", si, 0, b"why")
return [repr(x) for x in (made, failed, cut, some, every)]
`);
  t.strictSame(slot, [
    '(True, {})',
    "(False, {0: [b'first', b'data'], 5: [b'x', b'']})",
    '(True, {0: [], 5: []})',
    "{0: [b'first', b's']}",
    "{0: [b'f']}",
  ]);
});

t.test('refusals are the exceptions that the reference looks for', options, async (t) => {
  const { run } = await startReferenceTub(t);
  const { furl } = await serveStore(t);
  const text = await run(`${preamble(furl)}
from allmydata.interfaces import BadWriteEnablerError, ConflictingWriteError, DataTooLargeError
names = []
def note(f):
    names.append([c.__name__ for c in (BadWriteEnablerError, ConflictingWriteError, DataTooLargeError, KeyError) if f.value.failure.check(c)])
had, writers = yield ref.callRemote("allocate_buckets", si, renew, cancel, set([0]), 10, canary)
yield writers[0].callRemote("write", 0, b"12345")
yield writers[0].callRemote("write", 4, b"67").addErrback(note)
yield writers[0].callRemote("write", 8, b"678").addErrback(note)
vectors = {0: ([], [(0, b"data")], None)}
yield ref.callRemote("slot_testv_and_readv_and_writev", b"\\x09" * 16, secrets, vectors, [])
yield ref.callRemote("slot_testv_and_readv_and_writev", b"\\x09" * 16, (renew, renew, cancel), vectors, []).addErrback(note)
yield tub.getReference("${furl}x").addErrback(note)
return names
`);
  t.strictSame(text, [['ConflictingWriteError'], ['DataTooLargeError'], ['BadWriteEnablerError'], ['KeyError']]);
});

t.test('the end of a connection gives up what was being uploaded over it', options, async (t) => {
  const { kill, run } = await startReferenceTub(t);
  const { furl, store } = await serveStore(t);
  await run(`${preamble(furl)}
si = ${JSON.stringify(Buffer.from(storageIndex).toString('hex'))}
si = bytes.fromhex(si)
had, state["writers"] = yield ref.callRemote("allocate_buckets", si, renew, cancel, set([0, 1]), 10, canary)
yield state["writers"][0].callRemote("write", 0, b"0123456789")
yield state["writers"][0].callRemote("close")
yield state["writers"][1].callRemote("write", 0, b"01")
return None
`);
  t.equal((await store.figures()).uploadCount, 1);
  await kill();
  while ((await store.figures()).uploadCount > 0) await settle(1);
  t.strictSame(await store.listShares(storageIndex), new Set([0]));
});
