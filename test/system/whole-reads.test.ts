/** Replies that are read and sent as a whole: the same bytes over every version of HTTP, and bounded memory. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:tls';
import t from 'tap';
import type { Test } from 'tap';
import { dangerouslyFormatAuthorization, storagePath } from '#wire/storage.js';
import { createMemoryStore } from '#storage/memory-store.js';
import { ReplyBuffers, WHOLE_READ_COUNT_MAX, WHOLE_READ_SIZE_MAX } from '#storage/reply-buffers.js';
import type { OpenShare } from '#storage/share-store.js';
import { createTlsIdentity } from '#test/fixtures/certificates.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { overHttp2 } from '#test/fixtures/http2-talk.js';
import { appOf, injector, overSocket, overTls, swissnum } from '#test/fixtures/protocol-subjects.js';
import { sameBytes, storageIndex, store1, storeOptions } from '#test/fixtures/share-store.js';
import type { TalkReply, TalkRequest } from '#test/fixtures/storage-talk.js';

const tls = await createTlsIdentity();
const authorization: [string, string] = ['Authorization', dangerouslyFormatAuthorization(swissnum)];
const share = seededBytes('share', 2 * WHOLE_READ_SIZE_MAX);

function rangeRequest(begin: number, size: number): TalkRequest {
  const range: [string, string] = ['Range', `bytes=${String(begin)}-${String(begin + size - 1)}`];
  return { method: 'GET', path: storagePath.share(storageIndex, 0), headers: [authorization, range] };
}

t.test('ranges of every size arrive as they are', async (t) => {
  const ways = {
    'in process': async (t: Test) => injector(await appOf(t, await filled())),
    'over a socket': async (t: Test) => overSocket(t, await appOf(t, await filled())),
    'over TLS': async (t: Test) => overTls(t, await appOf(t, await filled(), { tls })),
    'over HTTP/2': async (t: Test) => overHttp2(t, await appOf(t, await filled(), { tls })),
  };
  for (const [name, open] of Object.entries(ways)) {
    await t.test(name, async (t) => {
      const send = await open(t);
      for (const size of [1, 65_536, 65_537, 300_000, WHOLE_READ_SIZE_MAX, WHOLE_READ_SIZE_MAX + 1]) {
        const reply = await send(rangeRequest(7, size));
        t.equal(reply.status, 206);
        checkHeaders(t, reply, 7, size);
        sameBytes(t, reply.body, share.subarray(7, 7 + size), String(size));
      }
      const many = await Promise.all(Array.from({ length: 40 }, (_, i) => send(rangeRequest(i, 100_000))));
      for (const [i, { body }] of many.entries()) sameBytes(t, body, share.subarray(i, i + 100_000));
    });
  }
});

function checkHeaders(t: Test, { headers }: TalkReply, begin: number, size: number): void {
  t.equal(headers['content-type'], 'application/octet-stream');
  t.equal(headers['content-length'], String(size));
  t.equal(headers['content-range'], `bytes ${String(begin)}-${String(begin + size - 1)}/*`);
}

async function filled(): Promise<ReturnType<typeof createMemoryStore>> {
  const store = createMemoryStore(storeOptions(new ManualClock()));
  await store1(store, 0, share);
  return store;
}

t.test('what was sent as a whole is counted like any other answer', async (t) => {
  const answers: unknown[] = [];
  const app = await appOf(t, await filled(), {
    answered: (request, reply) =>
      answers.push([request.method, reply.statusCode, Number(reply.getHeader('content-length'))]),
  });
  const send = await overSocket(t, app);
  await send(rangeRequest(0, 500_000));
  await settle();
  t.strictSame(answers, [['GET', 206, 500_000]]);
});

t.test('so many are read as a whole at a time, also when their readers go away', async (t) => {
  const store = createMemoryStore(storeOptions(new ManualClock()));
  const rooms: boolean[] = [];
  const reads: (() => void)[] = [];
  const slow: OpenShare = {
    size: share.length,
    read: (offset, size, room) => {
      rooms.push(room !== undefined);
      return new Promise((resolve) => reads.push(() => resolve(share.slice(offset, offset + size))));
    },
    close: () => Promise.resolve(),
  };
  store.openShare = () => Promise.resolve(slow);
  const app = await appOf(t, store, { tls });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const dial = async (): Promise<() => Promise<unknown>> => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
    socket.on('error', () => undefined);
    const { headers, method, path } = rangeRequest(0, 500_000);
    const lines = headers.map(([name, value]) => `${name}: ${value}`);
    const before = rooms.length;
    socket.write([`${method} ${path} HTTP/1.1`, 'Host: localhost', ...lines, '', ''].join('\r\n'));
    while (rooms.length === before) await settle(1);
    return () => {
      socket.destroy();
      return once(socket, 'close');
    };
  };
  const leave: (() => Promise<unknown>)[] = [];
  for (let i = 0; i <= WHOLE_READ_COUNT_MAX; i++) leave.push(await dial());
  t.strictSame(rooms, [...Array<boolean>(WHOLE_READ_COUNT_MAX).fill(true), false], 'the last one comes piece by piece');
  await Promise.all(leave.map((left) => left()));
  const [late] = [await dial()];
  t.equal(rooms.at(-1), false, 'their reads are still under way');
  await late();
  for (const done of reads) done();
  await settle();
  await (
    await dial()
  )();
  t.equal(rooms.at(-1), true, 'and then the arrays are free');
  for (const done of reads) done();
});

t.test('an array whose reply broke is not used again', (t) => {
  const buffers = new ReplyBuffers();
  const [first, second] = [buffers.take(), buffers.take()];
  if (first === undefined || second === undefined) throw new Error('there was room');
  buffers.giveBack(first, false);
  buffers.giveBack(second, true);
  t.equal(buffers.take(), second);
  t.not(buffers.take(), first);
  t.end();
});

t.test('as many arrays are kept as one quick reader has under way', (t) => {
  const buffers = new ReplyBuffers();
  const lend = (): Uint8Array[] => Array.from({ length: 7 }, () => buffers.take() ?? new Uint8Array(0));
  const first = lend();
  for (const array of first) buffers.giveBack(array, true);
  t.ok(
    lend().every((array) => first.includes(array)),
    'none is new',
  );
  t.end();
});

t.test('data that has passed is told of, so that it does not lie about as garbage', async (t) => {
  let discarded = 0;
  const store = await filled();
  const app = await appOf(t, store, {}, new ManualClock(), { discarded: (sizeBytes) => (discarded += sizeBytes) });
  const send = await overSocket(t, app);
  await send(rangeRequest(0, WHOLE_READ_SIZE_MAX + 5));
  t.equal(discarded, WHOLE_READ_SIZE_MAX + 5, 'a reply in pieces');
  discarded = 0;
  const body = seededBytes('advice', 500);
  await send({ method: 'POST', path: storagePath.corrupt(storageIndex, 0), headers: [authorization], body });
  t.equal(discarded, 500, 'a body');
});
