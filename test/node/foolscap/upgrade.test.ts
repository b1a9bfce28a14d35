/** A server that is known by its furl and speaks HTTPS too is used over HTTPS, between two uploads and while that works. */
import { createHash, X509Certificate } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import type { Test } from 'tap';
import { silentLog } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { StorageServerDecorator } from '#client/storage-server-decorator.js';
import type { Call, OperationName } from '#client/storage-server-decorator.js';
import type { CallOptions, StorageServer } from '#client/storage-server.js';
import { FoolscapStorageServer } from '#client/foolscap/foolscap-storage-server.js';
import { UpgradingServer } from '#client/foolscap/upgrading-server.js';
import { systemClock } from '#node/clock.js';
import { Foolscap } from '#node/foolscap/foolscap.js';
import { searchNurl } from '#node/foolscap/https-search.js';
import { directDialler } from '#node/network/direct-dialler.js';
import { createStorageApp } from '#storage/app.js';
import { ConnectionTable } from '#storage/connection-table.js';
import { createMemoryStore } from '#storage/memory-store.js';
import { parseFurl } from '#wire/foolscap/furl.js';
import { createTlsIdentity } from '#test/fixtures/certificates.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { crypto, seededBytes, seededRandom } from '#test/fixtures/crypto.js';
import { objectOf } from '#test/fixtures/foolscap/banana-talk.js';
import { startTub } from '#test/fixtures/foolscap/tub-pair.js';
import { leaseSecrets, storageIndex, storeOptions, uploadSecret } from '#test/fixtures/share-store.js';

const swissnum = 'swissnum';
const content = seededBytes('content', 1000);

async function foolscapOf(t: Test): Promise<{ foolscap: Foolscap; pem: string; spkiHash: string }> {
  const identity = await createTlsIdentity();
  const pem = `${identity.cert}\n${identity.key}`;
  const tubId = createHash('sha1').update(new X509Certificate(identity.cert).raw).digest();
  const random = seededRandom(identity.spkiHash);
  const foolscap = new Foolscap({
    identity: { pem, tubId },
    clock: systemClock,
    random,
    log: silentLog,
    dialler: directDialler,
  });
  t.teardown(() => foolscap.close());
  return { foolscap, pem, spkiHash: identity.spkiHash };
}

/** A server on one port, and a client that knows its furl. */
async function startPair(t: Test) {
  const { foolscap, pem, spkiHash } = await foolscapOf(t);
  const store = createMemoryStore(storeOptions(new ManualClock()));
  const applicationVersion = 'tallac/test';
  let requestCount = 0;
  const app = await createStorageApp(
    { store, crypto, swissnum, clock: systemClock, log: silentLog, applicationVersion },
    {
      tls: { key: pem, cert: pem },
      sort: foolscap.sorterFor(new ConnectionTable()),
      answered: () => (requestCount += 1),
    },
  );
  await app.listen({ port: 0, host: '127.0.0.1' });
  t.teardown(() => app.close());
  const { port } = app.server.address() as AddressInfo;
  const furl = parseFurl(`pb://${foolscap.tub.tubId}@tcp:127.0.0.1:${String(port)}/${swissnum}`);
  const address = { furl: furl.dangerouslyFormat(), swissnum };
  foolscap.serveStorage({ store, random: seededRandom('uploads'), applicationVersion }, address);
  const identity = { serverId: 'v0-server', nickname: '', permutationSeed: content, tubId: new Uint8Array(20) };
  const announcement = { ...identity, nurls: [], certificates: [], furl };
  const client = (await foolscapOf(t)).foolscap;
  const open = (mayUpgrade: boolean): StorageServer => {
    const server = client.openServer(announcement, mayUpgrade);
    if (server === undefined) throw new Error('no server');
    t.teardown(() => server.close());
    return server;
  };
  return { open, furl, spkiHash, foolscap, requests: () => requestCount };
}

async function upgraded(server: StorageServer): Promise<void> {
  while (!(server instanceof UpgradingServer) || !server.isUpgraded) {
    await server.version();
    await settle(1);
  }
}

t.test('over Foolscap at first, then over HTTPS', async (t) => {
  const { open, requests } = await startPair(t);
  const server = open(true);
  t.match(await server.version(), { dialect: 'foolscap', serverTimeMs: undefined });
  t.equal(requests(), 0);
  const request = { ...leaseSecrets('first'), shareNumbers: new Set([0]), allocatedSize: content.length, uploadSecret };
  t.strictSame((await server.allocate(storageIndex, request)).allocated, new Set([0]));
  while (requests() === 0) await settle(1);
  await settle();
  await server.version();
  t.equal(server instanceof UpgradingServer && server.isUpgraded, false, 'not in the middle of an upload');
  t.strictSame(await server.write(storageIndex, 0, uploadSecret, 0, [content]), { complete: true });
  await upgraded(server);
  const before = requests();
  t.strictSame(await server.read(storageIndex, 0, { begin: 0, end: 2000 }), content);
  t.equal(requests(), before + 1);
  const { dialect, serverTimeMs = 0 } = await server.version();
  t.equal(dialect, 'https');
  t.ok(Math.abs(serverTimeMs - Date.now()) < 600_000, 'the clock of the same machine');
});

t.test('not where Foolscap is forced', async (t) => {
  const { open, requests } = await startPair(t);
  const server = open(false);
  await server.version();
  await settle();
  await server.version();
  t.equal(requests(), 0);
});

t.test('the address that is found pins the key of the right certificate', async (t) => {
  const { furl, spkiHash } = await startPair(t);
  const nurl = await searchNurl(furl, systemClock, directDialler);
  t.equal(nurl?.spkiHash, spkiHash);
  t.equal(nurl?.dangerousSwissnum(), swissnum);
  const other = parseFurl(furl.dangerouslyFormat().replace(furl.tubId, 'a'.repeat(32)));
  t.equal(await searchNurl(other, systemClock, directDialler), undefined, 'of another tub');
  const nowhere = parseFurl(`pb://${furl.tubId}@tcp:127.0.0.1:1/x`);
  t.equal(await searchNurl(nowhere, systemClock, directDialler), undefined);
});

t.test('a port that speaks Foolscap alone is given up in time', async (t) => {
  const clock = new ManualClock();
  const { serve, sockets } = await startTub(t);
  const searching = searchNurl(parseFurl(serve('name', objectOf({}))), clock, directDialler);
  while (sockets.length === 0) await settle(1);
  await settle();
  clock.advance(5_000);
  t.equal(await searching, undefined);
  t.equal(clock.pending, 0);
});

/** What is there until it is gone. */
class Going extends StorageServerDecorator {
  readonly #inner: StorageServer;
  isGone = false;

  constructor(inner: StorageServer) {
    super(inner);
    this.#inner = inner;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  protected async around<Reply>(_operation: OperationName, call: Call<Reply>, options: CallOptions): Promise<Reply> {
    if (this.isGone) throw new TahoeError('ERR_CONNECT', { server: 'x', reason: 'gone' });
    return call(this.#inner, options);
  }
}

t.test('back to Foolscap when HTTPS is gone', async (t) => {
  const { open } = await startPair(t);
  const foolscap = open(false);
  if (!(foolscap instanceof FoolscapStorageServer)) throw new Error('not over Foolscap');
  const https = new Going(open(false));
  const search = () => Promise.resolve(https);
  const server = new UpgradingServer({ identity: foolscap, foolscap, search, clock: systemClock });
  await upgraded(server);
  https.isGone = true;
  await t.rejects(server.version(), { code: 'ERR_CONNECT' });
  t.notOk(server.isUpgraded);
  t.equal((await server.version()).applicationVersion, 'tallac/test');
});
