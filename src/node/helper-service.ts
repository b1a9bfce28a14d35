/**
 * Both ends of a helper in a node: the one that uploads for others, in helper/, and the links to those that upload for this node.
 * Loaded only where there is one.
 *
 *     private/helper.furl   for clients that speak Foolscap, and the reference's
 *     private/helper.nurl   for those that speak HTTPS: a line for each place it is reached at
 */
import type { Dialler } from '#client/dialler.js';
import { FoolscapHelper } from '#client/helper/foolscap-helper.js';
import type { HelperConnection } from '#client/helper/helper-connection.js';
import { HelperLink, HelperLinks } from '#client/helper/helper-link.js';
import type { UploadAssistant } from '#client/helper/helper-link.js';
import { HelperObject } from '#client/helper/helper-object.js';
import { HttpsHelper } from '#client/helper/https-helper.js';
import { UploadHelper } from '#client/helper/upload-helper.js';
import type { SendContext } from '#client/upload/send-file.js';
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log, Random } from '#core/environment.js';
import { reasonOf } from '#core/errors.js';
import { createServiceApp } from '#storage/app.js';
import { ConnectionTable } from '#storage/connection-table.js';
import { parseFurl } from '#wire/foolscap/furl.js';
import type { NodeCertificate } from './certificate.js';
import type { Closers } from './closers.js';
import { collectorOfDiscarded } from './collector.js';
import type { Foolscap } from './foolscap/foolscap.js';
import { listNurls } from './furl.js';
import { HelperDoor } from './helper/helper-door.js';
import { HelperFiles } from './helper/helper-files.js';
import type { HelperSettings } from './helper-settings.js';
import { listenHttp } from './http-listener.js';
import type { NodeDirectory } from './node-directory.js';
import { loadServiceAddress } from './node-secrets.js';
import type { StorageAddress } from './node-secrets.js';
import type { StorageSettings } from './settings.js';
import type { TubLocation } from './tub-location.js';
import { applicationVersion } from './version.js';

/** How often files that nobody comes back for are looked for. */
const STALE_CHECK_MS = 3_600_000;

/** Where a helper is reached. */
export interface HelperPlace {
  readonly location: TubLocation;
  readonly certificate: NodeCertificate;
  readonly address: StorageAddress;
  /** What leads to it over HTTPS; undefined where its port speaks Foolscap alone. */
  readonly door: HelperDoor | undefined;
  /** Whether nothing else of this node listens there. */
  readonly needsPort: boolean;
}

/** What a place is found from. */
export interface HelperPlaceOptions {
  readonly directory: NodeDirectory;
  readonly location: TubLocation;
  readonly certificate: NodeCertificate;
  /** Of the storage server on the same port, where there is one. */
  readonly storage: Pick<StorageSettings, 'forceFoolscap'> | undefined;
  readonly crypto: CryptoProvider;
  readonly random: Random;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a helper is started with. */
export interface HelperServiceOptions {
  readonly directory: NodeDirectory;
  readonly place: HelperPlace;
  readonly context: SendContext;
  /** What files may take together, in bytes. */
  readonly sizeMax: number;
  readonly connectionsMax: number;
  /** Undefined where it is turned off. */
  readonly foolscap?: Foolscap | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly closers: Closers;
  ready(signal: AbortSignal): Promise<void>;
}

/** What links to helpers are made with. */
export interface HelperLinkServices {
  readonly foolscap?: Foolscap | undefined;
  readonly dialler: Dialler;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly closers: Closers;
}

/** Finds it before any port is opened: the routes of a port cannot be added to later. @throws ERR_FILE, ERR_NO_SPACE. */
export async function placeHelper(options: HelperPlaceOptions): Promise<HelperPlace> {
  const { certificate, directory, location, random, storage } = options;
  const hints = location.hints.map((hint) => hint.text);
  const address = await loadServiceAddress(directory, 'helper.furl', certificate.tubId, hints, random);
  const { swissnum } = address;
  const isSecure = storage?.forceFoolscap !== true;
  const nurls = isSecure ? listNurls(certificate.spkiHash, location.hints, swissnum) : [];
  await directory.writePrivate('helper.nurl', nurls.map((nurl) => `${nurl.dangerouslyFormat()}\n`).join(''));
  const door = isSecure ? new HelperDoor({ ...options, swissnum, discarded: collectorOfDiscarded() }) : undefined;
  return { location, certificate, address, door, needsPort: storage === undefined };
}

/** Starts to upload for others. What it opens is added to `closers`. @throws ERR_FILE, ERR_NO_SPACE, ERR_LISTEN, ERR_PORT_IN_USE. */
export async function startHelper(options: HelperServiceOptions): Promise<UploadHelper> {
  const { clock, closers, context, directory, foolscap, log, place } = options;
  const { address, door, needsPort } = place;
  if (needsPort && door !== undefined) await listen(options, door);
  const files = await HelperFiles.open(directory.file('helper'), clock);
  const helper = new UploadHelper({ ...context, ...options, files });
  // Before its port: that waits for what is under way.
  closers.add('the helper', () => {
    helper.close();
  });
  watchStale(files, helper, options);
  foolscap?.tub.register(address.swissnum, new HelperObject(helper, applicationVersion), address.furl);
  door?.open(helper);
  log.info('helper runs');
  return helper;
}

/** Opens all its ports: for HTTPS, and for Foolscap where that is spoken. */
async function listen(options: HelperServiceOptions, door: HelperDoor): Promise<void> {
  const { clock, closers, connectionsMax, foolscap, log, place } = options;
  const { pem } = place.certificate;
  for (const endpoint of place.location.endpoints) {
    const connections = new ConnectionTable({ connections: connectionsMax });
    const sort = foolscap && { sort: foolscap.sorterFor(connections) };
    const app = await createServiceApp(clock, { tls: { key: pem, cert: pem }, connections, ...sort }, door.addRoutes);
    const listener = await listenHttp(app, endpoint, { option: '[node]tub.port', clock });
    closers.add('the port of the helper', async () => {
      // A port waits for its connections, and those of Foolscap do not end by themselves.
      await Promise.all([foolscap?.close(), listener.close()]);
    });
    log.info('helper listens', { port: listener.port });
  }
}

/** Now, and then each hour. */
function watchStale(files: HelperFiles, helper: UploadHelper, { clock, closers, log }: HelperServiceOptions): void {
  let cancel: () => void = () => undefined;
  let isClosed = false;
  const look = async (): Promise<void> => {
    try {
      const count = await files.removeStale((name) => helper.isBusyWith(name));
      if (count > 0) log.info('files of the helper removed that nobody came back for', { count });
    } catch (error) {
      log.warn('files of the helper not looked through', { reason: reasonOf(error) });
    }
    if (!isClosed) cancel = clock.schedule(STALE_CHECK_MS, () => void look());
  };
  closers.add('the look for old files', () => {
    isClosed = true;
    cancel();
  });
  void look();
}

/** Links this node to the helpers that upload for it. @returns undefined where there is none. */
export function linkHelpers(
  { furl, nurl }: Pick<HelperSettings, 'furl' | 'nurl'>,
  services: HelperLinkServices,
): UploadAssistant | undefined {
  const { clock, closers, dialler, foolscap } = services;
  const links: HelperLink[] = [];
  if (nurl !== undefined) {
    const name = nurl.spkiHash.slice(0, 8);
    const https = new HttpsHelper({ name, nurl, clock, dialler });
    closers.add('the connections to the helper', () => https.close());
    links.push(startLink(name, (signal) => https.connect(signal), services));
  }
  if (furl !== undefined && foolscap !== undefined) {
    const name = parseFurl(furl).tubId.slice(0, 8);
    const place = { name, furl, tub: foolscap.tub };
    links.push(startLink(name, (signal) => FoolscapHelper.connect(place, signal), services));
  }
  return links.length === 0 ? undefined : new HelperLinks(links);
}

function startLink(
  name: string,
  connect: (signal: AbortSignal) => Promise<HelperConnection>,
  { clock, closers, log, random }: HelperLinkServices,
): HelperLink {
  const link = new HelperLink({ name, connect, clock, log, random });
  closers.add('the link to the helper', () => link.close());
  link.start();
  return link;
}
