/**
 * An introducer as a node: its announcements on the disk, its ports with the certificate and swissnum that its NURL
 * names, its status page.
 *
 *     private/introducer.furl   for those who speak Foolscap, and the reference
 *     private/introducer.nurl   for those who speak HTTPS: a line for each place it is reached at
 *     private/announcements     what was announced, signed (announcement-log.ts)
 */
import fastify from 'fastify';
import type { FastifyInstance } from 'fastify';
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log, Random } from '#core/environment.js';
import { Introducer } from '#introducer/introducer.js';
import { introducerRoutes } from '#introducer/routes.js';
import { storageServerLimits } from '#storage/app.js';
import { ConnectionTable } from '#storage/connection-table.js';
import { TwoVersionServer } from '#storage/secure-server.js';
import { AnnouncementMemory } from '#wire/announcement-memory.js';
import { AnnouncementTable } from '#wire/announcement-table.js';
import { appOptions } from '#wire/http-app.js';
import { AnnouncementLog } from './announcement-log.js';
import type { NodeCertificate } from './certificate.js';
import type { Closers } from './closers.js';
import type { Foolscap } from './foolscap/foolscap.js';
import { gatewayUrl } from './config/endpoint-text.js';
import { listNurls } from './furl.js';
import { monitorRoutes } from './health/routes.js';
import type { Monitor } from './health/routes.js';
import { listenHttp } from './http-listener.js';
import type { IntroducerSettings } from './introducer-settings.js';
import { introducerPage } from './introducer-page.js';
import type { NodeDirectory } from './node-directory.js';
import { loadServiceAddress } from './node-secrets.js';
import type { TubLocation } from './tub-location.js';
import { applicationVersion } from './version.js';

/** What an introducer is made of. */
export interface IntroducerServiceOptions {
  readonly directory: NodeDirectory;
  readonly settings: IntroducerSettings;
  readonly location: TubLocation;
  readonly certificate: NodeCertificate;
  readonly crypto: CryptoProvider;
  readonly random: Random;
  readonly clock: Clock;
  readonly log: Log;
  readonly closers: Closers;
  /** Undefined where it is turned off. */
  readonly foolscap?: Foolscap | undefined;
  readonly monitor?: Monitor | undefined;
}

/** Starts it. What it opens is added to `closers`. @returns the address of its page, where it has one. */
export async function startIntroducerService(options: IntroducerServiceOptions): Promise<string | undefined> {
  const { certificate, clock, crypto, directory, location, log, random } = options;
  const introducer = await openIntroducer(options);
  const hints = location.hints.map((hint) => hint.text);
  const address = await loadServiceAddress(directory, 'introducer.furl', certificate.tubId, hints, random);
  const nurls = listNurls(certificate.spkiHash, location.hints, address.swissnum);
  await directory.writePrivate('introducer.nurl', nurls.map((nurl) => `${nurl.dangerouslyFormat()}\n`).join(''));
  const { connectionsMax } = options.settings;
  options.foolscap?.serveIntroducer({ introducer, applicationVersion, log }, address);
  for (const endpoint of location.endpoints) {
    const app = createIntroducerApp(options, new ConnectionTable({ connections: connectionsMax }));
    introducerRoutes(app, { introducer, crypto, swissnum: address.swissnum, clock, log });
    const listener = await listenHttp(app, endpoint, { option: '[node]tub.port', connectionsMax, clock });
    options.closers.add('the introducer', async () => {
      // A port waits for its connections, and those of Foolscap do not end by themselves.
      await Promise.all([options.foolscap?.close(), listener.close()]);
    });
    log.info('introducer listens', { port: listener.port });
  }
  return startPage(options, introducer);
}

async function openIntroducer({
  closers,
  clock,
  crypto,
  directory,
  log,
  monitor,
}: IntroducerServiceOptions): Promise<Introducer> {
  const table = new AnnouncementTable();
  const path = directory.privateFile('announcements');
  const record = await AnnouncementLog.open(path, () => table.entries().map(({ signed }) => signed));
  closers.add('the announcements', () => record.close());
  const memory = new AnnouncementMemory({ crypto, table, record });
  if (memory.damagedCount > 0) log.warn('announcements that were kept are damaged', { count: memory.damagedCount });
  const introducer = new Introducer(memory, clock);
  const { metrics } = monitor ?? {};
  metrics?.addGauge('tallac_announcements', 'Announcements that are known.', () => introducer.announcements().length);
  const count = (dialect: 'https' | 'foolscap') => (): number =>
    introducer.subscribers().filter((one) => one.dialect === dialect).length;
  metrics?.addGauge('tallac_introducer_subscribers_https', 'Subscribers over https.', count('https'));
  metrics?.addGauge('tallac_introducer_subscribers_foolscap', 'Subscribers over foolscap.', count('foolscap'));
  return introducer;
}

function createIntroducerApp(
  { certificate, clock, foolscap }: IntroducerServiceOptions,
  connections: ConnectionTable,
): FastifyInstance {
  const sort = foolscap?.sorterFor(connections);
  const tls = { key: certificate.pem, cert: certificate.pem, sort };
  return fastify({
    ...appOptions,
    serverFactory: (listener) => new TwoVersionServer({ ...tls, ...storageServerLimits }, clock, listener),
    requestTimeout: 30_000,
  });
}

async function startPage(options: IntroducerServiceOptions, introducer: Introducer): Promise<string | undefined> {
  const { clock, closers, directory, monitor, settings } = options;
  if (settings.web === undefined) return undefined;
  const app = fastify({ ...appOptions });
  if (monitor !== undefined) monitorRoutes(app, monitor);
  introducerPage(app, introducer, { nickname: settings.nickname, version: applicationVersion });
  const { connectionsMax } = settings;
  const listener = await listenHttp(app, settings.web, { option: '[node]web.port', connectionsMax, clock });
  closers.add('the status page', () => listener.close());
  const url = gatewayUrl(listener.host, listener.port);
  await directory.write('node.url', `${url}\n`);
  return url;
}
