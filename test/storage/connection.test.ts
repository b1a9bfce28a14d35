/** What a socket shows that a request in this process cannot: bodies that are refused, slow, cut or unannounced. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import t from 'tap';
import type { Test } from 'tap';
import { dangerouslyFormatAuthorization, storagePath } from '#wire/storage.js';
import { createMemoryStore } from '#storage/memory-store.js';
import { BODY_RATE_INTERVAL_MS } from '#storage/request-body.js';
import { KEPT_SHARE_AGE_MAX_MS } from '#storage/open-shares.js';
import { READ_STALL_TIMEOUT_MS } from '#storage/share-stream.js';
import type { ShareStore } from '#storage/share-store.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { FaultyFiles } from '#test/fixtures/faulty-files.js';
import { appOf, swissnum } from '#test/fixtures/protocol-subjects.js';
import {
  allocate,
  HandFedBody,
  otherSecret,
  readShare,
  sameBytes,
  sorted,
  storageIndex,
  store1,
  storeOptions,
  uploadOf,
  whole,
  write,
} from '#test/fixtures/share-store.js';
import { rightSecrets } from '#test/fixtures/storage-talk.js';
import type { StorageServerOptions } from '#storage/app.js';

const share = seededBytes('share', 300_000);

/** A server on a socket, and a way to speak to it byte by byte. */
interface Line {
  readonly clock: ManualClock;
  readonly files: FaultyFiles;
  readonly store: ShareStore;
  dial(): Promise<Talker>;
}

/** One connection. */
interface Talker {
  readonly socket: Socket;
  /** All that has come so far, one character a byte. */
  heard(): string;
  /** Resolves when what has come matches. */
  until(pattern: RegExp): Promise<void>;
  readonly closed: Promise<unknown>;
}

async function listen(t: Test, options: StorageServerOptions = {}): Promise<Line> {
  const clock = new ManualClock();
  const files = new FaultyFiles();
  const store = createMemoryStore({ ...storeOptions(clock), files });
  const app = await appOf(t, store, options, clock);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return { clock, files, store, dial: () => dial(t, port) };
}

async function dial(t: Test, port: number): Promise<Talker> {
  const socket = connect({ host: '127.0.0.1', port });
  t.teardown(() => socket.destroy());
  const closed = new Promise((resolve) => socket.once('close', resolve));
  let heard = '';
  socket.on('data', (piece) => (heard += piece.toString('latin1')));
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  const until = async (pattern: RegExp): Promise<void> => {
    while (!pattern.test(heard)) {
      if (socket.closed) throw new Error(`closed after: ${heard}`);
      await Promise.race([once(socket, 'data'), closed]);
    }
  };
  return { socket, heard: () => heard, until, closed };
}

/** The head of a write of the first `end` bytes of share 0. */
function patchHead(
  end: number,
  changes: { authorization?: string; secret?: Uint8Array; headers?: string[] } = {},
): string {
  const secrets = rightSecrets(['upload-secret'], changes.secret === undefined ? {} : { secret: changes.secret });
  return [
    `PATCH ${storagePath.share(storageIndex, 0)} HTTP/1.1`,
    'Host: localhost',
    `Authorization: ${changes.authorization ?? dangerouslyFormatAuthorization(swissnum)}`,
    ...secrets.map(([name, value]) => `${name}: ${value}`),
    `Content-Range: bytes 0-${String(end - 1)}/*`,
    ...(changes.headers ?? [`Content-Length: ${String(end)}`]),
    '\r\n',
  ].join('\r\n');
}

t.test('a terabyte without the swissnum is refused at its head and the connection closed', async (t) => {
  const { dial, files, store } = await listen(t);
  await allocate(store, [0], 1_000_000_000);
  const operations = files.countOf('write') + files.countOf('list') + files.countOf('open');
  const headers = ['Content-Length: 1000000000000'];
  const { closed, heard, socket } = await dial();
  socket.write(patchHead(1_000_000_000_000, { authorization: 'Tahoe-LAFS AAAA', headers }));
  await closed;
  t.match(heard(), /^HTTP\/1\.1 401 /);
  t.match(heard(), /connection: close/i);
  t.match(heard(), /Wrong Authorization header$/);
  t.equal(files.countOf('write') + files.countOf('list') + files.countOf('open'), operations, 'no file was touched');
});

t.test('a short body that is refused leaves the connection usable', async (t) => {
  const { dial } = await listen(t);
  const { heard, socket, until } = await dial();
  socket.write(patchHead(1000, { authorization: 'Tahoe-LAFS AAAA' }));
  socket.write(new Uint8Array(1000));
  await until(/Wrong Authorization header/);
  t.notMatch(heard(), /connection: close/i);
  const authorization = dangerouslyFormatAuthorization(swissnum);
  socket.write(`GET ${storagePath.version} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${authorization}\r\n\r\n`);
  await until(/HTTP\/1\.1 200 /);
});

t.test('a large message is refused before it is read, announced or not', async (t) => {
  const { dial, store } = await listen(t);
  await store1(store, 0, share);
  const head = (length: string): string =>
    [
      `POST ${storagePath.corrupt(storageIndex, 0)} HTTP/1.1`,
      'Host: localhost',
      `Authorization: ${dangerouslyFormatAuthorization(swissnum)}`,
      length,
      '\r\n',
    ].join('\r\n');
  const announced = await dial();
  announced.socket.write(head('Content-Length: 1000000000000'));
  await announced.closed;
  t.match(announced.heard(), /^HTTP\/1\.1 413 /);
  const chunked = await dial();
  chunked.socket.write(head('Transfer-Encoding: chunked'));
  for (let i = 0; i < 40; i++) chunked.socket.write(`400\r\n${'x'.repeat(1024)}\r\n`);
  await chunked.closed;
  t.match(chunked.heard(), /^HTTP\/1\.1 413 /);
});

t.test('whoever waits for "100 Continue" is refused before it, or told to go on', async (t) => {
  const { dial, store } = await listen(t);
  await allocate(store, [0], share.length);
  const headers = [`Content-Length: ${String(share.length)}`, 'Expect: 100-continue'];
  const refused = await dial();
  refused.socket.write(patchHead(share.length, { secret: otherSecret, headers }));
  await refused.closed;
  t.match(refused.heard(), /^HTTP\/1\.1 401 /);
  const admitted = await dial();
  admitted.socket.write(patchHead(share.length, { headers }));
  await admitted.until(/^HTTP\/1\.1 100 Continue\r\n\r\n/);
  admitted.socket.write(share);
  await admitted.until(/HTTP\/1\.1 201 /);
});

t.test('a body in chunks is as good as an announced one, if it is as long as its range', async (t) => {
  const { dial, store } = await listen(t);
  await allocate(store, [0], share.length);
  const headers = ['Transfer-Encoding: chunked'];
  for (const [size, status] of [
    [share.length - 1, 400],
    [share.length + 1, 400],
    [share.length, 201],
  ] as const) {
    const { socket, until } = await dial();
    const body = new Uint8Array(size);
    body.set(share.subarray(0, size));
    socket.write(patchHead(share.length, { headers }));
    socket.write(`${size.toString(16)}\r\n`);
    socket.write(body);
    socket.write('\r\n0\r\n\r\n');
    await until(new RegExp(`HTTP/1\\.1 ${String(status)} `));
  }
  sameBytes(t, await readShare(store, 0), share);
});

t.test('a body that announces another length than its range is refused before it comes', async (t) => {
  const { dial, store } = await listen(t);
  await allocate(store, [0], share.length);
  const { socket, until } = await dial();
  socket.write(patchHead(share.length, { headers: ['Content-Length: 100'] }));
  await until(/^HTTP\/1\.1 400 /);
});

t.test('a line that breaks in a body leaves the upload as it was', async (t) => {
  const { dial, store } = await listen(t);
  await allocate(store, [0], share.length);
  const { closed, socket } = await dial();
  socket.write(patchHead(share.length));
  socket.write(share.subarray(0, 200_000));
  await settle();
  socket.destroy();
  await closed;
  const progress = await write(uploadOf(store, 0), 10, share.subarray(10, 20));
  t.strictSame(progress.required[0], { begin: 0, end: 10 }, 'nothing of it was recorded');
  t.ok((await write(uploadOf(store, 0), 0, share)).complete);
});

t.test('a line that breaks while its write waits for another holds nothing', { timeout: 20_000 }, async (t) => {
  const { dial, store } = await listen(t);
  await allocate(store, [0], share.length);
  // With nothing sent the server sees the end at once; with much sent only when it reads on.
  for (const sentSize of [0, 100_000]) {
    const body = new HandFedBody();
    const holding = uploadOf(store, 0).write(whole(share.length), body);
    const { closed, socket } = await dial();
    socket.write(patchHead(share.length));
    socket.write(share.subarray(0, sentSize));
    await settle(50);
    socket.destroy();
    await closed;
    await settle(50);
    body.fail(new Error('the other line breaks too'));
    await t.rejects(holding, { message: 'the other line breaks too' });
    t.strictSame((await write(uploadOf(store, 0), 0, share.subarray(0, 10))).complete, false);
  }
});

t.test('a body that trickles is cut after a minute, one that keeps a kilobyte a second is not', async (t) => {
  const { clock, dial, store } = await listen(t);
  await allocate(store, [0], share.length);
  const idle = clock.pending;
  const { closed, heard, socket } = await dial();
  socket.write(patchHead(share.length));
  const feed = async (bytes: Uint8Array): Promise<void> => {
    await new Promise((resolve) => socket.write(bytes, resolve));
    await settle(50);
  };
  await feed(share.subarray(0, 1000));
  while (clock.pending !== idle) await settle(1);
  await feed(share.subarray(1000, 70_000));
  clock.advance(BODY_RATE_INTERVAL_MS);
  await settle();
  t.equal(socket.closed, false, 'fast enough in its first minute');
  await feed(share.subarray(70_000, 70_100));
  clock.advance(BODY_RATE_INTERVAL_MS);
  await closed;
  t.equal(heard(), '', 'it is cut without an answer');
  await settle();
  t.strictSame(sorted(await store.listShares(storageIndex)), []);
  t.equal(typeof store.upload({ storageIndex, shareNumber: 0, uploadSecret: otherSecret }), 'string');
});

t.test('a reader that takes nothing is cut, and its share closed', async (t) => {
  const { clock, dial, files, store } = await listen(t);
  const large = new Uint8Array(20 << 20);
  await store1(store, 0, large);
  const { closed, socket } = await dial();
  socket.pause();
  const authorization = dangerouslyFormatAuthorization(swissnum);
  socket.write(
    `GET ${storagePath.share(storageIndex, 0)} HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n\r\n`,
  );
  while (files.openCount === 0 || clock.pending === 0) await settle(1);
  const reads = (): number => files.countOf('read');
  let before = -1;
  while (before !== reads()) {
    before = reads();
    await settle(50);
  }
  clock.advance(READ_STALL_TIMEOUT_MS);
  while (files.openCount > 0) {
    await settle(1);
    clock.advance(KEPT_SHARE_AGE_MAX_MS);
  }
  t.equal(clock.pending, 0);
  socket.resume();
  await closed;
});

t.test('a head that never ends is cut', async (t) => {
  const { dial } = await listen(t, { limits: { headersTimeout: 50, connectionsCheckingInterval: 20 } });
  const silent = await dial();
  const trickling = await dial();
  trickling.socket.write('GET /storage/v1/version HTTP/1.1\r\nHost: x\r\nX-Slow: ');
  const drip = setInterval(() => trickling.socket.write('x'), 10);
  t.teardown(() => {
    clearInterval(drip);
  });
  await Promise.all([silent.closed, trickling.closed]);
  t.match(trickling.heard(), /^HTTP\/1\.1 408 /);
});

t.test('a head that is too large is refused', async (t) => {
  const { dial } = await listen(t);
  const { closed, heard, socket } = await dial();
  socket.write(`GET /storage/v1/version HTTP/1.1\r\nHost: x\r\nX-Large: ${'x'.repeat(20_000)}\r\n\r\n`);
  await closed;
  t.match(heard(), /^HTTP\/1\.1 431 /);
});
