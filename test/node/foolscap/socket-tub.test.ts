/** Tubs over real sockets: who is connected to whom, and peers that stop, lie or come twice. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import t from 'tap';
import type { Test } from 'tap';
import { formatRequest } from '#wire/foolscap/negotiation.js';
import { isRemoteReference } from '#wire/foolscap/tub.js';
import { createTlsIdentity } from '#test/fixtures/certificates.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { objectOf } from '#test/fixtures/foolscap/banana-talk.js';
import { makeTub, startTub } from '#test/fixtures/foolscap/tub-pair.js';

const echo = objectOf({ echo: (value) => value ?? null, wait: () => new Promise<never>(() => undefined) });

t.test('one connection carries calls of both sides', async (t) => {
  const [one, other] = [await startTub(t), await startTub(t)];
  const there = await one.tub.connect(other.serve('there', echo));
  const back = await other.tub.connect(one.serve('back', echo));
  t.equal(await there.call('echo', ['a']), 'a');
  t.equal(await back.call('echo', ['b']), 'b');
  t.equal(there.peer.tubId, other.tub.tubId);
  t.equal(back.peer.tubId, one.tub.tubId);
  t.strictSame([one.tub.connectionCount, other.tub.connectionCount], [1, 1]);
  t.strictSame([one.sockets.length, other.sockets.length], [0, 1]);
  t.strictSame(other.events, ['secured', 'admitted']);
  const lost = new Promise<void>((resolve) => back.notifyOnDisconnect(resolve));
  const waiting = back.call('wait', []);
  waiting.catch(() => undefined);
  await one.tub.close();
  await lost;
  await t.rejects(waiting, { code: 'ERR_CONNECTION_CLOSED' });
  await t.rejects(one.tub.connect(other.serve('there', echo)), { code: 'ERR_CONNECT' });
});

t.test('two that connect to each other at once', async (t) => {
  for (let round = 0; round < 5; round++) {
    const [one, other] = [await startTub(t), await startTub(t)];
    const furls = [one.serve('name', echo), other.serve('name', echo)] as const;
    const connect = async (from: typeof one, furl: string): Promise<unknown> => {
      for (;;) {
        try {
          return await (await from.tub.connect(furl)).call('echo', [1]);
        } catch {
          // One of the two is refused as a duplicate before the other one is agreed on.
          await settle(1);
        }
      }
    };
    t.strictSame(await Promise.all([connect(one, furls[1]), connect(other, furls[0])]), [1, 1]);
    await settle();
    t.strictSame([one.tub.connectionCount, other.tub.connectionCount], [1, 1]);
    await Promise.all([one.tub.close(), other.tub.close()]);
  }
});

t.test('who has started anew replaces what he was', async (t) => {
  const server = await startTub(t);
  const furl = server.serve('name', echo);
  const identity = await createTlsIdentity();
  const before = await makeTub(t, { identity });
  const reference = await before.connect(furl);
  const after = await makeTub(t, { identity });
  let again;
  while (again === undefined) again = await after.connect(furl).catch(() => settle(1).then(() => undefined));
  t.equal(await again.call('echo', [2]), 2);
  t.equal(server.tub.connectionCount, 1);
  while (reference.connected) await settle(1);
});

t.test('another key than the furl names', async (t) => {
  const [right, wrong] = [await startTub(t), await startTub(t)];
  const client = await makeTub(t);
  const furl = right.serve('name', echo);
  const misled = furl.replace(String(right.port), String(wrong.port));
  // The other one says that it is not asked for; one that lies about it shows its certificate.
  await t.rejects(client.connect(misled), { code: 'ERR_CONNECT' });
  Object.defineProperty(wrong.tub, 'tubId', { value: right.tub.tubId });
  await t.rejects(client.connect(misled), { code: 'ERR_PIN' });
  t.equal(client.connectionCount, 0);
  const both = furl.replace('@', `@tcp:127.0.0.1:${String(wrong.port)},`);
  t.equal(await (await client.connect(both)).call('echo', ['right']), 'right', 'the hint that leads there is used');
});

t.test('a furl that leads nowhere', async (t) => {
  const client = await makeTub(t);
  const id = 'a'.repeat(32);
  await t.rejects(client.connect('pb://no'), { code: 'ERR_FURL' });
  await t.rejects(client.connect(`pb://${id}@tor:x.onion:1/name`), { code: 'ERR_CONNECT' });
  await t.rejects(client.connect(`pb://${id}@tcp:127.0.0.1:1/name`), { code: 'ERR_CONNECT' });
  const { port, serve } = await startTub(t);
  serve('name', echo);
  await t.rejects(client.connect(`pb://${id}@tcp:127.0.0.1:${String(port)}/name`), /unknown TubID/);
});

t.test('a Tub calls itself', async (t) => {
  const { serve, tub } = await startTub(t);
  const reference = await tub.connect(serve('name', objectOf({ part: () => echo, echo: (value) => value ?? null })));
  t.equal(await reference.call('echo', [3]), 3);
  const part = await reference.call('part', []);
  if (!isRemoteReference(part)) throw new Error('no reference');
  t.equal(await part.call('echo', [4]), 4);
  await tub.close();
  await t.rejects(part.call('echo', [5]), { code: 'ERR_CONNECTION_CLOSED' });
});

/** A client that says what it is told to and then nothing. */
async function stranger(t: Test, port: number, ...words: Uint8Array[]): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  for (const word of words) socket.write(word);
  return socket;
}

t.test('a peer that stops in the middle of a phase is cut off in time', async (t) => {
  const clock = new ManualClock();
  const server = await startTub(t, { clock });
  const request = formatRequest(server.tub.tubId, 'x');
  const cases = [[], [request.subarray(0, 20)], [request], [request, new Uint8Array([22, 3, 1, 2, 0, 1])]];
  for (const words of cases) {
    const socket = await stranger(t, server.port, ...words);
    const closed = once(socket, 'close');
    socket.resume();
    while (server.sockets.every(({ destroyed }) => destroyed)) await settle(1);
    await settle();
    clock.advance(29_000);
    t.notOk(server.sockets.at(-1)?.destroyed);
    clock.advance(2_000);
    await closed;
  }
  t.equal(server.tub.connectionCount, 0);
});

t.test('a client waits for its server no longer than it may', async (t) => {
  const clock = new ManualClock();
  const silent = await startTub(t, { clock: new ManualClock() });
  const client = await makeTub(t, { clock });
  silent.tub.accept = () => undefined;
  const connecting = client.connect(silent.serve('name', echo));
  while (silent.sockets.length === 0) await settle(1);
  clock.advance(20_000);
  await t.rejects(connecting, { code: 'ERR_TIMEOUT' });
  const cancelled = client.connect(silent.serve('name', echo), { signal: AbortSignal.abort() });
  await t.rejects(cancelled, { code: 'ERR_CANCELLED' });
});

t.test('an honest refusal, and bytes that are no request', async (t) => {
  const server = await startTub(t);
  for (const [text, answer] of [
    [`GET /id/${'a'.repeat(32)} HTTP/1.1\r\nUpgrade: TLS/1.0\r\n\r\n`, /^HTTP\/1.1 500 .*unknown TubID/],
    ['GET /id/ HTTP/1.1\r\n\r\n', /^HTTP\/1.1 500 /],
    ['x'.repeat(5000), /^$/],
  ] as const) {
    const socket = await stranger(t, server.port, Buffer.from(text));
    let received = '';
    socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
    await once(socket, 'close');
    t.match(received, answer);
  }
});

t.test('silence is asked about once, and then ends the connection', async (t) => {
  const clock = new ManualClock();
  const server = await startTub(t, { clock });
  const client = await makeTub(t);
  const reference = await client.connect(server.serve('name', echo));
  const answered = server.sockets[0]?.bytesWritten ?? 0;
  clock.advance(240_000);
  clock.advance(240_000);
  // The PING is answered.
  while ((server.sockets[0]?.bytesWritten ?? 0) <= answered) await settle(1);
  t.equal(await reference.call('echo', [1]), 1);
  clock.advance(240_000);
  t.equal(server.tub.connectionCount, 1);
  clock.advance(240_000);
  clock.advance(240_000);
  t.equal(server.tub.connectionCount, 0, 'nothing came in two intervals');
});
