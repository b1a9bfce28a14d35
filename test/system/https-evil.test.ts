/** A server that holds the right key and misbehaves: each time one named error, soon, and nothing left behind. */
import t from 'tap';
import type { HttpsStorageServer } from '#client/https-storage-server.js';
import { isTahoeError } from '#core/errors.js';
import { createTlsIdentity } from '#test/fixtures/certificates.js';
import { hastyLimits, misbehaviours, startEvilServer } from '#test/fixtures/evil-server.js';
import type { Question } from '#test/fixtures/evil-server.js';
import { openTestServer } from '#test/fixtures/https-client.js';
import { startTcpServer } from '#test/fixtures/tls-server.js';

/** What one misbehaviour may cost. Its deadlines are 400 ms and less; the rest is room for a busy machine. */
const TIME_MAX_MS = 5000;
const MEMORY_MAX = 64 << 20;

const identity = await createTlsIdentity();
const storageIndex = new Uint8Array(16).fill(7);
const secrets = { renewSecret: new Uint8Array(32), cancelSecret: new Uint8Array(32) };
const uploadSecret = new Uint8Array(20).fill(1);

const questions: Readonly<Record<Question, (server: HttpsStorageServer) => Promise<unknown>>> = {
  version: (server) => server.version(),
  list: (server) => server.listShares(storageIndex),
  read: (server) => server.read(storageIndex, 3, { begin: 0, end: 1000 }),
  allocate: (server) =>
    server.allocate(storageIndex, { shareNumbers: new Set([1, 2]), allocatedSize: 9, uploadSecret, ...secrets }),
  write: (server) => server.write(storageIndex, 3, uploadSecret, 0, [new Uint8Array(32 << 20)]),
  lease: (server) => server.addLease(storageIndex, secrets),
};

function memoryInUse(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

t.test('every misbehaviour is one named error', async (t) => {
  const third = await startTcpServer((connection) => connection.end());
  t.teardown(() => third.close());
  for (const [name, { question, expect, answer }] of Object.entries(misbehaviours)) {
    const server = await startEvilServer(identity, (connection) => {
      answer(connection, third.port);
    });
    const client = openTestServer(server.port, identity.spkiHash, hastyLimits);
    const startMs = performance.now();
    const memoryBefore = memoryInUse();
    const error = await questions[question](client).then(
      (reply) => reply,
      (caught: unknown) => caught,
    );
    const tookMs = performance.now() - startMs;
    t.ok(isTahoeError(error, expect), `${name}: ${String(error)}`);
    t.ok(isTahoeError(error) && error.message.includes(client.shortName), `${name}: the server is named`);
    t.ok(tookMs < TIME_MAX_MS, `${name}: after ${tookMs.toFixed(0)} ms`);
    t.ok(memoryInUse() - memoryBefore < MEMORY_MAX, `${name}: memory`);
    await client.close();
    t.equal(client.connectionCount, 0, `${name}: no connection is left`);
    await server.close();
  }
  t.equal(third.connectionCount, 0, 'no third host was contacted');
});
