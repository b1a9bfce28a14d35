/**
 * What every storage server answers, as a suite over a factory: it runs in this process, over sockets, and
 * against the reference's own server. Cases in which we differ from the reference on purpose say so with
 * `ours`, and why.
 * @see Tahoe-LAFS docs/specifications/http-storage-node-protocol.rst
 */
import t from 'tap';
import { concat, fromUtf8, utf8 } from '#core/bytes.js';
import { decodeCbor } from '#wire/cbor.js';
import { decodeVersion, encodeCorruptRequest, storagePath } from '#wire/storage.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { otherIndex, otherSecret, sameBytes, storageIndex } from '#test/fixtures/share-store.js';
import {
  allocationSecrets,
  cborType,
  leaseSecretKinds,
  requiredOf,
  rightSecrets,
  StorageTalk,
} from '#test/fixtures/storage-talk.js';
import type { MakeProtocolSubject } from '#test/fixtures/storage-talk.js';
import { authoritySuite } from './storage-protocol-authority.js';
import { mutableProtocolSuite } from './storage-protocol-mutable.js';
import { beginningsSuite } from './storage-protocol-beginnings.js';
import { refusalSuite } from './storage-protocol-refusals.js';

const share = seededBytes('share', 5000);

/** Runs every test of the protocol. */
export function storageProtocolSuite(makeSubject: MakeProtocolSubject): void {
  versionSuite(makeSubject);
  uploadSuite(makeSubject);
  readSuite(makeSubject);
  otherSuite(makeSubject);
  authoritySuite(makeSubject);
  refusalSuite(makeSubject);
  mutableProtocolSuite(makeSubject);
  beginningsSuite(makeSubject);
}

function versionSuite(makeSubject: MakeProtocolSubject): void {
  t.test('the version has byte-string keys and nothing more than the client knows', async (t) => {
    const talk = new StorageTalk(await makeSubject(t));
    const reply = await talk.send('GET', storagePath.version);
    t.match(reply, { status: 200, headers: { 'content-type': 'application/cbor' } });
    const version = decodeVersion(reply.body);
    t.equal(version.maximumMutableShareSize, 69_105_000_000_000_000n);
    t.ok(version.availableSpace > 0 && version.maximumImmutableShareSize > 0);
    t.ok(version.applicationVersion.length > 0);
    const outer = decodeCbor(reply.body) as Map<Uint8Array, unknown>;
    const inner = [...outer.values()].find((value) => value instanceof Map) as Map<Uint8Array, unknown>;
    t.strictSame([...outer.keys()].map((key) => fromUtf8(key)).sort(), [
      'application-version',
      'http://allmydata.org/tahoe/protocols/storage/v1',
    ]);
    t.strictSame([...inner.keys()].map((key) => fromUtf8(key)).sort(), [
      'available-space',
      'maximum-immutable-share-size',
      'maximum-mutable-share-size',
    ]);
  });
}

function uploadSuite(makeSubject: MakeProtocolSubject): void {
  t.test('an upload in one piece', async (t) => {
    const talk = new StorageTalk(await makeSubject(t));
    t.strictSame(await talk.allocate(storageIndex, [1, 4], share.length), { alreadyHave: [], allocated: [1, 4] });
    const reply = await talk.write(storageIndex, 1, 0, share);
    t.match(reply, { status: 201, headers: { 'content-type': 'application/cbor' } });
    t.strictSame(requiredOf(reply), []);
    t.strictSame(await talk.shares(storageIndex), [1]);
    t.strictSame(await talk.allocate(storageIndex, [1, 2], share.length), { alreadyHave: [1], allocated: [2] });
  });

  t.test('an upload in many pieces, the same ones twice', async (t) => {
    const talk = new StorageTalk(await makeSubject(t));
    await talk.allocate(storageIndex, [0], share.length);
    for (const [begin, end, required] of [
      [
        1000,
        2000,
        [
          { begin: 0, end: 1000 },
          { begin: 2000, end: 5000 },
        ],
      ],
      [
        1500,
        3000,
        [
          { begin: 0, end: 1000 },
          { begin: 3000, end: 5000 },
        ],
      ],
      [
        4000,
        5000,
        [
          { begin: 0, end: 1000 },
          { begin: 3000, end: 4000 },
        ],
      ],
      [0, 3500, [{ begin: 3500, end: 4000 }]],
    ] as const) {
      const reply = await talk.write(storageIndex, 0, begin, share.subarray(begin, end));
      t.equal(reply.status, 200);
      t.strictSame(requiredOf(reply), required);
      t.strictSame(await talk.shares(storageIndex), [], 'it is not listed');
      t.equal((await talk.read(storageIndex, 0)).status, 404, 'nor readable');
    }
    t.equal((await talk.write(storageIndex, 0, 3500, share.subarray(3500))).status, 201);
    sameBytes(t, (await talk.read(storageIndex, 0)).body, share);
  });

  t.test('a total in Content-Range is not looked at', async (t) => {
    const talk = new StorageTalk(await makeSubject(t));
    await talk.allocate(storageIndex, [0], share.length);
    const reply = await talk.write(storageIndex, 0, 0, share, { contentRange: 'bytes 0-4999/5000' });
    t.equal(reply.status, 201);
  });

  t.test('other bytes at the same place are refused and change nothing', async (t) => {
    const talk = new StorageTalk(await makeSubject(t));
    await talk.allocate(storageIndex, [0], share.length);
    await talk.write(storageIndex, 0, 100, share.subarray(100, 200));
    t.equal((await talk.write(storageIndex, 0, 150, seededBytes('other', 10))).status, 409);
    t.equal((await talk.write(storageIndex, 0, 0, share)).status, 201);
    sameBytes(t, (await talk.read(storageIndex, 0)).body, share);
  });

  t.test('an upload belongs to its secret', async (t) => {
    const subject = await makeSubject(t);
    const talk = new StorageTalk(subject);
    await talk.allocate(storageIndex, [0], share.length);
    t.strictSame(await talk.allocate(storageIndex, [0, 1], share.length, otherSecret), {
      alreadyHave: [],
      allocated: [1],
    });
    t.equal((await talk.write(storageIndex, 0, 0, share, { secret: otherSecret })).status, 401);
    t.equal((await talk.write(storageIndex, 2, 0, share)).status, 404);
    t.equal((await talk.write(otherIndex, 0, 0, share)).status, 404);
    if (subject.isReference)
      t.comment('ours: a repeated allocation is answered as the first time, as the specification has it');
    else t.strictSame(await talk.allocate(storageIndex, [0], share.length), { alreadyHave: [], allocated: [0] });
    t.equal((await talk.write(storageIndex, 0, 0, share)).status, 201);
    t.equal((await talk.write(storageIndex, 0, 0, share)).status, 404, 'a finished upload is none');
  });

  t.test('aborting frees the number', async (t) => {
    const talk = new StorageTalk(await makeSubject(t));
    await talk.allocate(storageIndex, [0, 1], share.length);
    await talk.write(storageIndex, 0, 0, share.subarray(0, 100));
    const abort = (shareNumber: number, secret?: Uint8Array): ReturnType<StorageTalk['send']> =>
      talk.send(
        'PUT',
        storagePath.abort(storageIndex, shareNumber),
        rightSecrets(['upload-secret'], secret === undefined ? {} : { secret }),
      );
    t.equal((await abort(0, otherSecret)).status, 401);
    const reply = await abort(0);
    t.match(reply, { status: 200, headers: { 'content-type': undefined } });
    t.equal(reply.body.length, 0);
    t.equal((await abort(0)).status, 404);
    t.strictSame(await talk.allocate(storageIndex, [0], 10, otherSecret), { alreadyHave: [], allocated: [0] });
    t.equal((await talk.write(storageIndex, 1, 0, share)).status, 201);
    t.equal((await abort(1)).status, 405, 'too late');
    t.equal((await abort(9)).status, 404);
  });

  t.test('PUT of a range does what PATCH does', async (t) => {
    const subject = await makeSubject(t);
    if (subject.isReference) {
      t.comment('ours: the reference has no PUT of a range');
      return;
    }
    const talk = new StorageTalk(subject);
    await talk.allocate(storageIndex, [0], share.length);
    t.equal((await talk.write(storageIndex, 0, 0, share.subarray(0, 99), { method: 'PUT' })).status, 200);
    t.equal((await talk.write(storageIndex, 0, 99, share.subarray(99), { method: 'PUT' })).status, 201);
    sameBytes(t, (await talk.read(storageIndex, 0)).body, share);
  });
}

function readSuite(makeSubject: MakeProtocolSubject): void {
  t.test('reading the whole, ranges, and behind the end', async (t) => {
    const subject = await makeSubject(t);
    const talk = new StorageTalk(subject);
    await talk.store(storageIndex, 3, share);
    const all = await talk.read(storageIndex, 3);
    t.match(all, { status: 200, headers: { 'content-type': 'application/octet-stream', 'content-range': undefined } });
    sameBytes(t, all.body, share);
    for (const [range, begin, end] of [
      ['bytes=0-0', 0, 1],
      ['bytes=0-4999', 0, 5000],
      ['bytes=17-1233', 17, 1234],
      ['bytes=4999-4999', 4999, 5000],
      ['bytes=4000-9999', 4000, 5000],
      ['bytes=0-9007199254740990', 0, 5000],
    ] as const) {
      const reply = await talk.read(storageIndex, 3, range);
      const contentRange = `bytes ${String(begin)}-${String(end - 1)}/*`;
      t.match(reply, {
        status: 206,
        headers: { 'content-type': 'application/octet-stream', 'content-range': contentRange },
      });
      sameBytes(t, reply.body, share.subarray(begin, end), range);
    }
    for (const range of ['bytes=5000-5000', 'bytes=5000-9999', 'bytes=9000-9001']) {
      const reply = await talk.read(storageIndex, 3, range);
      t.match(reply, { status: 204, headers: { 'content-range': undefined } }, range);
      // ours: the reference gives a type to what is not there.
      if (!subject.isReference) t.equal(reply.headers['content-type'], undefined);
    }
    const typed = { status: 404, headers: { 'content-type': 'application/octet-stream' } };
    t.match(await talk.read(storageIndex, 2), typed, 'the type is what the reference client looks at first');
    t.equal((await talk.read(otherIndex, 3)).status, 404);
    t.strictSame(await talk.shares(otherIndex), []);
  });

  t.test('a share of many pieces', async (t) => {
    const talk = new StorageTalk(await makeSubject(t));
    const large = seededBytes('large', 1_500_001);
    await talk.store(storageIndex, 0, large);
    const all = await talk.read(storageIndex, 0);
    t.equal(all.status, 200);
    sameBytes(t, all.body, large);
    const most = await talk.read(storageIndex, 0, 'bytes=1-1400000');
    t.equal(most.status, 206);
    sameBytes(t, most.body, large.subarray(1, 1_400_001));
  });
}

function otherSuite(makeSubject: MakeProtocolSubject): void {
  t.test('a lease on what is here', async (t) => {
    const talk = new StorageTalk(await makeSubject(t));
    await talk.store(storageIndex, 0, share);
    for (const seed of ['first', 'second']) {
      const reply = await talk.send('PUT', storagePath.lease(storageIndex), rightSecrets(leaseSecretKinds, { seed }));
      t.match(reply, { status: 204, headers: { 'content-type': undefined } });
    }
    t.equal((await talk.send('PUT', storagePath.lease(otherIndex), rightSecrets(leaseSecretKinds))).status, 404);
    sameBytes(t, (await talk.read(storageIndex, 0)).body, share);
  });

  t.test('a report of damage', async (t) => {
    const talk = new StorageTalk(await makeSubject(t));
    await talk.store(storageIndex, 0, share);
    const report = encodeCorruptRequest('the third block is wrong: ü');
    const reply = await talk.send('POST', storagePath.corrupt(storageIndex, 0), [cborType], report);
    t.match(reply, { status: 200, headers: { 'content-type': undefined } });
    t.equal(reply.body.length, 0);
    t.equal((await talk.send('POST', storagePath.corrupt(storageIndex, 1), [cborType], report)).status, 404);
    t.equal((await talk.send('POST', storagePath.corrupt(otherIndex, 0), [], report)).status, 404);
    const longest = encodeCorruptRequest('x'.repeat(32_757));
    t.equal((await talk.send('POST', storagePath.corrupt(storageIndex, 0), [cborType], longest)).status, 200);
    const tooLong = encodeCorruptRequest('x'.repeat(32_758));
    t.equal((await talk.send('POST', storagePath.corrupt(storageIndex, 0), [cborType], tooLong)).status, 413);
  });

  t.test('messages that are not what they should be', async (t) => {
    const subject = await makeSubject(t);
    const talk = new StorageTalk(subject);
    const path = storagePath.allocate(storageIndex);
    const headers = rightSecrets(allocationSecrets);
    // d9 0102 is the tag of a set.
    const good = 'a26d73686172652d6e756d62657273d9010281006e616c6c6f63617465642d73697a650a';
    const bad: readonly [hex: string, why: string, ours?: string][] = [
      ['', 'nothing'],
      ['a0', 'an empty map'],
      ['80', 'a list'],
      ['ff', 'a break'],
      [good.slice(0, -2), 'cut short'],
      [good.replace('d90102', ''), 'a list in place of a set'],
      [good.replace('8100', '8161' + '30'), 'a text as a share number', 'an error of the reference: 500'],
      [good.replace('8100', '8120'), 'the share number -1', 'the reference files it as share -1'],
      [good.replace('8100', '81190100'), 'the share number 256', 'the reference files it'],
      [good.replace('8100', '81c24102'), 'a bignum', 'an error of the reference: 500'],
      [good.replace(/0a$/, '29'), 'a negative size'],
      [good.replace(/0a$/, '623130'), 'a text as the size'],
      [good.replace(/^a2/, 'a3') + '6161' + '00', 'one key more'],
      [good + '00', 'a byte behind its end', 'the reference does not look'],
      ['bf' + good.slice(2) + 'ff', 'an indefinite length', 'the reference takes it'],
    ];
    for (const [hex, why, ours] of bad) {
      if (subject.isReference && ours !== undefined) continue;
      const reply = await talk.send('POST', path, [...headers, cborType], Buffer.from(hex, 'hex'));
      t.match(reply, { status: 400 }, why);
    }
    const huge = concat(Buffer.from(good, 'hex'), new Uint8Array(8192));
    t.equal((await talk.send('POST', path, [...headers, cborType], huge)).status, 413);
    for (const type of ['application/json', 'text/plain', 'application/cborx', '']) {
      if (subject.isReference && type === '') continue;
      const typed = [...headers, ['Content-Type', type]] as const;
      t.equal((await talk.send('POST', path, typed, Buffer.from(good, 'hex'))).status, 415, type);
    }
    t.strictSame(await talk.shares(storageIndex), []);
    t.strictSame(await talk.allocate(storageIndex, [0], 10), { alreadyHave: [], allocated: [0] }, 'nothing was begun');
    const untyped = await talk.send('POST', storagePath.allocate(otherIndex), headers, Buffer.from(good, 'hex'));
    t.equal(untyped.status, 200, 'no type at all is taken for CBOR');
    t.equal(
      (await talk.send('POST', storagePath.corrupt(storageIndex, 0), [cborType], utf8('nonsense'))).status >= 400,
      true,
    );
  });
}
