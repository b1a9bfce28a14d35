/** The mutable half of the client's transport: against our server over TLS, in memory, and what it makes of odd answers. */
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { silentLog } from '#core/environment.js';
import { createStorageApp } from '#storage/app.js';
import { createMemoryStore } from '#storage/memory-store.js';
import { systemClock } from '#node/clock.js';
import { mutableClientSuite } from '#test/conformance/mutable-client.js';
import { createTlsIdentity } from '#test/fixtures/certificates.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { crypto } from '#test/fixtures/crypto.js';
import { openTestServer } from '#test/fixtures/https-client.js';
import { MemoryServer } from '#test/fixtures/memory-server.js';
import { vectors, writeEnabler } from '#test/fixtures/mutable-store.js';
import { startRecordingServer } from '#test/fixtures/recording-server.js';
import { leaseSecrets, storageIndex, storeOptions } from '#test/fixtures/share-store.js';
import { SWISSNUM } from '#test/fixtures/tls-server.js';
import { encodeReadTestWriteReply } from '#wire/storage-mutable.js';

const identity = await createTlsIdentity();
const request = { ...vectors({}, [{ offset: 0, size: 10 }]), ...leaseSecrets('first'), writeEnabler };
const cborType = { 'content-type': 'application/cbor' };

t.test('our server over TLS', async (t) => {
  const store = createMemoryStore(storeOptions(new ManualClock()));
  const routes = {
    store,
    crypto,
    swissnum: SWISSNUM,
    clock: systemClock,
    log: silentLog,
    applicationVersion: 'tallac/test',
  };
  const app = await createStorageApp(routes, { tls: { key: identity.key, cert: identity.cert } });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const client = openTestServer((app.server.address() as AddressInfo).port, identity.spkiHash);
  t.teardown(async () => {
    await client.close();
    await app.close();
    await store.close();
  });
  await mutableClientSuite(t, client);
});

t.test('a server in memory', async (t) => {
  await mutableClientSuite(t, new MemoryServer('memory'));
});

t.test('answers that are none', async (t) => {
  const reply = (data: Uint8Array): Uint8Array =>
    Buffer.concat(encodeReadTestWriteReply({ success: true, data: new Map([[0, [data]]]) }));
  let answer: { status: number; headers?: Record<string, string>; body?: Uint8Array } = { status: 200 };
  const server = await startRecordingServer(identity, () => answer);
  const client = openTestServer(server.port, identity.spkiHash);
  t.teardown(async () => {
    await client.close();
    await server.close();
  });
  const bad: readonly (readonly [string, typeof answer])[] = [
    ['another type', { status: 200, headers: {}, body: reply(new Uint8Array(1)) }],
    ['no CBOR', { status: 200, headers: cborType, body: Uint8Array.of(255) }],
    ['no reply', { status: 200, headers: cborType, body: Uint8Array.of(0xa0) }],
    ['far more than was asked for', { status: 200, headers: cborType, body: reply(new Uint8Array(1 << 20)) }],
    ['the secret is wrong', { status: 401, body: Buffer.from('no') }],
    ['no room', { status: 507, body: Buffer.from('no') }],
    ['done, and nothing to say', { status: 204 }],
  ];
  for (const [why, each] of bad) {
    answer = each;
    await t.rejects(client.readTestWrite(storageIndex, request), { code: 'ERR_SERVER_REPLY' }, why);
  }
  answer = { status: 200, headers: cborType, body: reply(new Uint8Array(10)) };
  t.strictSame((await client.readTestWrite(storageIndex, request)).data, new Map([[0, [new Uint8Array(10)]]]));
});
