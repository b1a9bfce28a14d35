/** What HTTP/2 brings with it: bodies without a length, exchanges that are taken back, and floods of small frames. */
import { once } from 'node:events';
import { constants } from 'node:http2';
import { connect as connectTls } from 'node:tls';
import t from 'tap';
import type { Test } from 'tap';
import {
  dangerouslyFormatAuthorization,
  encodeCorruptRequest,
  formatContentRange,
  storagePath,
} from '#wire/storage.js';
import { GRATIS_FRAME_COUNT_MAX, GRATIS_INTERVAL_MS, GratisBudget } from '#storage/http2-sessions.js';
import { createMemoryStore } from '#storage/memory-store.js';
import { BODY_RATE_INTERVAL_MS } from '#storage/request-body.js';
import type { ShareStore } from '#storage/share-store.js';
import { storageServerLimits } from '#storage/app.js';
import { createTlsIdentity } from '#test/fixtures/certificates.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { dialHttp2, headersOf, portOf, RawHttp2, replyOf, sendHttp2 } from '#test/fixtures/http2-talk.js';
import { appOf, swissnum } from '#test/fixtures/protocol-subjects.js';
import {
  allocate,
  otherSecret,
  readShare,
  sameBytes,
  storageIndex,
  storeOptions,
  uploadOf,
  write,
} from '#test/fixtures/share-store.js';
import { rightSecrets } from '#test/fixtures/storage-talk.js';
import type { Header, TalkRequest } from '#test/fixtures/storage-talk.js';

const tls = await createTlsIdentity();
const share = seededBytes('share', 300_000);
const authorization: Header = ['Authorization', dangerouslyFormatAuthorization(swissnum)];

interface Line {
  readonly clock: ManualClock;
  readonly store: ShareStore;
  readonly port: number;
  close(): Promise<void>;
}

async function listen(t: Test): Promise<Line> {
  const clock = new ManualClock();
  const store = createMemoryStore(storeOptions(clock));
  const app = await appOf(t, store, { tls }, clock);
  await app.listen({ host: '127.0.0.1', port: 0 });
  return { clock, store, port: portOf(app), close: () => app.close() };
}

/** The head of a write of the whole share; without a body of its own it announces no length. */
function patch(changes: { secret?: Uint8Array; body?: Uint8Array } = {}): TalkRequest {
  const headers: Header[] = [
    authorization,
    ...rightSecrets(['upload-secret'], changes),
    ['Content-Range', formatContentRange({ begin: 0, end: share.length })],
  ];
  return { method: 'PATCH', path: storagePath.share(storageIndex, 0), headers, body: changes.body };
}

const version: TalkRequest = { method: 'GET', path: storagePath.version, headers: [authorization] };

t.test('one port speaks both versions, and HTTP/1.1 to whoever asks for nothing', async (t) => {
  const { port } = await listen(t);
  for (const [offered, chosen] of [
    [['h2', 'http/1.1'], 'h2'],
    [['http/1.1'], 'http/1.1'],
    [undefined, false],
  ] as const) {
    const ALPNProtocols = offered === undefined ? {} : { ALPNProtocols: [...offered] };
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...ALPNProtocols });
    t.teardown(() => socket.destroy());
    await once(socket, 'secureConnect');
    t.equal(socket.alpnProtocol, chosen);
    if (chosen === 'h2') continue;
    socket.write('GET /storage/v1/version HTTP/1.1\r\nHost: x\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    t.match(answer.toString(), /^HTTP\/1\.1 401 /);
  }
});

t.test('a body without a length is as good as an announced one, if it is as long as its range', async (t) => {
  const { port, store } = await listen(t);
  await allocate(store, [0], share.length);
  const session = await dialHttp2(t, port);
  for (const [size, status] of [
    [share.length - 1, 400],
    [share.length + 1, 400],
    [0, 400],
    [share.length, 201],
  ] as const) {
    const body = new Uint8Array(size);
    body.set(share.subarray(0, size));
    const stream = session.request(headersOf(patch()), { endStream: false });
    stream.end(body);
    t.equal((await replyOf(stream)).status, status, `${String(size)} bytes`);
  }
  sameBytes(t, await readShare(store, 0), share);
});

t.test('a message without a length is refused when it grows too large', async (t) => {
  const { port, store } = await listen(t);
  await allocate(store, [0], share.length);
  await write(uploadOf(store, 0), 0, share);
  const session = await dialHttp2(t, port);
  const report = { method: 'POST', path: storagePath.corrupt(storageIndex, 0), headers: [authorization] };
  const stream = session.request(headersOf(report), { endStream: false });
  stream.write(encodeCorruptRequest('x'.repeat(30_000)));
  stream.write(new Uint8Array(10_000));
  t.equal((await replyOf(stream)).status, 413, 'though it has not ended');
  t.equal((await sendHttp2(session, version)).status, 200, 'the connection goes on');
});

t.test('a refused body ends its exchange, not the connection', async (t) => {
  const { port, store } = await listen(t);
  await allocate(store, [0], share.length);
  const session = await dialHttp2(t, port);
  for (let i = 0; i < 20; i++) {
    const stream = session.request(headersOf(patch({ secret: otherSecret })), { endStream: false });
    stream.write(new Uint8Array(100_000));
    t.equal((await replyOf(stream)).status, 401);
  }
  t.equal((await sendHttp2(session, patch({ body: share }))).status, 201);
});

t.test('whoever waits for "100 Continue" is refused before it, or told to go on', async (t) => {
  const { port, store } = await listen(t);
  await allocate(store, [0], share.length);
  const session = await dialHttp2(t, port);
  const expecting = (secret?: Uint8Array): Record<string, string | string[]> => ({
    ...headersOf(patch(secret === undefined ? {} : { secret })),
    expect: '100-continue',
  });
  const refused = session.request(expecting(otherSecret), { endStream: false });
  refused.on('continue', () => t.fail('it was told to go on'));
  t.equal((await replyOf(refused)).status, 401);
  const admitted = session.request(expecting(), { endStream: false });
  await once(admitted, 'continue');
  admitted.end(share);
  t.equal((await replyOf(admitted)).status, 201);
});

t.test('an exchange that is taken back in its body leaves the upload as it was', async (t) => {
  const { port, store } = await listen(t);
  await allocate(store, [0], share.length);
  const session = await dialHttp2(t, port);
  for (const code of [constants.NGHTTP2_CANCEL, constants.NGHTTP2_NO_ERROR]) {
    const stream = session.request(headersOf(patch()), { endStream: false });
    stream.on('error', () => undefined);
    await new Promise((resolve) => stream.write(share.subarray(0, 150_000), resolve));
    stream.close(code);
    await once(stream, 'close');
    await settle();
  }
  const progress = await write(uploadOf(store, 0), 10, share.subarray(10, 20));
  t.strictSame(progress.required[0], { begin: 0, end: 10 }, 'nothing of it was recorded');
  t.equal((await sendHttp2(session, patch({ body: share }))).status, 201);
});

t.test('a body that trickles is cut after a minute, and its connection goes on', async (t) => {
  const { clock, port, store } = await listen(t);
  await allocate(store, [0], share.length);
  const session = await dialHttp2(t, port);
  t.equal((await sendHttp2(session, version)).status, 200);
  const idle = clock.pending;
  const stream = session.request(headersOf(patch()), { endStream: false });
  stream.on('error', () => undefined);
  stream.write(share.subarray(0, 1000));
  const closed = once(stream, 'close').catch(() => undefined);
  while (clock.pending <= idle - 1) await settle(1);
  await settle(50);
  clock.advance(BODY_RATE_INTERVAL_MS);
  await closed;
  t.equal((await sendHttp2(session, version)).status, 200);
  t.equal((await sendHttp2(session, patch({ body: share }))).status, 201);
});

t.test('a connection without requests is closed: the first is due soon, each further one later', async (t) => {
  const { clock, port } = await listen(t);
  const [silent, talking] = [await dialHttp2(t, port), await dialHttp2(t, port)];
  const gone = once(silent, 'close');
  t.equal((await sendHttp2(talking, version)).status, 200);
  await settle();
  clock.advance(storageServerLimits.headersTimeout);
  await gone;
  t.equal((await sendHttp2(talking, version)).status, 200);
  await settle();
  const end = once(talking, 'close');
  clock.advance(storageServerLimits.keepAliveTimeout);
  await end;
});

t.test('a head that is too large is refused', async (t) => {
  const { port } = await listen(t);
  const session = await dialHttp2(t, port);
  const stream = session.request({ ...headersOf(version), 'x-large': 'x'.repeat(20_000) });
  t.equal((await replyOf(stream)).status, 431);
  const huge = session.request({ ...headersOf(version), 'x-large': 'x'.repeat(200_000) });
  await t.rejects(replyOf(huge), 'the library itself refuses this one');
  t.equal((await sendHttp2(await dialHttp2(t, port), version)).status, 200);
});

t.test('more exchanges at once than allowed are refused, not queued', async (t) => {
  const { port, store } = await listen(t);
  await allocate(store, [0], share.length);
  const line = await RawHttp2.dial(t, port);
  for (let i = 0; i < 100; i++) line.sendHead(2 * i + 1, patch(), false);
  await line.next('reset');
  t.pass('one of them was reset');
});

for (const [name, flood] of [
  ['pings', (line: RawHttp2) => line.send('ping', 0, 0, new Uint8Array(8))],
  ['settings', (line: RawHttp2) => line.send('settings', 0, 0, new Uint8Array(0))],
  [
    'exchanges that are taken back at once',
    (line: RawHttp2, i: number) => {
      line.sendHead(2 * i + 1, patch(), false);
      line.send('reset', 0, 2 * i + 1, new Uint8Array([0, 0, 0, 8]));
    },
  ],
] as const) {
  t.test(`a flood of ${name} ends the connection`, async (t) => {
    const { port, store } = await listen(t);
    await allocate(store, [0], share.length);
    const line = await RawHttp2.dial(t, port);
    for (let i = 0; i < 5 * GRATIS_FRAME_COUNT_MAX; i++) {
      flood(line, i);
      if (i % 50 === 0) await settle(2);
    }
    await line.closed();
    t.equal((await sendHttp2(await dialHttp2(t, port), version)).status, 200, 'others are served');
  });
}

t.test('the budget is for an interval', async (t) => {
  const clock = new ManualClock();
  const budget = new GratisBudget(clock);
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < GRATIS_FRAME_COUNT_MAX; i++) t.ok(budget.spend());
    t.notOk(budget.spend());
    clock.advance(GRATIS_INTERVAL_MS);
  }
});

t.test('closing lets an open exchange finish and takes no further one', async (t) => {
  const { close, port, store } = await listen(t);
  await allocate(store, [0], share.length);
  const session = await dialHttp2(t, port);
  const stream = session.request(headersOf(patch()), { endStream: false });
  const reply = replyOf(stream);
  await new Promise((resolve) => stream.write(share.subarray(0, 1000), resolve));
  await settle(50);
  const goAway = once(session, 'goaway');
  const closed = close();
  await goAway;
  stream.end(share.subarray(1000));
  t.equal((await reply).status, 201);
  await closed;
  sameBytes(t, await readShare(store, 0), share);
});
