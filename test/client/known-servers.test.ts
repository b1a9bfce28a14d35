/** The servers of several sources, put together: who goes before whom, who stays open, who is left out. */
import t from 'tap';
import { KNOWN_SERVERS_MAX, KnownServers } from '#client/known-servers.js';
import type { ToldServer } from '#client/known-servers.js';
import type { KnownServer } from '#client/grid.js';
import { UploadPermission } from '#client/upload-permission.js';
import { parseAnnouncement } from '#wire/announcement.js';
import { serverIdOf, storageFields } from '#test/fixtures/announcements.js';
import { ManualClock } from '#test/fixtures/clock.js';
import { crypto } from '#test/fixtures/crypto.js';
import { MemoryServer } from '#test/fixtures/memory-server.js';

const yaml = { name: 'servers.yaml', rank: 0 };
const list = { name: 'list', rank: 1 };
const introducer = { name: 'introducer', rank: 2 };

function told(serverId: string, sequenceNumber: number, changes: Record<string, unknown> = {}): ToldServer {
  const fields = new Map(Object.entries({ ...storageFields(1, sequenceNumber), ...changes }));
  return { announcement: parseAnnouncement(serverId, fields, crypto, () => undefined), sequenceNumber };
}

function createScene(): { known: KnownServers; now: () => readonly KnownServer[]; opened: () => number } {
  let now: readonly KnownServer[] = [];
  let opened = 0;
  const known = new KnownServers({
    open: ({ serverId }) => {
      opened += 1;
      return new MemoryServer(serverId);
    },
    permission: new UploadPermission(undefined, crypto, new ManualClock()),
    changed: (servers) => (now = servers),
  });
  return { known, now: () => now, opened: () => opened };
}

t.test('whoever floods crowds nobody out who was named by somebody better', (t) => {
  const { known, now } = createScene();
  const { announcement } = told('v0-x', 1);
  const flood = Array.from({ length: KNOWN_SERVERS_MAX }, (_, i): ToldServer => {
    return { announcement: { ...announcement, serverId: `v0-flood${String(i)}` }, sequenceNumber: 1 };
  });
  known.tell(introducer, flood);
  t.equal(now().length, KNOWN_SERVERS_MAX);
  known.tell(list, [told('v0-listed', 1)]);
  known.tell(yaml, [told('v0-own', 1)]);
  t.equal(now().length, KNOWN_SERVERS_MAX);
  t.same(
    now()
      .slice(0, 3)
      .map(({ identity, origin }) => [identity.serverId, origin]),
    [
      ['v0-own', 'servers.yaml'],
      ['v0-listed', 'list'],
      ['v0-flood0', 'introducer'],
    ],
  );
  t.end();
});

t.test('a new announcement with the same addresses keeps the server open, and is another', (t) => {
  const { known, now, opened } = createScene();
  const first = told(serverIdOf(1), 1);
  known.tell(introducer, [first]);
  const [before] = now();
  known.tell(introducer, [first]);
  t.equal(now()[0]?.identity, before?.identity, 'nothing is new');
  known.tell(introducer, [told(serverIdOf(1), 2)]);
  t.equal(now()[0]?.server, before?.server);
  t.not(now()[0]?.identity, before?.identity, 'by which the grid knows that it was announced anew');
  t.equal(opened(), 1);
  t.equal(now()[0]?.dialCount, 1);
  const spki = Buffer.alloc(32).toString('base64url');
  const nurls = [1, 2, 3].map((i) => `pb://${spki}@127.0.0.1:${String(i)}/swissnum#v=1`);
  known.tell(introducer, [told(serverIdOf(1), 3, { 'anonymous-storage-NURLs': nurls })]);
  t.equal(opened(), 2, 'with others it is opened anew');
  t.equal(now()[0]?.dialCount, 3, 'each address is dialled');
  t.end();
});
