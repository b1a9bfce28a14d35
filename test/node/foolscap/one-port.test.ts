/** One port for HTTPS and Foolscap: the first bytes decide, and who does not send them goes. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { createHash, X509Certificate } from 'node:crypto';
import t from 'tap';
import type { Test } from 'tap';
import { silentLog } from '#core/environment.js';
import type { Clock } from '#core/environment.js';
import { systemClock } from '#node/clock.js';
import { Foolscap } from '#node/foolscap/foolscap.js';
import { directDialler } from '#node/network/direct-dialler.js';
import { createStorageApp } from '#storage/app.js';
import { ConnectionTable } from '#storage/connection-table.js';
import { createMemoryStore } from '#storage/memory-store.js';
import { dangerouslyFormatAuthorization } from '#wire/storage.js';
import { createTlsIdentity } from '#test/fixtures/certificates.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { crypto, seededRandom } from '#test/fixtures/crypto.js';
import { makeTub } from '#test/fixtures/foolscap/tub-pair.js';
import { storeOptions } from '#test/fixtures/share-store.js';

const swissnum = 'swissnum';

interface Port {
  readonly port: number;
  readonly furl: string;
  readonly connections: ConnectionTable;
  readonly foolscap: Foolscap;
}

/** A storage server as a node makes it. */
async function startPort(t: Test, clock: Clock = systemClock): Promise<Port> {
  const identity = await createTlsIdentity();
  const pem = `${identity.cert}\n${identity.key}`;
  const tubId = createHash('sha1').update(new X509Certificate(identity.cert).raw).digest();
  const foolscap = new Foolscap({
    identity: { pem, tubId },
    clock,
    random: seededRandom('tub'),
    log: silentLog,
    dialler: directDialler,
  });
  const store = createMemoryStore(storeOptions(new ManualClock()));
  const connections = new ConnectionTable();
  const applicationVersion = 'tallac/test';
  const app = await createStorageApp(
    { store, crypto, swissnum, clock: systemClock, log: silentLog, applicationVersion },
    { tls: { key: pem, cert: pem }, connections, sort: foolscap.sorterFor(connections) },
  );
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  const furl = `pb://${foolscap.tub.tubId}@tcp:127.0.0.1:${String(port)}/${swissnum}`;
  foolscap.serveStorage({ store, random: seededRandom('uploads'), applicationVersion }, { furl, swissnum });
  t.teardown(async () => {
    await foolscap.close();
    await app.close();
    await store.close();
  });
  return { port, furl, connections, foolscap };
}

async function open(t: Test, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** What GET version says over TLS, on a socket whose first bytes may go out one by one. */
async function versionOverHttps(t: Test, port: number): Promise<string> {
  const socket = connectTls({ socket: await open(t, port), rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
  t.teardown(() => socket.destroy());
  await once(socket, 'secureConnect');
  const authorization = dangerouslyFormatAuthorization(swissnum);
  socket.write(
    `GET /storage/v1/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: ${authorization}\r\n\r\n`,
  );
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

t.test('both protocols on one port', async (t) => {
  const { connections, foolscap, furl, port } = await startPort(t);
  const reference = await (await makeTub(t)).connect(furl);
  t.match(await versionOverHttps(t, port), /^HTTP\/1\.1 200 OK[^]*tallac\/test/);
  await reference.call('get_version', []);
  t.equal(foolscap.tub.connectionCount, 1);
  while (connections.counts.open > 1) await settle(1);
  t.match(connections.counts, { open: 1, strangers: 0, handshakes: 0 }, 'who knows the swissnum is no stranger');
});

t.test('a peer of Foolscap that does not know the swissnum stays a stranger', async (t) => {
  const { connections, furl } = await startPort(t);
  await t.rejects((await makeTub(t)).connect(`${furl}x`), { code: 'ERR_REMOTE' });
  t.match(connections.counts, { open: 1, strangers: 1, handshakes: 0 });
});

t.test('what comes byte by byte, and what is neither', async (t) => {
  const { connections, foolscap, port } = await startPort(t);
  const slow = await open(t, port);
  const request = `GET /id/${foolscap.tub.tubId} HTTP/1.1\r\nUpgrade: TLS/1.0\r\n\r\n`;
  slow.setNoDelay(true);
  for (const character of request) {
    slow.write(character);
    await settle(1);
  }
  const [answer] = (await once(slow, 'data')) as [Buffer];
  t.match(answer.toString(), /^HTTP\/1\.1 101 /);
  for (const words of ['GET / HTTP/1.1\r\n\r\n', 'GET /id', '\0', 'SSH-2.0']) {
    const socket = await open(t, port);
    socket.resume();
    const closed = once(socket, 'close');
    socket.end(words);
    await closed;
    t.pass(JSON.stringify(words));
  }
  while (connections.counts.open > 1) await settle(1);
});

t.test('silence ends a connection after ten seconds', async (t) => {
  const clock = new ManualClock();
  const { connections, port } = await startPort(t, clock);
  for (const words of ['', 'GET /i']) {
    const socket = await open(t, port);
    socket.resume();
    const closed = once(socket, 'close');
    socket.write(words);
    while (connections.counts.open === 0) await settle(1);
    await settle();
    clock.advance(9_000);
    t.equal(connections.counts.open, 1);
    clock.advance(2_000);
    await closed;
    while (connections.counts.open > 0) await settle(1);
  }
  t.equal(clock.pending, 0);
});

t.test('a port for Foolscap alone', async (t) => {
  const identity = await createTlsIdentity();
  const tubId = createHash('sha1').update(new X509Certificate(identity.cert).raw).digest();
  const pem = `${identity.cert}\n${identity.key}`;
  const random = seededRandom('tub');
  const foolscap = new Foolscap({
    identity: { pem, tubId },
    clock: systemClock,
    random,
    log: silentLog,
    dialler: directDialler,
  });
  const endpoint = { host: '127.0.0.1', port: 0, backlog: undefined, text: 'tcp:0' };
  const connections = new ConnectionTable();
  const listener = await foolscap.listen(endpoint, { option: '[node]tub.port' }, connections);
  const furl = `pb://${foolscap.tub.tubId}@tcp:127.0.0.1:${String(listener.port)}/name`;
  foolscap.tub.register('name', { interfaceName: '', call: () => Promise.resolve('here') }, furl);
  const reference = await (await makeTub(t)).connect(furl);
  t.equal(await reference.call('any', []), 'here');
  t.match(connections.counts, { open: 1, strangers: 0 });
  await listener.close();
  while (reference.connected) await settle(1);
});
