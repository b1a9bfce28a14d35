/** A port beset by silence: who has the swissnum is answered all the same, and silence ends. */
import { once } from 'node:events';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { Agent, request as httpsRequest } from 'node:https';
import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import t from 'tap';
import type { Test } from 'tap';
import { dangerouslyFormatAuthorization, storagePath } from '#wire/storage.js';
import type { StorageServerOptions } from '#storage/app.js';
import { ConnectionTable } from '#storage/connection-table.js';
import type { ConnectionLimits } from '#storage/connection-table.js';
import { createMemoryStore } from '#storage/memory-store.js';
import { createTlsIdentity } from '#test/fixtures/certificates.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { portOf } from '#test/fixtures/http2-talk.js';
import { appOf, sendOverSocket, swissnum } from '#test/fixtures/protocol-subjects.js';
import { storeOptions } from '#test/fixtures/share-store.js';

const tls = await createTlsIdentity();

interface Port {
  readonly port: number;
  readonly connections: ConnectionTable;
  /** Asks on a connection of its own. @returns the status. */
  ask(): Promise<number>;
  silence(): Promise<TLSSocket>;
}

async function listen(
  t: Test,
  limits: Partial<ConnectionLimits>,
  server: StorageServerOptions['limits'] = {},
): Promise<Port> {
  const clock = new ManualClock();
  const connections = new ConnectionTable(limits);
  const app = await appOf(t, createMemoryStore(storeOptions(clock)), { tls, connections, limits: server }, clock);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const port = portOf(app);
  return {
    port,
    connections,
    ask: () => ask(t, port),
    silence: () => silence(t, port),
  };
}

async function ask(t: Test, port: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, rejectUnauthorized: false });
  t.teardown(() => {
    agent.destroy();
  });
  const headers = [['Authorization', dangerouslyFormatAuthorization(swissnum)]] as const;
  const reply = await sendOverSocket(agent, port, { method: 'GET', path: storagePath.version, headers }, httpsRequest);
  return reply.status;
}

/** A connection that has finished its handshake and says nothing. */
async function silence(t: Test, port: number): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  socket.resume();
  socket.on('error', () => undefined);
  t.teardown(() => socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

/** The end of a connection, with or without an error. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
}

t.test('a port full of silence makes room for everybody who comes, the oldest silence first', async (t) => {
  const { ask, connections, silence } = await listen(t, { connections: 100 });
  const silent: TLSSocket[] = [];
  for (let i = 0; i < 100; i++) silent.push(await silence());
  while (connections.counts.handshakes > 0) await settle(1);
  t.strictSame(connections.counts, { open: 100, strangers: 100, handshakes: 0, evicted: 0 });
  const ends = silent.slice(0, 30).map(closed);
  for (let i = 0; i < 30; i++) t.equal(await ask(), 200);
  await Promise.all(ends);
  t.equal(silent.filter(({ destroyed }) => destroyed).length, 30);
  t.strictSame(connections.counts, { open: 100, strangers: 70, handshakes: 0, evicted: 30 });
});

t.test('connections that never begin their handshake are bounded, and make room too', async (t) => {
  const { ask, connections, port } = await listen(t, { handshakes: 20 });
  const ends: Promise<void>[] = [];
  for (let i = 0; i < 60; i++) {
    const socket = connectTcp(port, '127.0.0.1');
    t.teardown(() => socket.destroy());
    if (i < 40) ends.push(closed(socket));
    await once(socket, 'connect');
  }
  await Promise.all(ends);
  t.equal(connections.counts.handshakes, 20);
  t.equal(await ask(), 200);
});

t.test('a crowd that comes at once is let in', async (t) => {
  const { ask, connections } = await listen(t, {});
  t.strictSame(new Set(await Promise.all(Array.from({ length: 200 }, ask))), new Set([200]));
  t.equal(connections.counts.evicted, 0);
});

t.test('idle and slow connections beside honest ones', { timeout: 60_000 }, async (t) => {
  const limits = { headersTimeout: 1000, connectionsCheckingInterval: 50 };
  const { ask, connections, silence } = await listen(t, { connections: 700 }, limits);
  const [idle, slow] = [await many(300, silence), await many(100, silence)];
  const ends = [...idle, ...slow].map(closed);
  const drip = setInterval(() => {
    for (const socket of slow) socket.write('x');
  }, 20);
  t.teardown(() => {
    clearInterval(drip);
  });
  for (const socket of slow) socket.write('GET /storage/v1/version HTTP/1.1\r\nX-Slow: ');
  t.strictSame(new Set(await many(200, ask)), new Set([200]), 'every honest request is answered');
  await Promise.all(ends);
  t.equal(connections.counts.strangers, 0, 'silence and slowness have ended');
  t.equal(connections.counts.evicted, 0, 'by their own deadline: there was room');
});

/** Does it `count` times, ten at a time. */
async function many<Result>(count: number, action: () => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  while (results.length < count) results.push(...(await Promise.all(Array.from({ length: 10 }, action))));
  return results;
}
