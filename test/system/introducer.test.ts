/** The introducer over real TLS: published, read, followed, refused; restarts of either end; floods. */
import { request as httpsRequest } from 'node:https';
import t from 'tap';
import type { Test } from 'tap';
import { silentLog } from '#core/environment.js';
import { HttpsIntroducer } from '#client/introducer-https.js';
import { IntroducerLink } from '#client/introducer-link.js';
import type { ToldServer } from '#client/known-servers.js';
import { SUBSCRIBERS_MAX } from '#introducer/introducer.js';
import { systemClock } from '#node/clock.js';
import { directDialler } from '#node/network/direct-dialler.js';
import type { AnnouncementMemory } from '#wire/announcement-memory.js';
import { ANNOUNCEMENT_EVENTS_PATH, ANNOUNCEMENTS_PATH } from '#wire/introducer.js';
import type { Nurl } from '#wire/nurl.js';
import { dangerouslyFormatAnnouncement } from '#wire/signed-announcement.js';
import type { SignedAnnouncement } from '#wire/signed-announcement.js';
import { dangerouslyFormatAuthorization } from '#wire/storage.js';
import { announce } from '#test/fixtures/announcements.js';
import { createTlsIdentity } from '#test/fixtures/certificates.js';
import { crypto, seededRandom } from '#test/fixtures/crypto.js';
import { memoryOf, startIntroducerServer } from '#test/fixtures/introducer-server.js';
import type { IntroducerServer } from '#test/fixtures/introducer-server.js';
import { nurlOf, SWISSNUM } from '#test/fixtures/tls-server.js';

const identity = await createTlsIdentity();

async function start(t: Test, memory = memoryOf(), port = 0): Promise<IntroducerServer> {
  const server = await startIntroducerServer(identity, memory, port);
  t.teardown(() => server.close());
  return server;
}

interface Ask {
  readonly method?: string;
  readonly path?: string;
  readonly body?: string;
  readonly authorization?: string | undefined;
}

function ask(nurl: Nurl, given: Ask): Promise<{ status: number; text: string }> {
  const { method = 'GET', path = ANNOUNCEMENTS_PATH, body } = given;
  const authorization = 'authorization' in given ? given.authorization : dangerouslyFormatAuthorization(SWISSNUM);
  const headers = authorization === undefined ? {} : { authorization };
  return new Promise((resolve, reject) => {
    const { host, port } = nurl;
    const request = httpsRequest({ host, port, path, method, headers, rejectUnauthorized: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    request.on('error', reject).end(body);
  });
}

interface Follower {
  readonly link: IntroducerLink;
  readonly told: readonly ToldServer[][];
  /** Waits until the servers told last are so many. */
  until(count: number): Promise<void>;
}

function follow(t: Test, nurl: Nurl, memory?: AnnouncementMemory, announcement?: SignedAnnouncement): Follower {
  const told: ToldServer[][] = [];
  let look = (): void => undefined;
  const given = { name: 'introducer', clock: systemClock, random: seededRandom('link'), log: silentLog, crypto };
  const link = new IntroducerLink({
    ...given,
    dialect: 'https',
    session: new HttpsIntroducer({ ...given, nurl, dialler: directDialler, applicationVersion: 'tallac/test' }),
    memory,
    announcement,
    told: (servers) => {
      told.push([...servers]);
      look();
    },
  });
  link.start();
  t.teardown(() => link.close());
  const until = async (count: number): Promise<void> => {
    await new Promise<void>((resolve) => {
      look = () => {
        if (told.at(-1)?.length === count) resolve();
      };
      look();
    });
  };
  return { link, told, until };
}

t.test('what is published can be read, by who knows the swissnum alone', async (t) => {
  const { nurl, introducer } = await start(t);
  const body = dangerouslyFormatAnnouncement(announce(1, 1));
  const post = (text: string): Promise<unknown> => ask(nurl, { method: 'POST', body: text });
  t.match(await post(body), { status: 201, text: '{"outcome":"new"}' });
  t.match(await post(body), { status: 200, text: '{"outcome":"duplicate"}' });
  t.match(await post(dangerouslyFormatAnnouncement(announce(1, 2))), { status: 200, text: '{"outcome":"updated"}' });
  t.match(await post(body), { status: 409, text: '{"outcome":"stale"}' }, 'a replay');
  t.match(await post(body.replace('server 1', 'server 7')), { status: 400, text: /signature is not that of its key/ });
  t.match(await post(''), { status: 400, text: /refused/ });
  t.match(await post('x'.repeat(200_000)), { status: 413 });
  const { text } = await ask(nurl, {});
  t.match(JSON.parse(text), { announcements: [{ key: announce(1, 2).key }] });
  t.match(JSON.parse((await ask(nurl, { path: `${ANNOUNCEMENTS_PATH}?service=else` })).text), { announcements: [] });
  for (const authorization of [undefined, '', 'Tahoe-LAFS bm8=', 'nonsense']) {
    for (const path of [ANNOUNCEMENTS_PATH, ANNOUNCEMENT_EVENTS_PATH, '/else']) {
      t.match(await ask(nurl, { path, authorization }), { status: 401, text: 'Wrong Authorization header' });
    }
    t.match(await ask(nurl, { method: 'POST', body: dangerouslyFormatAnnouncement(announce(3, 1)), authorization }), {
      status: 401,
    });
  }
  t.equal(introducer.announcements().length, 1);
  t.match(await ask(nurl, { path: '/else' }), { status: 404 });
});

t.test('subscribers hear what is there, and what comes; publishers hear themselves', async (t) => {
  const memory = memoryOf();
  await memory.offer(announce(1, 1));
  await memory.offer(announce(2, 1, { 'service-name': 'else' }));
  const { nurl, introducer } = await start(t, memory);
  const one = follow(t, nurl, memoryOf());
  await one.until(1);
  t.equal(one.link.status.connectionStatus, 'connected');
  t.equal(one.link.isTold, true);
  const two = follow(t, nurl, memoryOf(), announce(3, 1));
  await Promise.all([one.until(2), two.until(2)]);
  t.same(
    introducer.subscribers().map(({ dialect, serviceName, version }) => [dialect, serviceName, version]),
    [
      ['https', 'storage', 'tallac/test'],
      ['https', 'storage', 'tallac/test'],
    ],
  );
  await introducer.publish(announce(1, 2, { nickname: 'renamed' }), 'https');
  while (one.told.at(-1)?.[0]?.announcement.nickname !== 'renamed')
    await one.until(2).then(() => new Promise((r) => setImmediate(r)));
  t.equal(one.told.at(-1)?.[0]?.sequenceNumber, 2);
  await two.link.close();
  while (introducer.subscribers().length > 1) await new Promise((resolve) => setImmediate(resolve));
  t.equal(introducer.announcements('storage').length, 2, 'who goes stays announced');
});

t.test(
  'what a client heard it knows after a restart, without the introducer, and an older one is refused',
  async (t) => {
    const [ofIntroducer, ofClient]: SignedAnnouncement[][] = [[], []];
    const first = await start(t, memoryOf(ofIntroducer));
    const before = follow(t, first.nurl, memoryOf(ofClient), announce(1, 9));
    await before.until(1);
    await before.link.close();
    await first.close();
    const alone = follow(t, first.nurl, memoryOf(ofClient));
    await alone.until(1);
    while (alone.link.status.connectionStatus === 'connecting') await new Promise((resolve) => setImmediate(resolve));
    t.match(alone.link.status, { connected: false, connectionStatus: 'nothing listens at its address' });
    t.equal(alone.link.isTold, true, 'nobody waits for it');
    await alone.link.close();
    // An introducer that forgot everything, or lies: the client knows better.
    const lying = await start(t, memoryOf(), first.port);
    await lying.introducer.publish(announce(1, 5, { nickname: 'replayed' }), 'https');
    const again = follow(t, lying.nurl, memoryOf(ofClient));
    while (!again.link.status.connected) await new Promise((resolve) => setImmediate(resolve));
    t.same(
      again.told.at(-1)?.map(({ announcement }) => announcement.nickname),
      ['server 1'],
    );
    await lying.close();
    const restarted = await start(t, memoryOf(ofIntroducer), first.port);
    t.equal(await restarted.introducer.publish(announce(1, 5), 'https'), 'stale');
  },
);

t.test('an introducer that comes back is found again, and has what it had', async (t) => {
  const kept: SignedAnnouncement[] = [];
  const first = await start(t, memoryOf(kept));
  const client = follow(t, first.nurl, memoryOf(), announce(1, 1));
  await client.until(1);
  await first.close();
  const second = await start(t, memoryOf(kept), first.port);
  await second.introducer.publish(announce(2, 1), 'https');
  await client.until(2);
  t.equal(client.link.status.connected, true);
});

t.test('another key at its address hears nothing', async (t) => {
  const server = await startIntroducerServer(await createTlsIdentity(), memoryOf());
  t.teardown(() => server.close());
  const wrong = nurlOf(server.port, identity.spkiHash);
  const client = follow(t, wrong, memoryOf(), announce(1, 1));
  while (client.link.status.connectionStatus === 'connecting') await new Promise((resolve) => setImmediate(resolve));
  t.match(client.link.status.connectionStatus, /does not hold the key its address names; nothing was sent/);
  t.equal(server.introducer.announcements().length, 0);
});

t.test('a bad address costs its announcement only, and a flood does not grow', async (t) => {
  const { nurl, introducer } = await start(t, memoryOf([], { count: 300 }));
  const bad = announce(900, 1, { 'anonymous-storage-FURL': 'pb://nonsense' });
  await introducer.publish(bad, 'https');
  for (let i = 0; i < 50; i++) await introducer.publish(announce(i, 1), 'https');
  const client = follow(t, nurl, memoryOf([], { count: 100 }));
  await client.until(50);
  const outcomes = new Map<string, number>();
  for (let i = 50; i < 600; i++) {
    const outcome = await introducer.publish(announce(i, 1), 'https');
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  t.same([outcomes.get('new'), outcomes.get('full')], [249, 301]);
  await client.until(99);
  t.equal(client.link.status.announcementCount, 100, 'its own limit');
  t.equal(
    await introducer.publish(announce(1, 2), 'https'),
    'updated',
    'those that are known can still say something new',
  );
});

t.test('places for subscribers are counted', async (t) => {
  const { introducer } = await start(t);
  const subscription = {
    serviceName: undefined,
    dialect: 'foolscap',
    nickname: '',
    version: '',
    address: '',
    tell: () => undefined,
  } as const;
  const ends = Array.from({ length: SUBSCRIBERS_MAX }, () => introducer.subscribe(subscription));
  t.throws(() => introducer.subscribe(subscription), { code: 'ERR_BUSY' });
  ends[0]?.();
  t.doesNotThrow(() => introducer.subscribe(subscription));
});
