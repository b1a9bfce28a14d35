/** What every storage server answers in the mutable half of the protocol. `ours` marks where the reference fails. */
import fc from 'fast-check';
import t from 'tap';
import { concat, utf8 } from '#core/bytes.js';
import { encodeCbor } from '#wire/cbor.js';
import type { CborValue } from '#wire/cbor.js';
import { encodeCorruptRequest, storagePath } from '#wire/storage.js';
import {
  decodeReadTestWriteReply,
  encodeReadTestWriteRequest,
  mutablePath,
  VECTOR_COUNT_MAX,
} from '#wire/storage-mutable.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { vectors } from '#test/fixtures/mutable-store.js';
import { fromText, mutableVectors } from '#test/fixtures/mutable-vectors.js';
import { otherIndex, sameBytes, storageIndex } from '#test/fixtures/share-store.js';
import { cborType, leaseSecretKinds, rightSecrets, StorageTalk, writeSecrets } from '#test/fixtures/storage-talk.js';
import type { Header, MakeProtocolSubject } from '#test/fixtures/storage-talk.js';

const share = seededBytes('mutable share', 5000);
const whole = { writes: [{ offset: 0, data: share }] };
const isMissing = [{ offset: 0, size: 1, specimen: new Uint8Array(0) }];

/** Runs every test of the mutable half. */
export function mutableProtocolSuite(makeSubject: MakeProtocolSubject): void {
  writeSuite(makeSubject);
  readSuite(makeSubject);
  secretSuite(makeSubject);
  messageSuite(makeSubject);
  mixedSuite(makeSubject);
  largeSuite(makeSubject);
}

function writeSuite(makeSubject: MakeProtocolSubject): void {
  t.test('a slot is made, tested, read, written on, cut and emptied', async (t) => {
    const talk = new StorageTalk(await makeSubject(t));
    const first = vectors({ 0: { ...whole, tests: isMissing }, 7: { ...whole, tests: isMissing } });
    const made = await talk.sendVectors(storageIndex, first);
    t.match(made, { status: 200, headers: { 'content-type': 'application/cbor' } });
    t.strictSame(Buffer.from(made.body).toString('hex'), 'a26773756363657373f56464617461a0', 'byte for byte');
    t.strictSame(await talk.mutableShares(storageIndex), [0, 7]);
    const again = await talk.readTestWrite(storageIndex, first);
    t.strictSame([again.success, [...again.data.keys()].sort()], [false, [0, 7]]);
    const change = {
      writes: [{ offset: 5, data: utf8('new') }],
      tests: [{ offset: 0, size: 5, specimen: share.subarray(0, 5) }],
    };
    const reads = [
      { offset: 4, size: 5 },
      { offset: 4998, size: 100 },
      { offset: 9999, size: 1 },
    ];
    const { data, success } = await talk.readTestWrite(storageIndex, vectors({ 7: change }, reads));
    t.ok(success);
    for (const shareNumber of [0, 7]) {
      const wanted = [share.subarray(4, 9), share.subarray(4998), new Uint8Array(0)];
      t.strictSame(
        data.get(shareNumber)?.map((piece) => Buffer.from(piece)),
        wanted.map((piece) => Buffer.from(piece)),
      );
    }
    sameBytes(
      t,
      (await talk.readMutable(storageIndex, 7, 'bytes=0-9')).body,
      concat(share.subarray(0, 5), utf8('new'), share.subarray(8, 10)),
    );
    await talk.readTestWrite(storageIndex, vectors({ 0: { newLength: 0 }, 7: { newLength: 20 } }));
    t.strictSame(await talk.mutableShares(storageIndex), [7]);
    t.equal((await talk.readMutable(storageIndex, 7)).body.length, 20);
    await talk.readTestWrite(storageIndex, vectors({ 7: { newLength: 0 }, 8: { newLength: 0 } }));
    t.strictSame(await talk.mutableShares(storageIndex), []);
    t.strictSame((await talk.readTestWrite(storageIndex, vectors({}, reads))).data.size, 0);
  });

  t.test('the histories that were recorded', async (t) => {
    const talk = new StorageTalk(await makeSubject(t));
    const enabler = fromText(mutableVectors.writeEnabler);
    for (const { steps, storageIndex: index } of mutableVectors.histories.slice(0, 3)) {
      for (const { client, data, request, success } of steps) {
        const headers = [...rightSecrets(writeSecrets, { enabler, seed: String(client) }), cborType];
        const reply = await talk.send('POST', mutablePath.readTestWrite(fromText(index)), headers, fromText(request));
        const found = decodeReadTestWriteReply(reply.body);
        t.equal(found.success, success);
        const texts = [...found.data].map(([n, pieces]) => [
          String(n),
          pieces.map((piece) => Buffer.from(piece).toString('base64')),
        ]);
        t.strictSame(Object.fromEntries(texts), data);
      }
    }
  });

  t.test('a lease on a slot, and a report of damage', async (t) => {
    const talk = new StorageTalk(await makeSubject(t));
    await talk.readTestWrite(storageIndex, vectors({ 0: whole }));
    for (const seed of ['first', 'second', 'third', 'fourth', 'fifth', 'sixth']) {
      const reply = await talk.send('PUT', storagePath.lease(storageIndex), rightSecrets(leaseSecretKinds, { seed }));
      t.match(reply, { status: 204, headers: { 'content-type': undefined } });
    }
    sameBytes(t, (await talk.readMutable(storageIndex, 0)).body, share);
    const report = encodeCorruptRequest('the signature is wrong: ü');
    const reply = await talk.send('POST', mutablePath.corrupt(storageIndex, 0), [cborType], report);
    t.match(reply, { status: 200, headers: { 'content-type': undefined } });
    t.equal(reply.body.length, 0);
    t.equal((await talk.send('POST', mutablePath.corrupt(storageIndex, 1), [cborType], report)).status, 404);
    t.equal((await talk.send('POST', mutablePath.corrupt(otherIndex, 0), [], report)).status, 404);
    const tooLong = encodeCorruptRequest('x'.repeat(32_758));
    t.equal((await talk.send('POST', mutablePath.corrupt(storageIndex, 0), [cborType], tooLong)).status, 413);
    const json: Header = ['Content-Type', 'application/json'];
    t.equal((await talk.send('POST', mutablePath.corrupt(storageIndex, 0), [json], report)).status, 415);
  });
}

function readSuite(makeSubject: MakeProtocolSubject): void {
  t.test('ranges of a mutable share', async (t) => {
    const subject = await makeSubject(t);
    const talk = new StorageTalk(subject);
    await talk.readTestWrite(storageIndex, vectors({ 3: whole }));
    const all = await talk.readMutable(storageIndex, 3);
    t.match(all, { status: 200, headers: { 'content-type': 'application/octet-stream' } });
    sameBytes(t, all.body, share);
    for (const range of ['bytes=5000-5000', 'bytes=5000-9999', 'bytes=9000-9001']) {
      t.match(await talk.readMutable(storageIndex, 3, range), { status: 204, headers: { 'content-range': undefined } });
    }
    for (const range of ['bytes=0-', 'bytes=-5', 'bytes=0-1,3-4', 'bytes=5-2', 'bytes=a-b', 'lines=0-1', 'nonsense']) {
      t.equal((await talk.readMutable(storageIndex, 3, range)).status, 416, range);
    }
    const typed = { status: 404, headers: { 'content-type': 'application/octet-stream' } };
    t.match(await talk.readMutable(storageIndex, 2), typed);
    t.equal((await talk.readMutable(otherIndex, 3)).status, 404);
    t.strictSame(await talk.mutableShares(otherIndex), []);
    const property = fc.asyncProperty(fc.nat(6000), fc.nat(6000), async (first, last) => {
      const reply = await talk.readMutable(storageIndex, 3, `bytes=${String(first)}-${String(last)}`);
      const wanted = share.subarray(first, Math.min(last + 1, share.length));
      if (last < first) return reply.status === 416;
      if (wanted.length === 0) return reply.status === 204 && reply.body.length === 0;
      const contentRange = `bytes ${String(first)}-${String(first + wanted.length - 1)}/*`;
      return (
        reply.status === 206 &&
        reply.headers['content-range'] === contentRange &&
        Buffer.compare(reply.body, wanted) === 0
      );
    });
    await t.resolves(fc.assert(property, { numRuns: 60 }));
  });
}

function secretSuite(makeSubject: MakeProtocolSubject): void {
  t.test('another write enabler opens nothing', async (t) => {
    const subject = await makeSubject(t);
    const talk = new StorageTalk(subject);
    await talk.readTestWrite(storageIndex, vectors({ 0: whole }));
    const before = await subject.snapshot?.();
    const enabler = seededBytes('foreign', 32);
    for (const given of [{ 0: { newLength: 0 } }, { 1: whole }, {}]) {
      t.equal(
        (await talk.sendVectors(storageIndex, vectors(given, [{ offset: 0, size: 10 }]), { enabler })).status,
        401,
      );
    }
    if (before !== undefined) t.equal(await subject.snapshot?.(), before);
    t.strictSame(await talk.mutableShares(storageIndex), [0]);
  });
}

/** A message that is mostly right. */
function message(changes: Record<string, CborValue>, shareNumber: CborValue = 0): Uint8Array {
  const fields = { test: [], write: [], 'new-length': null, ...changes };
  const vectorsOf = new Map<CborValue, CborValue>([
    [shareNumber, new Map<CborValue, CborValue>(Object.entries(fields))],
  ]);
  return encodeCbor(
    new Map<CborValue, CborValue>([
      ['test-write-vectors', vectorsOf],
      ['read-vector', []],
    ]),
  );
}

function map(entries: Record<string, CborValue>): Map<CborValue, CborValue> {
  return new Map(Object.entries(entries));
}

function messageSuite(makeSubject: MakeProtocolSubject): void {
  t.test('messages that are not what they should be change nothing', async (t) => {
    const subject = await makeSubject(t);
    const talk = new StorageTalk(subject);
    await talk.readTestWrite(storageIndex, vectors({ 0: whole }));
    const before = await subject.snapshot?.();
    const headers = [...rightSecrets(writeSecrets), cborType];
    const send = (body: Uint8Array): Promise<{ status: number }> =>
      talk.send('POST', mutablePath.readTestWrite(storageIndex), headers, body);
    const test = map({ offset: 0, size: 1, specimen: Uint8Array.of(1) });
    const bad: readonly [body: Uint8Array, why: string, ours?: string][] = [
      [new Uint8Array(0), 'nothing', 'an error of the reference: 500'],
      [encodeCbor(map({})), 'an empty map'],
      [encodeCbor([]), 'a list'],
      [message({ 'new-length': 'x' }), 'a text as the length'],
      [message({ test: [map({ offset: 0, size: 1 })] }), 'a test without specimen'],
      [message({ test: Array<CborValue>(VECTOR_COUNT_MAX + 1).fill(test) }), 'too many tests'],
      [message({ write: [map({ offset: -1, data: Uint8Array.of(1) })] }), 'a negative offset'],
      [message({ write: [map({ offset: 0, data: 'text' })] }), 'a text as data'],
      [message({ write: [[0, Uint8Array.of(1)]] }), 'a list as a write', 'an error of the reference: 500'],
      [message({}, '0'), 'a text as the share number', 'an error of the reference: 500'],
      [message({ 'new-length': 1 }, -1), 'the share number -1', 'the reference makes a file of that name'],
      [message({ 'new-length': 1 }, 256), 'the share number 256', 'the reference makes it'],
      [message({ write: [map({ offset: 2n ** 63n, data: Uint8Array.of(1) })] }), 'an offset of 2^63', 'an error: 500'],
      [
        message({ test: [map({ offset: 0, size: 1, specimen: Uint8Array.of(1), more: 1 })] }),
        'one key more',
        'it is taken',
      ],
      [concat(message({ 'new-length': 3 }), Uint8Array.of(0)), 'a byte behind its end', 'it is not looked at'],
      [concat(Uint8Array.of(0xd9, 0xff, 0xff), message({ 'new-length': 3 })), 'a tag', 'it is not looked at'],
    ];
    for (const [body, why, ours] of bad) {
      if (subject.isReference && ours !== undefined) continue;
      t.equal((await send(body)).status, 400, why);
    }
    const typed: Header[] = [...rightSecrets(writeSecrets), ['Content-Type', 'application/json']];
    t.equal((await talk.send('POST', mutablePath.readTestWrite(storageIndex), typed, message({}))).status, 415);
    if (!subject.isReference) {
      const accepting: Header[] = [...headers, ['Accept', 'application/json']];
      const refused = await talk.send(
        'POST',
        mutablePath.readTestWrite(storageIndex),
        accepting,
        message({ 'new-length': 0 }),
      );
      t.equal(refused.status, 406, 'before anything is written');
    }
    if (before !== undefined) t.equal(await subject.snapshot?.(), before);
  });

  t.test('offsets and gaps that are too far out', async (t) => {
    const subject = await makeSubject(t);
    if (subject.isReference) {
      t.comment('ours: the reference fails with 500, or fills its disk and memory with zeros');
      return;
    }
    const talk = new StorageTalk(subject);
    await talk.readTestWrite(storageIndex, vectors({ 0: whole }));
    const before = await subject.snapshot?.();
    for (const offset of [2 ** 27, 2 ** 32, 2 ** 40 - 1, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
      for (const size of [0, 1]) {
        const given = vectors({ 0: { newLength: 3 }, 1: { writes: [{ offset, data: new Uint8Array(size) }] } });
        t.equal((await talk.sendVectors(storageIndex, given)).status, 413, String(offset));
      }
    }
    const reads = Array.from({ length: 30 }, () => ({ offset: 0, size: 2 ** 31 }));
    t.equal((await talk.readTestWrite(storageIndex, vectors({}, reads))).data.get(0)?.length, 30);
    if (before !== undefined) t.equal(await subject.snapshot?.(), before);
  });
}

function mixedSuite(makeSubject: MakeProtocolSubject): void {
  t.test('both types of share at one index', async (t) => {
    const subject = await makeSubject(t);
    if (subject.isReference) {
      t.comment('ours: the reference answers nearly everything there with 500');
      return;
    }
    const talk = new StorageTalk(subject);
    const fixed = seededBytes('immutable share', 100);
    await talk.store(storageIndex, 0, fixed);
    await talk.readTestWrite(storageIndex, vectors({ 1: whole }));
    t.strictSame(await talk.shares(storageIndex), [0]);
    t.strictSame(await talk.mutableShares(storageIndex), [1]);
    sameBytes(t, (await talk.read(storageIndex, 0)).body, fixed);
    sameBytes(t, (await talk.readMutable(storageIndex, 1)).body, share);
    t.equal((await talk.read(storageIndex, 1)).status, 404);
    t.equal((await talk.readMutable(storageIndex, 0)).status, 404);
    const report = encodeCorruptRequest('why');
    t.equal((await talk.send('POST', mutablePath.corrupt(storageIndex, 0), [cborType], report)).status, 404);
    t.equal((await talk.send('POST', storagePath.corrupt(storageIndex, 1), [cborType], report)).status, 404);
    t.equal((await talk.sendVectors(storageIndex, vectors({ 0: whole }))).status, 409);
    t.strictSame(await talk.allocate(storageIndex, [0, 1, 2], 10), { alreadyHave: [0], allocated: [2] });
    t.equal((await talk.send('PUT', storagePath.lease(storageIndex), rightSecrets(leaseSecretKinds))).status, 204);
  });
}

function largeSuite(makeSubject: MakeProtocolSubject): void {
  t.test('a share of several megabytes in one request, as a first publish sends it', async (t) => {
    const talk = new StorageTalk(await makeSubject(t));
    const blocks = Array.from({ length: 70 }, (_, i) => seededBytes(`block ${String(i)}`, 43_707));
    const writes = blocks.map((data, i) => ({ offset: 2000 + i * data.length, data }));
    await talk.readTestWrite(storageIndex, vectors({ 0: { writes: [...writes].reverse(), tests: isMissing } }));
    const read = await talk.readMutable(storageIndex, 0);
    sameBytes(t, read.body, concat(new Uint8Array(2000), ...blocks));
    const reads = [{ offset: 2000, size: 30 * 43_707 }];
    const { data } = await talk.readTestWrite(storageIndex, vectors({}, reads));
    sameBytes(t, data.get(0)?.[0], concat(...blocks.slice(0, 30)), 'and a long reply');
    const large = [{ offset: 0, size: 43_707, specimen: blocks[0] ?? share }];
    const failing = await talk.readTestWrite(storageIndex, vectors({ 0: { tests: large, newLength: 1 } }));
    t.equal(failing.success, false);
    const passing = [{ offset: 2000, size: 43_707, specimen: blocks[0] ?? share }];
    const passed = await talk.readTestWrite(storageIndex, vectors({ 0: { tests: passing, newLength: 1 } }));
    t.equal(passed.success, true, 'long specimens are compared too');
  });

  t.test('a request that breaks off changes nothing', async (t) => {
    const subject = await makeSubject(t);
    const talk = new StorageTalk(subject);
    await talk.readTestWrite(storageIndex, vectors({ 0: whole }));
    const body = concat(
      ...encodeReadTestWriteRequest(vectors({ 0: { writes: [{ offset: 0, data: new Uint8Array(2_000_000) }] } })),
    );
    const headers = [...rightSecrets(writeSecrets), cborType];
    const cut = body.subarray(0, body.length - 60);
    const { status } = await talk.send('POST', mutablePath.readTestWrite(storageIndex), headers, cut);
    t.ok(status === 400 || subject.isReference, String(status));
    sameBytes(t, (await talk.readMutable(storageIndex, 0)).body, share);
  });
}
