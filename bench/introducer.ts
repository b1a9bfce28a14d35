/**
 * How long do 1 000 announcements take to 50 subscribers, what do they hold of memory, and how long does a grid take to be
 * whole again when its introducer was started anew?
 *
 *     node dist/bench/introducer.js [--announcements N] [--subscribers N] [--servers N]
 *
 * One process over real TLS on 127.0.0.1; every subscriber verifies every signature. Prints one JSON line a question.
 */
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { silentLog } from '#core/environment.js';
import { systemRandom } from '#core/native-crypto.js';
import { HttpsIntroducer } from '#client/introducer-https.js';
import { IntroducerLink } from '#client/introducer-link.js';
import { systemClock } from '#node/clock.js';
import { directDialler } from '#node/network/direct-dialler.js';
import type { AnnouncementMemory } from '#wire/announcement-memory.js';
import type { SignedAnnouncement } from '#wire/signed-announcement.js';
import { announce } from '#test/fixtures/announcements.js';
import { createTlsIdentity } from '#test/fixtures/certificates.js';
import { crypto } from '#test/fixtures/crypto.js';
import { memoryOf, startIntroducerServer } from '#test/fixtures/introducer-server.js';
import type { IntroducerServer } from '#test/fixtures/introducer-server.js';
import { printResult } from './report.js';

const { values } = parseArgs({
  options: {
    announcements: { type: 'string', default: '1000' },
    subscribers: { type: 'string', default: '50' },
    servers: { type: 'string', default: '50' },
  },
});
const [announcements, subscribers, servers] = [values.announcements, values.subscribers, values.servers].map(Number);
const identity = await createTlsIdentity();

function openLink(
  { nurl }: IntroducerServer,
  memory: AnnouncementMemory,
  announcement: SignedAnnouncement | undefined,
  told: (count: number) => void,
): IntroducerLink {
  const given = { name: 'introducer', clock: systemClock, random: systemRandom, log: silentLog, crypto };
  const session = new HttpsIntroducer({ ...given, nurl, dialler: directDialler, applicationVersion: 'tallac/bench' });
  const link = new IntroducerLink({
    ...{ ...given, dialect: 'https', session, memory, announcement },
    told: (known) => told(known.length),
  });
  link.start();
  return link;
}

/** Opens links, one for each announcement, and waits until each has heard of `count` servers. */
function openAll(
  server: IntroducerServer,
  own: readonly (SignedAnnouncement | undefined)[],
  count: number,
): { readonly links: readonly IntroducerLink[]; readonly whole: Promise<void> } {
  let waiting = own.length;
  let done: () => void = () => undefined;
  const whole = new Promise<void>((resolve) => (done = resolve));
  const links = own.map((announcement) => {
    let isWhole = false;
    return openLink(server, memoryOf(), announcement, (known) => {
      if (isWhole || known < count) return;
      isWhole = true;
      waiting -= 1;
      if (waiting === 0) done();
    });
  });
  return { links, whole };
}

async function spread(count = 0, readers = 0): Promise<void> {
  const server = await startIntroducerServer(identity, memoryOf());
  const signed = Array.from({ length: count }, (_, i) => announce(i, 1));
  const before = process.memoryUsage.rss();
  const start = performance.now();
  const { links, whole } = openAll(server, Array<undefined>(readers).fill(undefined), count);
  for (const announcement of signed) await server.introducer.publish(announcement, 'https');
  await whole;
  const seconds = (performance.now() - start) / 1000;
  const mebibytes = (process.memoryUsage.rss() - before) / (1 << 20);
  printResult({ question: 'introducer-spread', announcements: count, subscribers: readers, seconds, mebibytes });
  await Promise.all(links.map((link) => link.close()));
  await server.close();
}

async function reconnect(count = 0): Promise<void> {
  const kept: SignedAnnouncement[] = [];
  const first = await startIntroducerServer(identity, memoryOf(kept));
  const { links, whole } = openAll(
    first,
    Array.from({ length: count }, (_, i) => announce(i, 1)),
    count,
  );
  await whole;
  await first.close();
  const start = performance.now();
  const second = await startIntroducerServer(identity, memoryOf(kept), first.port);
  while (!links.every(({ status }) => status.connected) || second.introducer.subscribers().length < count) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  printResult({ question: 'introducer-reconnect', servers: count, seconds: (performance.now() - start) / 1000 });
  await Promise.all(links.map((link) => link.close()));
  await second.close();
}

await spread(announcements, subscribers);
await reconnect(servers);
process.exit(0);
