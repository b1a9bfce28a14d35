/** The change feed over both versions of HTTP. */
import { once } from 'node:events';
import { request as httpsRequest } from 'node:https';
import type { ClientHttp2Stream } from 'node:http2';
import type { Readable } from 'node:stream';
import t from 'tap';
import type { Test } from 'tap';
import { parseBase32 } from '#core/base32.js';
import { dangerouslyFormatAuthorization } from '#wire/storage.js';
import { ChangeFeed, FEED_COUNT_MAX } from '#storage/feed/change-feed.js';
import { RING_COUNT_MAX } from '#storage/feed/change-ring.js';
import { FEED_QUEUE_COUNT_MAX, HEARTBEAT_INTERVAL_MS } from '#storage/feed/feed-stream.js';
import { createMemoryStore } from '#storage/memory-store.js';
import type { OpenShare } from '#storage/share-store.js';
import { StoreEvents } from '#storage/store-events.js';
import { createTlsIdentity } from '#test/fixtures/certificates.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { dialHttp2, portOf } from '#test/fixtures/http2-talk.js';
import { appOf, injector, swissnum } from '#test/fixtures/protocol-subjects.js';
import { storeOptions } from '#test/fixtures/share-store.js';

const tls = await createTlsIdentity();
const [one, two, three] = ['a', 'b', 'c'].map((letter) => letter.repeat(25) + 'a') as [string, string, string];
const authorization = dangerouslyFormatAuthorization(swissnum);

interface Subject {
  readonly clock: ManualClock;
  readonly events: StoreEvents;
  readonly feed: ChangeFeed;
  readonly port: number;
  readonly ask: ReturnType<typeof injector>;
  add(storageIndex: string, shareNumber: number): void;
  close(): Promise<void>;
}

async function listen(t: Test, openMutable?: () => Promise<OpenShare | undefined>): Promise<Subject> {
  const clock = new ManualClock();
  const events = new StoreEvents();
  const feed = new ChangeFeed({ events, clock, ...(openMutable === undefined ? {} : { openMutable }) });
  const app = await appOf(t, createMemoryStore(storeOptions(clock)), { tls }, clock, { feed });
  await app.listen({ host: '127.0.0.1', port: 0 });
  return {
    clock,
    events,
    feed,
    port: portOf(app),
    ask: injector(app),
    add: (storageIndex, shareNumber) => {
      events.tell({ kind: 'added', type: 'immutable', storageIndex: parseBase32(storageIndex), shareNumber });
    },
    close: () => app.close(),
  };
}

/** A reader of a feed. */
interface Reader {
  readonly status: number;
  /** The text so far. */
  heard(): string;
  /** Waits for the text to match. */
  until(pattern: RegExp): Promise<void>;
  readonly closed: Promise<void>;
  readonly body: Readable;
}

type Dial = (t: Test, port: number, path: string, headers?: Record<string, string>) => Promise<Reader>;

const dialHttp1: Dial = async (t, port, path, headers = {}) => {
  const options = { host: '127.0.0.1', port, path, rejectUnauthorized: false, agent: false } as const;
  const outgoing = httpsRequest({ ...options, headers: { authorization, ...headers } });
  t.teardown(() => outgoing.destroy());
  outgoing.on('error', () => undefined).end();
  const reply = await new Promise<Readable & { statusCode?: number }>((resolve) => outgoing.on('response', resolve));
  return readerOf(reply, reply.statusCode ?? 0);
};

const dialOverHttp2: Dial = async (t, port, path, headers = {}) => {
  const session = await dialHttp2(t, port);
  const stream: ClientHttp2Stream = session.request({ ':path': path, authorization, ...headers });
  const [reply] = (await once(stream, 'response')) as [{ ':status': number }];
  return readerOf(stream, reply[':status']);
};

function readerOf(body: Readable, status: number): Reader {
  let heard = '';
  let wake = (): void => undefined;
  let isClosed = false;
  body.on('data', (part: Buffer) => {
    heard += part.toString();
    wake();
  });
  body.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => {
    body.once('close', () => {
      isClosed = true;
      wake();
      resolve();
    });
  });
  const until = async (pattern: RegExp): Promise<void> => {
    while (!pattern.test(heard)) {
      if (isClosed) throw new Error(`closed after: ${heard}`);
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  return { status, heard: () => heard, until, closed, body };
}

const pathOf = (...indexes: string[]): string =>
  `/tallac/v1/events?${indexes.map((name) => `storage-index=${name}`).join('&')}`;
const eventsIn = (text: string): string[] =>
  [...text.matchAll(/^event: (.*)\ndata: (.*)$/gm)].map(([, event, data]) => `${event ?? ''} ${data ?? ''}`);
const dataOf = (storageIndex: string, shareNumber: number): string =>
  JSON.stringify({ 'storage-index': storageIndex, 'share-number': shareNumber });

for (const [version, dial] of [
  ['HTTP/1.1', dialHttp1],
  ['HTTP/2', dialOverHttp2],
] as const) {
  t.test(`${version}: every change at the named indexes is told, in order, and no other`, async (t) => {
    const { add, events, port } = await listen(t);
    const reader = await dial(t, port, pathOf(one, two));
    t.equal(reader.status, 200);
    await reader.until(/^id: [0-9]+-0\n\n/);
    add(one, 0);
    add(three, 0);
    const place = { storageIndex: parseBase32(two), shareNumber: 4 };
    for (const kind of ['written', 'leased', 'removed'] as const) events.tell({ ...place, kind });
    events.tell({ ...place, kind: 'damaged', reason: 'a secret reason' });
    await reader.until(/damaged.*\ndata.*\n\n/);
    t.strictSame(eventsIn(reader.heard()), [
      `added ${dataOf(one, 0)}`,
      ...['written', 'removed', 'damaged'].map((kind) => `${kind} ${dataOf(two, 4)}`),
    ]);
    const numbers = [...reader.heard().matchAll(/^id: [0-9]+-([0-9]+)$/gm)].map(([, number]) => Number(number));
    t.strictSame(numbers, [0, 1, 3, 4, 5], 'numbers only grow');
  });

  t.test(`${version}: who comes back hears what it missed`, async (t) => {
    const { add, feed, port } = await listen(t);
    const first = await dial(t, port, pathOf(one));
    add(one, 0);
    await first.until(/added.*\ndata.*\n\n/);
    const id = /^id: ([0-9]+-1)$/m.exec(first.heard())?.[1] ?? '';
    first.body.destroy();
    while (feed.readerCount > 0) await settle(1);
    for (let i = 1; i < 4; i++) add(i === 2 ? three : one, i);
    const second = await dial(t, port, pathOf(one), { 'last-event-id': id });
    await second.until(/"share-number":3/);
    t.strictSame(eventsIn(second.heard()), [`added ${dataOf(one, 1)}`, `added ${dataOf(one, 3)}`]);
  });

  t.test(`${version}: who cannot be told what it missed is told to look again`, async (t) => {
    const { add, clock, port } = await listen(t);
    const epoch = clock.nowMs();
    for (let i = 0; i < RING_COUNT_MAX + 1; i++) add(three, 0);
    for (const id of [
      `${String(epoch)}-0`,
      `${String(epoch - 1)}-${String(RING_COUNT_MAX)}`,
      `${String(epoch)}-99999`,
      'x',
    ]) {
      const reader = await dial(t, port, pathOf(one), { 'last-event-id': id });
      await reader.until(/look-again/);
      t.match(
        reader.heard(),
        new RegExp(`^id: ${String(epoch)}-${String(RING_COUNT_MAX + 1)}\nevent: look-again\ndata: {}`),
      );
    }
    for (let i = 0; i < FEED_QUEUE_COUNT_MAX; i++) add(one, 0);
    const reader = await dial(t, port, pathOf(one), {
      'last-event-id': `${String(epoch)}-${String(RING_COUNT_MAX + 1)}`,
    });
    await reader.until(/look-again/);
    t.strictSame(eventsIn(reader.heard()), ['look-again {}'], 'also when it is too much to tell');
  });

  t.test(`${version}: silence is broken by heartbeats`, async (t) => {
    const { clock, port } = await listen(t);
    const reader = await dial(t, port, pathOf(one));
    await reader.until(/\n\n/);
    for (let i = 1; i <= 3; i++) {
      clock.advance(HEARTBEAT_INTERVAL_MS);
      await reader.until(new RegExp(`(: \n\n){${String(i)}}$`));
    }
    t.pass('three were heard');
  });

  t.test(`${version}: a reader that takes nothing is cut, and costs no more than its queue`, async (t) => {
    const { add, feed, port } = await listen(t);
    const reader = await dial(t, port, pathOf(one));
    await reader.until(/\n\n/);
    reader.body.pause();
    let told = 0;
    for (; feed.readerCount > 0; told++) {
      add(one, told % 256);
      if (told % 100 === 0) await settle(1);
    }
    t.ok(told > FEED_QUEUE_COUNT_MAX);
    reader.body.resume();
    await reader.closed;
  });

  t.test(`${version}: the end of the server ends the feed`, async (t) => {
    const { add, close, feed, port } = await listen(t);
    const reader = await dial(t, port, pathOf(one));
    await reader.until(/\n\n/);
    add(one, 7);
    const closing = close();
    await reader.closed;
    await closing;
    t.match(reader.heard(), dataOf(one, 7), 'what was told before is heard');
    t.equal(feed.readerCount, 0);
  });
}

t.test('the sequence number comes with a mutable share that was written, where it can be read', async (t) => {
  const head = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 1, 44]);
  const answers: (OpenShare | undefined | Error)[] = [
    { size: 9, read: async () => head, close: async () => undefined },
    undefined,
    new Error('the disk failed'),
    { size: 9, read: async () => head.subarray(0, 3), close: async () => undefined },
  ];
  const { events, port } = await listen(t, async () => {
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  });
  const reader = await dialHttp1(t, port, pathOf(one));
  for (let shareNumber = 0; shareNumber < 4; shareNumber++) {
    events.tell({ kind: 'written', storageIndex: parseBase32(one), shareNumber });
  }
  await reader.until(/"share-number":3.*\n\n/);
  t.strictSame(eventsIn(reader.heard()), [
    `written ${JSON.stringify({ 'storage-index': one, 'share-number': 0, 'sequence-number': 300 })}`,
    ...[1, 2, 3].map((shareNumber) => `written ${dataOf(one, shareNumber)}`),
  ]);
});

t.test('who may not, or asks for nothing that can be, is refused', async (t) => {
  const { ask, feed } = await listen(t);
  const get = async (
    path: string,
    headers: (readonly [string, string])[] = [['Authorization', authorization]],
  ): Promise<number> => (await ask({ method: 'GET', path, headers })).status;
  t.equal(await get(pathOf(one), []), 401);
  t.equal(await get(pathOf(one), [['Authorization', `${authorization}x`]]), 401);
  t.equal(
    await get(pathOf(one), [
      ['Authorization', authorization],
      ['X-Tahoe-Authorization', 'upload-secret AAAA'],
    ]),
    400,
  );
  for (const path of [
    pathOf(),
    '/tallac/v1/events',
    pathOf(''),
    pathOf('a'),
    pathOf(one, one.toUpperCase()),
    pathOf(`${one}a`),
    pathOf(one.slice(0, -1) + 'b'),
  ]) {
    t.equal(await get(path), 400, path);
  }
  t.equal(await get(pathOf(...Array<string>(257).fill(one))), 400);
  t.equal(await get('/tallac/v1/nothing'), 404);
  t.equal((await ask({ method: 'POST', path: pathOf(one), headers: [] })).status, 405);
  t.equal(feed.readerCount, 0);
});

t.test('feeds are bounded, and one that ends makes room', async (t) => {
  const { feed } = await listen(t);
  const streams = Array.from({ length: FEED_COUNT_MAX }, () => feed.open(new Set([one])));
  t.throws(() => feed.open(new Set([one])), { code: 'ERR_BUSY' });
  streams[0]?.destroy();
  await settle();
  t.ok(feed.open(new Set([one])));
  feed.close();
});
