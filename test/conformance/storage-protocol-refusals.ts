/** Paths, methods, ranges and Accept headers that lead nowhere, and bodies that are not what their heads say. */
import fc from 'fast-check';
import t from 'tap';
import { encodeAllocateRequest, parseStorageIndex, storagePath } from '#wire/storage.js';
import { mutablePath } from '#wire/storage-mutable.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { sameBytes, storageIndex } from '#test/fixtures/share-store.js';
import { allocationSecrets, cborType, rightSecrets, StorageTalk } from '#test/fixtures/storage-talk.js';
import type { Header, MakeProtocolSubject } from '#test/fixtures/storage-talk.js';

const share = seededBytes('share', 200);
const index = storagePath.allocate(storageIndex).replace('/storage/v1/immutable/', '');

/** Runs every test of refusals. */
export function refusalSuite(makeSubject: MakeProtocolSubject): void {
  pathSuite(makeSubject);
  rangeSuite(makeSubject);
  acceptSuite(makeSubject);
}

function pathSuite(makeSubject: MakeProtocolSubject): void {
  t.test('paths that name nothing are 404, with and without the swissnum', async (t) => {
    const subject = await makeSubject(t);
    const talk = new StorageTalk(subject);
    await talk.store(storageIndex, 0, share);
    const before = await subject.snapshot?.();
    const paths: readonly [path: string, ours?: string][] = [
      ['/'],
      ['/storage'],
      ['/storage/v1/'],
      ['/storage/v1/nothing'],
      ['/storage/v2/version'],
      [`/storage/v1/immutable/${index.slice(1)}/shares`],
      [`/storage/v1/immutable/${index}a/shares`],
      [`/storage/v1/immutable/${index.toUpperCase()}/shares`],
      [`/storage/v1/immutable/${index.slice(0, -1)}b/shares`],
      [`/storage/v1/immutable/${index.slice(0, -1)}1/shares`],
      [`/storage/v1/immutable/..%2f..%2f${index.slice(10)}/shares`],
      ['/storage/v1/immutable/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd/0'],
      [`/storage/v1/immutable/${index}%00/shares`],
      [`/storage/v1/immutable/${'a'.repeat(1000)}/shares`],
      [`/storage/v1/immutable/${index}/0/nothing`],
      [`/storage/v1/mutable/${index}/0/nothing`],
      [`/storage/v1/mutable/${index.slice(1)}/shares`],
      [`/storage/v1/mutable/${index.slice(0, -1)}b/0`],
      [`/storage/v1/immutable/${index}/0/`, 'the reference redirects'],
      ...['-1', '+1', '1e3', '0x1', '1.0', '%20', 'x', 'shares2'].map((n): [string] => [
        `/storage/v1/immutable/${index}/${n}`,
      ]),
      ...['00', '01', '%D9%A1', '256', '18446744073709551616'].map((n): [string, string] => [
        `/storage/v1/immutable/${index}/${n}`,
        'the reference takes any decimal digits',
      ]),
    ];
    for (const [path, ours] of paths) {
      if (subject.isReference && ours !== undefined) continue;
      for (const headers of [[], [talk.authorization]]) {
        const reply = await subject.request({ method: 'GET', path, headers });
        t.ok(reply.status === 404 || (subject.isReference && reply.status === 405), `${path}: ${String(reply.status)}`);
      }
      const writing = await talk.send('PATCH', path, [
        ...rightSecrets(['upload-secret']),
        ['Content-Range', 'bytes 0-0/*'],
      ]);
      t.ok(writing.status === 404 || writing.status === 405, `PATCH ${path}: ${String(writing.status)}`);
    }
    if (before !== undefined) t.equal(await subject.snapshot?.(), before);
  });

  t.test('a wrong method on a known path is 405, without the swissnum', async (t) => {
    const subject = await makeSubject(t);
    const attempts: readonly [method: string, path: string][] = [
      ['POST', storagePath.version],
      ['DELETE', storagePath.version],
      ['GET', storagePath.lease(storageIndex)],
      ['POST', storagePath.lease(storageIndex)],
      ['PATCH', storagePath.allocate(storageIndex)],
      ['PUT', storagePath.shares(storageIndex)],
      ['PATCH', storagePath.shares(storageIndex)],
      ['DELETE', storagePath.share(storageIndex, 0)],
      ['POST', storagePath.share(storageIndex, 0)],
      ['POST', storagePath.abort(storageIndex, 0)],
      ['GET', storagePath.abort(storageIndex, 0)],
      ['PUT', storagePath.corrupt(storageIndex, 0)],
      ['GET', storagePath.corrupt(storageIndex, 0)],
      ['PUT', mutablePath.readTestWrite(storageIndex)],
      ['GET', mutablePath.readTestWrite(storageIndex)],
      ['POST', mutablePath.shares(storageIndex)],
      ['PATCH', mutablePath.share(storageIndex, 0)],
      ['GET', mutablePath.corrupt(storageIndex, 0)],
    ];
    for (const [method, path] of attempts) {
      const reply = await subject.request({ method, path, headers: [] });
      t.equal(reply.status, 405, `${method} ${path}`);
      if (!subject.isReference) t.ok(reply.headers.allow, 'it says which are allowed');
    }
  });
}

function rangeSuite(makeSubject: MakeProtocolSubject): void {
  t.test('a Range that is not one closed range of bytes is 416', async (t) => {
    const subject = await makeSubject(t);
    const talk = new StorageTalk(subject);
    await talk.store(storageIndex, 0, share);
    const bad = [
      'bytes=0-',
      'bytes=-5',
      'bytes=0-1,3-4',
      'bytes=5-2',
      'bytes=a-b',
      'bytes',
      'bytes=',
      'lines=0-1',
      'nonsense',
    ];
    const ours = ['bytes=0-18446744073709551616', 'bytes=\\u0661-\\u0662', 'bytes=+1-2', 'bytes=1 -2', 'bytes=0x1-0x2'];
    for (const range of subject.isReference ? bad : [...bad, ...ours]) {
      t.equal((await talk.read(storageIndex, 0, range)).status, 416, range);
    }
  });

  t.test('any Range gives exactly its slice', async (t) => {
    const subject = await makeSubject(t);
    const talk = new StorageTalk(subject);
    await talk.store(storageIndex, 0, share);
    const property = fc.asyncProperty(fc.nat(260), fc.nat(260), async (first, last) => {
      const reply = await talk.read(storageIndex, 0, `bytes=${String(first)}-${String(last)}`);
      const wanted = share.subarray(first, Math.min(last + 1, share.length));
      if (last < first) return reply.status === 416;
      if (wanted.length === 0) return reply.status === 204 && reply.body.length === 0;
      return reply.status === 206 && Buffer.compare(reply.body, wanted) === 0;
    });
    await t.resolves(fc.assert(property, { numRuns: 100 }));
  });

  t.test('a Content-Range that is unusable, or not that of the body, writes nothing', async (t) => {
    const subject = await makeSubject(t);
    const talk = new StorageTalk(subject);
    await talk.allocate(storageIndex, [0], share.length);
    const path = storagePath.share(storageIndex, 0);
    const patch = async (contentRange: string | undefined, body: Uint8Array): Promise<number> => {
      const range: Header[] = contentRange === undefined ? [] : [['Content-Range', contentRange]];
      return (await talk.send('PATCH', path, [...rightSecrets(['upload-secret']), ...range], body)).status;
    };
    t.equal(await patch(undefined, share), 416);
    for (const range of ['nonsense', 'lines 0-199/*', 'bytes 199-0/*', 'bytes 0-x/*']) {
      t.equal(await patch(range, share), 416, range);
    }
    if (!subject.isReference) {
      for (const range of [
        'bytes */200',
        'bytes */*',
        'bytes 0-199',
        'bytes=0-199/*',
        'bytes 0-99999999999999999999/*',
      ]) {
        t.equal(await patch(range, share), 416, range);
      }
      t.equal(await patch('bytes 0-199/*', share.subarray(0, 199)), 400, 'a body too short');
      t.equal(await patch('bytes 0-198/*', share), 400, 'a body too long');
      t.equal(await patch('bytes 0-199/*', new Uint8Array(0)), 400, 'no body');
      t.equal(await patch('bytes 1-200/*', share), 416, 'beyond what was allocated');
      t.equal(await patch('bytes 9007199254740000-9007199254740199/*', share), 416, 'far beyond');
    }
    t.equal((await talk.write(storageIndex, 0, 199, share.subarray(199))).status, 200, 'none of it was recorded');
    t.equal((await talk.write(storageIndex, 0, 0, share)).status, 201);
    sameBytes(t, (await talk.read(storageIndex, 0)).body, share);
  });
}

function acceptSuite(makeSubject: MakeProtocolSubject): void {
  t.test('whoever takes CBOR alone gets no sentence with a refusal', async (t) => {
    const talk = new StorageTalk(await makeSubject(t));
    const path = storagePath.lease(storageIndex);
    const refused = (accept: string): Promise<{ status: number; body: Uint8Array }> =>
      talk.send('PUT', path, [...rightSecrets(['lease-renew-secret', 'lease-cancel-secret']), ['Accept', accept]]);
    const reply = await refused('application/cbor');
    t.equal(reply.status, 404);
    t.equal(reply.body.length, 0, 'the Python client never reads it, and keeps the connection until it is read');
  });

  t.test('a client that cannot read CBOR is told before anything happens', async (t) => {
    const subject = await makeSubject(t);
    const talk = new StorageTalk(subject);
    const accepting = (accept: string): Promise<{ status: number }> =>
      talk.send('GET', storagePath.version, [['Accept', accept]]);
    t.equal((await accepting('application/cbor')).status, 200);
    t.equal((await accepting('application/json')).status, 406);
    t.equal((await accepting('text/html, application/xhtml+xml')).status, 406);
    if (subject.isReference) {
      t.comment('ours: the reference does not know of wildcards, and acts before it looks');
      return;
    }
    for (const accept of ['*/*', 'application/*', '', 'text/html, */*;q=0.1', 'application/CBOR;q=0.5']) {
      t.equal((await accepting(accept)).status, 200, accept);
    }
    t.equal((await accepting('application/cbor;q=0')).status, 406);
    const body = encodeAllocateRequest({ shareNumbers: new Set([0]), allocatedSize: 10 });
    const headers: Header[] = [...rightSecrets(allocationSecrets), cborType, ['Accept', 'application/json']];
    t.equal((await talk.send('POST', storagePath.allocate(storageIndex), headers, body)).status, 406);
    const other = seededBytes('another upload secret', 20);
    t.strictSame(await talk.allocate(storageIndex, [0], 10, other), { alreadyHave: [], allocated: [0] });
    t.equal(parseStorageIndex(index)?.length, 16);
  });
}
