/** The pin: who is talked to, and that nobody else receives a byte. Against real TLS servers. */
import { X509Certificate } from 'node:crypto';
import type { TlsOptions, TLSSocket } from 'node:tls';
import t from 'tap';
import type { Test } from 'tap';
import { parse } from 'yaml';
import type { HttpsStorageServer } from '#client/https-storage-server.js';
import { spkiHashOf } from '#client/pinned-connector.js';
import { createTlsIdentity } from '#test/fixtures/certificates.js';
import type { TlsIdentity } from '#test/fixtures/certificates.js';
import { openTestServer } from '#test/fixtures/https-client.js';
import { onRequest, startTcpServer, startTlsServer } from '#test/fixtures/tls-server.js';
import type { CountingServer } from '#test/fixtures/tls-server.js';
import { readVectorText } from '#test/fixtures/vectors.js';
import { versionReply } from '#test/fixtures/version-reply.js';

const DAY_MS = 86_400_000;
const pinned = await createTlsIdentity();
const other = await createTlsIdentity();

/** A client that pins the hash of `pinned`, whatever listens at `port`. */
function clientOf(t: Test, port: number, connectTimeoutMs = 5000): HttpsStorageServer {
  const client = openTestServer(port, pinned.spkiHash, { connectTimeoutMs, callTimeoutMs: 1000 });
  t.teardown(() => client.close());
  return client;
}

function answerVersion(connection: TLSSocket): void {
  onRequest(connection, () => connection.write(versionReply));
}

async function serveTls(t: Test, options: TlsOptions, serve = answerVersion, port = 0): Promise<CountingServer> {
  const server = await startTlsServer(options, serve, port);
  t.teardown(() => server.close());
  return server;
}

t.test('the hash over a key is that of the specification’s vectors', async (t) => {
  const { vector } = parse(readVectorText('spki-hash.yaml')) as {
    vector: { 'expected-hash': string; 'expected-spki': string; certificate: string }[];
  };
  t.ok(vector.length >= 3);
  for (const { 'expected-hash': hash, 'expected-spki': spki, certificate } of vector) {
    const read = new X509Certificate(certificate);
    t.equal(read.publicKey.export({ type: 'spki', format: 'der' }).toString('base64'), spki.trim());
    t.equal(spkiHashOf(read), hash.trim());
  }
});

t.test('the right key is enough, whatever its certificate says', async (t) => {
  const far = (days: number): Date => new Date(Date.now() + days * DAY_MS);
  const { keys } = pinned;
  const certificates: Readonly<Record<string, TlsIdentity>> = {
    'valid today': pinned,
    expired: await createTlsIdentity({ keys, notBefore: far(-400), notAfter: far(-30) }),
    'not yet valid': await createTlsIdentity({ keys, notBefore: far(30), notAfter: far(400) }),
    'of another name': await createTlsIdentity({ keys, commonName: 'www.example.com' }),
    'signed by a stranger': await createTlsIdentity({ keys, issuer: { identity: other, commonName: 'Stranger' } }),
  };
  for (const [name, { key, cert, spkiHash }] of Object.entries(certificates)) {
    t.equal(spkiHash, pinned.spkiHash);
    const server = await serveTls(t, { key, cert });
    t.equal((await clientOf(t, server.port).version()).applicationVersion, 'test/1', name);
  }
});

t.test('another key receives nothing', async (t) => {
  const signedByPinned = await createTlsIdentity({ issuer: { identity: pinned, commonName: 'newpb_thingy' } });
  const peers: Readonly<Record<string, TlsOptions>> = {
    'same names, other key': { key: other.key, cert: other.cert },
    'other key, TLS 1.2': { key: other.key, cert: other.cert, maxVersion: 'TLSv1.2' },
    'a chain that ends in the pinned key': {
      key: signedByPinned.key,
      cert: `${signedByPinned.cert}\n${pinned.cert}`,
    },
  };
  for (const [name, options] of Object.entries(peers)) {
    const server = await serveTls(t, options);
    await t.rejects(clientOf(t, server.port).version(), { code: 'ERR_PIN' }, name);
    t.equal(server.connectionCount, 1, `${name}: it was connected to`);
    t.equal(server.receivedBytes, 0, `${name}: no byte behind the handshake`);
  }
});

t.test('peers that are no TLS server of ours', async (t) => {
  let heard = '';
  const plain = await startTcpServer((connection) => {
    connection.on('data', (chunk: Buffer) => {
      heard += chunk.toString('latin1');
      connection.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    });
  });
  const closing = await startTcpServer((connection) => connection.once('data', () => connection.end()));
  const resetting = await startTcpServer((connection) => connection.resetAndDestroy());
  const silent = await startTcpServer(() => undefined);
  const dripping = await startTcpServer((connection) => {
    // The first bytes of a TLS record that never ends.
    const drip = setInterval(() => connection.write(Buffer.from([22])), 50);
    connection.on('close', () => {
      clearInterval(drip);
    });
  });
  const servers = { plain, closing, resetting, silent, dripping };
  for (const [name, server] of Object.entries(servers)) {
    t.teardown(() => server.close());
    const client = clientOf(t, server.port, 300);
    await t.rejects(client.version(), { code: 'ERR_CONNECT' }, name);
    t.equal(client.connectionCount, 0, `${name}: the connection is gone`);
  }
  t.not(heard.length, 0);
  t.notMatch(heard, /GET|Tahoe|authorization/i, 'plain HTTP hears a TLS greeting and no request');
  await t.rejects(clientOf(t, 1).version(), { code: 'ERR_CONNECT' }, 'nobody listens');
});

t.test('TLS that was not agreed to', async (t) => {
  const { key, cert } = pinned;
  const weak = { key, cert, minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' } as const;
  const peers: Readonly<Record<string, TlsOptions>> = {
    'TLS 1.1': { ...weak, maxVersion: 'TLSv1.1' },
    'only HTTP/2': { key, cert, ALPNProtocols: ['h2'] },
    'no certificate at all': { maxVersion: 'TLSv1.2', ciphers: 'aNULL:@SECLEVEL=0' },
  };
  for (const [name, options] of Object.entries(peers)) {
    const server = await serveTls(t, options);
    await t.rejects(clientOf(t, server.port).version(), { code: 'ERR_CONNECT' }, name);
    t.equal(server.receivedBytes, 0, name);
  }
});

t.test('sessions are never resumed, so that every connection shows its key', async (t) => {
  let resumedCount = 0;
  const server = await serveTls(t, { key: pinned.key, cert: pinned.cert }, (connection) => {
    if (connection.isSessionReused()) resumedCount += 1;
    // Tickets were offered with the handshake; then this connection goes.
    onRequest(connection, () => connection.end(versionReply));
  });
  const client = clientOf(t, server.port);
  for (let round = 0; round < 3; round++) await client.version();
  t.equal(server.connectionCount, 3);
  t.equal(resumedCount, 0);
});

t.test('a key that changes between two connections is refused', async (t) => {
  const serve = (connection: TLSSocket): void => {
    onRequest(connection, () => connection.end(versionReply));
  };
  const first = await startTlsServer({ key: pinned.key, cert: pinned.cert }, serve);
  const client = clientOf(t, first.port);
  await client.version();
  await first.close();
  const second = await serveTls(t, { key: other.key, cert: other.cert }, serve, first.port);
  await t.rejects(client.version(), { code: 'ERR_PIN' });
  t.equal(second.receivedBytes, 0);
});

t.test('a peer may not renegotiate, for it could show another key', async (t) => {
  let renegotiated: Error | null | undefined;
  const server = await serveTls(t, { key: pinned.key, cert: pinned.cert, maxVersion: 'TLSv1.2' }, (connection) => {
    onRequest(connection, () => {
      connection.renegotiate({}, (error) => {
        renegotiated = error;
      });
      connection.write(versionReply);
    });
  });
  const client = clientOf(t, server.port);
  await client.version().catch(() => undefined);
  await client.version().catch(() => undefined);
  t.not(renegotiated, null, 'no second handshake was completed');
});

t.test('errors and the client itself hold no secret', async (t) => {
  const server = await serveTls(t, { key: other.key, cert: other.cert });
  const client = clientOf(t, server.port);
  const error = await client.version().catch((caught: unknown) => caught);
  const { inspect } = await import('node:util');
  for (const text of [inspect(error, { depth: 10 }), JSON.stringify(error), JSON.stringify(client)]) {
    t.notMatch(text, /swissnum-of-the-test|c3dpc3NudW0/);
  }
});

t.test('close ends a handshake that hangs', async (t) => {
  const silent = await startTcpServer(() => undefined);
  t.teardown(() => silent.close());
  const client = clientOf(t, silent.port, 60_000);
  const asked = client.version();
  while (silent.connectionCount === 0) await new Promise(setImmediate);
  await client.close();
  await t.rejects(asked, { code: 'ERR_CANCELLED' });
  await t.rejects(client.version(), { code: 'ERR_CANCELLED' });
  t.equal(client.connectionCount, 0);
});
