/** The client's side of the HTTPS protocol: what it sends, and what it makes of honest answers. */
import t from 'tap';
import type { Test } from 'tap';
import { formatBase32 } from '#core/base32.js';
import { equalBytes } from '#core/bytes.js';
import { isTahoeError } from '#core/errors.js';
import { RetryingServer } from '#client/retrying-server.js';
import type { HttpsLimits } from '#client/https-limits.js';
import type { HttpsStorageServer } from '#client/https-storage-server.js';
import { systemClock } from '#node/clock.js';
import { createTlsIdentity } from '#test/fixtures/certificates.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { openTestServer } from '#test/fixtures/https-client.js';
import { startRecordingServer } from '#test/fixtures/recording-server.js';
import type { RecordedReply, RecordedRequest, RecordingServer } from '#test/fixtures/recording-server.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { onRequest, replyText, startTlsServer, SWISSNUM } from '#test/fixtures/tls-server.js';
import { versionReply } from '#test/fixtures/version-reply.js';
import {
  decodeAllocateRequest,
  decodeCorruptRequest,
  encodeAllocateReply,
  encodeRequired,
  encodeShareNumbers,
} from '#wire/storage.js';

const identity = await createTlsIdentity();
const storageIndex = seededBytes('storage index', 16);
const indexText = formatBase32(storageIndex);
const uploadSecret = seededBytes('upload', 20);
const secrets = { renewSecret: seededBytes('renew', 32), cancelSecret: seededBytes('cancel', 32) };
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const leaseHeaders = [
  `lease-renew-secret ${base64(secrets.renewSecret)}`,
  `lease-cancel-secret ${base64(secrets.cancelSecret)}`,
];
const uploadHeader = `upload-secret ${base64(uploadSecret)}`;
const cborType = { 'content-type': 'application/cbor' };
const shareType = { 'content-type': 'application/octet-stream' };

type Answer = (request: RecordedRequest, requestNumber: number) => RecordedReply | Promise<RecordedReply>;

async function startPair(
  t: Test,
  answer: Answer,
  limits: Partial<HttpsLimits> = {},
): Promise<{ server: RecordingServer; client: HttpsStorageServer }> {
  const server = await startRecordingServer(identity, answer);
  const client = openTestServer(server.port, identity.spkiHash, limits);
  t.teardown(async () => {
    await client.close();
    await server.close();
  });
  return { server, client };
}

/** The one request that was made. */
function only(server: RecordingServer): RecordedRequest {
  const [request, ...more] = server.requests;
  if (request === undefined || more.length > 0) throw new Error(`${String(server.requests.length)} requests`);
  return request;
}

/** An honest reply to a ranged read of `share`. */
function readReply(share: Uint8Array, request: RecordedRequest): RecordedReply {
  const [, first = '', last = ''] = /^bytes=([0-9]+)-([0-9]+)$/.exec(request.headers['range']?.[0] ?? '') ?? [];
  const end = Math.min(Number(last) + 1, share.length);
  if (Number(first) >= end) return { status: 204, headers: shareType };
  const headers = { ...shareType, 'content-range': `bytes ${first}-${String(end - 1)}/*` };
  return { status: 206, headers, body: share.subarray(Number(first), end) };
}

t.test('allocate', async (t) => {
  const reply = { alreadyHave: new Set([1, 200]), allocated: new Set([2]) };
  const answer = { status: 200, headers: cborType, body: encodeAllocateReply(reply) };
  const { server, client } = await startPair(t, () => answer);
  const asked = { shareNumbers: new Set([1, 2]), allocatedSize: 12_345 };
  t.same(await client.allocate(storageIndex, { ...asked, ...secrets, uploadSecret }), reply);
  const { method, path, headers, body } = only(server);
  t.equal(`${method} ${path}`, `POST /storage/v1/immutable/${indexText}`);
  t.same(decodeAllocateRequest(body), asked);
  t.same(headers['content-type'], ['application/cbor']);
  t.same(headers['accept'], ['application/cbor']);
  t.same(headers['authorization'], [`Tahoe-LAFS ${Buffer.from(SWISSNUM).toString('base64')}`]);
  t.same(headers['x-tahoe-authorization'], [...leaseHeaders, uploadHeader]);
});

t.test('write sends the parts one after the other, at any size', async (t) => {
  const sizes = [[1], [0, 5, 0], [300_000, 1, 700_000], [4 << 20]];
  const { server, client } = await startPair(t, (_request, requestNumber) => ({
    status: requestNumber === sizes.length - 1 ? 201 : 200,
    headers: cborType,
    body: encodeRequired([]),
  }));
  for (const [position, partSizes] of sizes.entries()) {
    const parts = partSizes.map((size, part) => seededBytes(`${String(position)}/${String(part)}`, size));
    const { complete } = await client.write(storageIndex, 4, uploadSecret, 1000, parts);
    t.equal(complete, position === sizes.length - 1);
    const request = server.requests[position];
    const whole = Buffer.concat(parts);
    t.ok(request?.body.equals(whole), `${String(whole.length)} bytes arrive`);
    t.equal(`${request?.method ?? ''} ${request?.path ?? ''}`, `PATCH /storage/v1/immutable/${indexText}/4`);
    t.same(request?.headers['content-range'], [`bytes 1000-${String(999 + whole.length)}/*`]);
    t.same(request?.headers['content-length'], [String(whole.length)]);
    t.same(request?.headers['x-tahoe-authorization'], [uploadHeader]);
  }
  await t.rejects(client.write(storageIndex, 4, uploadSecret, 0, []), RangeError, 'nothing cannot be written');
});

t.test('read gives what there is', async (t) => {
  const share = seededBytes('share', 3 << 20);
  const { server, client } = await startPair(t, (request) =>
    request.path.endsWith('/9') ? { status: 404 } : readReply(share, request),
  );
  const read = (begin: number, end: number): Promise<Uint8Array | undefined> =>
    client.read(storageIndex, 8, { begin, end });
  for (const [begin, end] of [
    [0, 1],
    [5, 70_000],
    [0, share.length],
    [share.length - 3, share.length + 9],
  ] as const) {
    const bytes = await read(begin, end);
    t.ok(bytes !== undefined && equalBytes(bytes, share.subarray(begin, end)), `${String(begin)} to ${String(end)}`);
  }
  t.same(await read(share.length, share.length + 5), new Uint8Array(0), 'behind its end');
  t.equal(await client.read(storageIndex, 9, { begin: 0, end: 1 }), undefined, 'a share that is not there');
  t.equal(server.requests[0]?.path, `/storage/v1/immutable/${indexText}/8`);
  t.same(server.requests[0]?.headers['x-tahoe-authorization'], undefined);
  await t.rejects(read(5, 5), RangeError);
  await t.rejects(read(-1, 5), RangeError);
});

t.test('list, lease, abort, corrupt', async (t) => {
  const replies: RecordedReply[] = [
    {
      status: 200,
      headers: { 'content-type': 'application/CBOR; charset=binary' },
      body: encodeShareNumbers(new Set([0, 255])),
    },
    { status: 204 },
    { status: 404 },
    { status: 200 },
    { status: 200 },
    { status: 404 },
  ];
  const { server, client } = await startPair(t, (_request, requestNumber) => replies[requestNumber] ?? { status: 500 });
  t.same(await client.listShares(storageIndex), new Set([0, 255]));
  t.equal(await client.addLease(storageIndex, secrets), true);
  t.equal(await client.addLease(storageIndex, secrets), false, 'no shares there');
  await client.abort(storageIndex, 3, uploadSecret);
  await client.reportCorrupt(storageIndex, 3, 'faul ü');
  await client.reportCorrupt(storageIndex, 3, 'gone');
  await t.rejects(client.abort(storageIndex, 3, uploadSecret), { code: 'ERR_SERVER_REPLY' });
  t.same(
    server.requests.map(({ method, path }) => `${method} ${path.replace(indexText, 'SI')}`),
    [
      'GET /storage/v1/immutable/SI/shares',
      'PUT /storage/v1/lease/SI',
      'PUT /storage/v1/lease/SI',
      'PUT /storage/v1/immutable/SI/3/abort',
      'POST /storage/v1/immutable/SI/3/corrupt',
      'POST /storage/v1/immutable/SI/3/corrupt',
      'PUT /storage/v1/immutable/SI/3/abort',
    ],
  );
  t.same(server.requests[1]?.headers['x-tahoe-authorization'], leaseHeaders);
  t.same(server.requests[3]?.headers['x-tahoe-authorization'], [uploadHeader]);
  t.equal(decodeCorruptRequest(server.requests[4]?.body ?? Buffer.alloc(0)), 'faul ü');
  for (const { path } of server.requests) t.notMatch(path, new RegExp(SWISSNUM), 'no secret in a path');
});

t.test('connections are kept, shared and bounded', async (t) => {
  const share = seededBytes('share', 1000);
  let running = 0;
  let runningMax = 0;
  const { server, client } = await startPair(
    t,
    async (request) => {
      running += 1;
      runningMax = Math.max(runningMax, running);
      await new Promise(setImmediate);
      running -= 1;
      return readReply(share, request);
    },
    { connectionCountMax: 3, callCountMax: 20 },
  );
  const readAll = (count: number): Promise<unknown>[] =>
    Array.from({ length: count }, () => client.read(storageIndex, 1, { begin: 0, end: 1000 }));
  await Promise.all(readAll(20));
  await Promise.all(readAll(20));
  t.equal(server.requests.length, 40);
  t.ok(runningMax <= 3, `${String(runningMax)} at a time`);
  t.ok(server.connectionCount <= 3, `${String(server.connectionCount)} connections`);
  const results = await Promise.allSettled(readAll(21));
  const refused = results.filter((result) => result.status === 'rejected');
  t.equal(refused.length, 1, 'one call too many');
  t.ok(isTahoeError(refused[0]?.reason, 'ERR_TOO_MANY'));
});

t.test('a signal ends a call at any time, and its connection', async (t) => {
  const server = await startTlsServer({ key: identity.key, cert: identity.cert }, () => undefined);
  const client = openTestServer(server.port, identity.spkiHash, { connectionCountMax: 1 });
  t.teardown(async () => {
    await client.close();
    await server.close();
  });
  const range = { begin: 0, end: 10 };
  await t.rejects(client.read(storageIndex, 1, range, { signal: AbortSignal.abort() }), { code: 'ERR_CANCELLED' });
  t.equal(server.connectionCount, 0, 'not even begun');

  const running = new AbortController();
  const waiting = new AbortController();
  const first = client.read(storageIndex, 1, range, { signal: running.signal });
  const second = client.read(storageIndex, 1, range, { signal: waiting.signal });
  while (server.receivedBytes === 0) await new Promise(setImmediate);
  waiting.abort(new Error('no longer wanted'));
  await t.rejects(
    second,
    { code: 'ERR_CANCELLED', cause: { message: 'no longer wanted' } },
    'waiting for a connection',
  );
  running.abort();
  await t.rejects(first, { code: 'ERR_CANCELLED' }, 'waiting for an answer');
  while (server.openCount > 0) await new Promise(setImmediate);
  t.pass('the server sees the connection go');
  await t.rejects(client.version({ timeoutMs: 20 }), { code: 'ERR_TIMEOUT', facts: { timeoutMs: 20 } });

  const calls = [client.read(storageIndex, 1, range), client.read(storageIndex, 1, range)];
  const ends = Promise.allSettled(calls);
  const seen = server.receivedBytes;
  while (server.receivedBytes === seen) await new Promise(setImmediate);
  const closing = client.close();
  for (const end of await ends) {
    t.ok(end.status === 'rejected' && isTahoeError(end.reason, 'ERR_CANCELLED'), 'close ends what runs and what waits');
  }
  await closing;
  t.equal(client.connectionCount, 0);
});

t.test('the deadline grows with the bytes to move, and silence has its own', async (t) => {
  const server = await startTlsServer({ key: identity.key, cert: identity.cert }, (connection) => connection.pause());
  t.teardown(() => server.close());
  const deadlineOf = async (limits: Partial<HttpsLimits>, call: (client: HttpsStorageServer) => Promise<unknown>) => {
    const client = openTestServer(server.port, identity.spkiHash, { callTimeoutMs: 50, ...limits });
    const error: unknown = await call(client).catch((caught: unknown) => caught);
    await client.close();
    return isTahoeError(error, 'ERR_TIMEOUT') ? error.facts.timeoutMs : error;
  };
  const rate = { rateMinBytesPerSecond: 10_000 };
  t.equal(await deadlineOf(rate, (client) => client.version()), 50);
  t.equal(await deadlineOf(rate, (client) => client.read(storageIndex, 0, { begin: 5, end: 1005 })), 150);
  const parts = [new Uint8Array(1000), new Uint8Array(500)];
  t.equal(await deadlineOf(rate, (client) => client.write(storageIndex, 0, uploadSecret, 0, parts)), 200);
  const slow = { rateMinBytesPerSecond: 1, silenceTimeoutMs: 40 };
  t.equal(await deadlineOf(slow, (client) => client.read(storageIndex, 0, { begin: 0, end: 1005 })), 40);
});

t.test('bytes that are being sent are no silence', async (t) => {
  const size = 32 << 20;
  const clock = new ManualClock();
  let goOn: () => void = () => undefined;
  const server = await startTlsServer({ key: identity.key, cert: identity.cert }, (connection) => {
    const before = server.receivedBytes;
    connection.once('data', () => connection.pause());
    connection.on('data', () => {
      if (server.receivedBytes - before > size) connection.end(replyText(201, cborType, encodeRequired([])));
    });
    goOn = () => connection.resume();
  });
  const client = openTestServer(server.port, identity.spkiHash, { silenceTimeoutMs: 1000 }, clock);
  t.teardown(async () => {
    await client.close();
    await server.close();
  });
  const beginWrite = async (): Promise<{ end: Promise<unknown> }> => {
    const seen = server.receivedBytes;
    const write = client.write(storageIndex, 0, uploadSecret, 0, [new Uint8Array(size)]);
    const end = write.catch((error: unknown) => error);
    while (server.receivedBytes === seen) await settle();
    clock.advance(1000);
    await settle();
    return { end };
  };
  const { end: written } = await beginWrite();
  goOn();
  t.same(await written, { complete: true }, 'in the first second some were sent');
  const { end: stalled } = await beginWrite();
  clock.advance(1000);
  t.match(await stalled, { code: 'ERR_TIMEOUT', facts: { timeoutMs: 1000 } }, 'in the next second none');
});

t.test('bytes that nobody asked for answer nobody', async (t) => {
  const server = await startTlsServer({ key: identity.key, cert: identity.cert }, (connection) => {
    onRequest(connection, () => connection.write(Buffer.concat([versionReply, versionReply])));
  });
  const client = openTestServer(server.port, identity.spkiHash);
  t.teardown(async () => {
    await client.close();
    await server.close();
  });
  await client.version();
  await client.version();
  t.equal(server.connectionCount, 2, 'a connection with more than its answer is not used again');
});

t.test('a kept-alive connection that closes is told apart, and the call tried once more', async (t) => {
  const startCloser = async (t: Test, answeredCount: number) => {
    let requestCount = 0;
    const server = await startTlsServer({ key: identity.key, cert: identity.cert }, (connection) => {
      onRequest(connection, (_head, requestNumber) => {
        requestCount += 1;
        if (requestNumber < answeredCount) connection.write(versionReply);
        else connection.destroy();
      });
    });
    t.teardown(() => server.close());
    return { port: server.port, requestCount: () => requestCount };
  };
  const openClient = (t: Test, port: number): HttpsStorageServer => {
    const client = openTestServer(port, identity.spkiHash);
    t.teardown(() => client.close());
    return client;
  };

  const { port, requestCount } = await startCloser(t, 1);
  const client = openClient(t, port);
  await client.version();
  await t.rejects(client.version(), { code: 'ERR_CONNECTION_CLOSED', facts: { keptAlive: true, replyBegun: false } });
  t.equal(requestCount(), 2);
  const retrying = new RetryingServer(openClient(t, port), systemClock);
  for (let round = 0; round < 4; round++) await retrying.version();
  t.equal(requestCount(), 2 + 1 + 3 * 2, 'each but the first needed two');

  const never = await startCloser(t, 0);
  const alone = new RetryingServer(openClient(t, never.port), systemClock);
  const closed = { code: 'ERR_CONNECTION_CLOSED', facts: { keptAlive: false, replyBegun: false } };
  await t.rejects(alone.version(), closed);
  t.equal(never.requestCount(), 2, 'once more, not for ever');
  await t.rejects(alone.write(storageIndex, 0, uploadSecret, 0, [new Uint8Array(1)]), closed);
  t.equal(never.requestCount(), 3, 'a write on a new connection is not repeated');
});

t.test('after a failure the next call works', async (t) => {
  const { client } = await startPair(t, (_request, requestNumber) =>
    requestNumber === 0
      ? { status: 507 }
      : { status: 200, headers: cborType, body: encodeShareNumbers(new Set([requestNumber])) },
  );
  const refusal = /no space left \(status 507\)/;
  await t.rejects(client.listShares(storageIndex), { code: 'ERR_SERVER_REPLY', message: refusal });
  t.same(await client.listShares(storageIndex), new Set([1]));
});
