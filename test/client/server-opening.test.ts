/** From an announcement to a working server, over real TLS. */
import t from 'tap';
import { openStorageServer } from '#client/server-opening.js';
import { systemClock } from '#node/clock.js';
import { directDialler } from '#node/network/direct-dialler.js';
import { createTlsIdentity } from '#test/fixtures/certificates.js';
import { nurlOf, onRequest, startTlsServer } from '#test/fixtures/tls-server.js';
import type { CountingServer } from '#test/fixtures/tls-server.js';
import { versionReply } from '#test/fixtures/version-reply.js';
import type { StorageAnnouncement } from '#wire/announcement.js';
import { Nurl } from '#wire/nurl.js';

const right = await createTlsIdentity();
const wrong = await createTlsIdentity();

function announcementOf(...nurls: Nurl[]): StorageAnnouncement {
  const seeds = { permutationSeed: new Uint8Array(32), tubId: new Uint8Array(20) };
  return { serverId: 'v0-announced', nickname: 'Ann', ...seeds, nurls, certificates: [] };
}

t.test('of the addresses of a server the one that works is used', async (t) => {
  const start = async ({ key, cert }: { key: string; cert: string }): Promise<CountingServer> => {
    const server = await startTlsServer({ key, cert }, (connection) => {
      onRequest(connection, () => connection.write(versionReply));
    });
    t.teardown(() => server.close());
    return server;
  };
  const good = await start(right);
  const thief = await start(wrong);
  const onion = new Nurl({ tor: true, spkiHash: right.spkiHash, host: 'abc.onion', port: 1, swissnum: 'x' });
  const nurls = [
    onion,
    nurlOf(1, right.spkiHash),
    nurlOf(thief.port, right.spkiHash),
    nurlOf(good.port, right.spkiHash),
  ];
  const server = openStorageServer(announcementOf(...nurls), { clock: systemClock, dialler: directDialler });
  t.teardown(() => server?.close());
  t.equal(server?.shortName, 'announce');
  t.equal(server?.nickname, 'Ann');
  t.equal((await server?.version())?.applicationVersion, 'test/1');
  t.equal(thief.connectionCount, 1);
  t.equal(thief.receivedBytes, 0);
  await server?.close();

  const single = openStorageServer(announcementOf(nurlOf(good.port, right.spkiHash)), {
    clock: systemClock,
    dialler: directDialler,
  });
  t.equal((await single?.version())?.applicationVersion, 'test/1');
  await single?.close();

  const robbed = openStorageServer(announcementOf(...nurls.slice(0, 3)), {
    clock: systemClock,
    dialler: directDialler,
  });
  await t.rejects(async () => robbed?.version(), { code: 'ERR_PIN' });
  await robbed?.close();
  t.equal(openStorageServer(announcementOf(), { clock: systemClock, dialler: directDialler }), undefined);
  t.equal(
    openStorageServer(announcementOf(onion), { clock: systemClock, dialler: directDialler }),
    undefined,
    'there is no way over Tor',
  );
});
