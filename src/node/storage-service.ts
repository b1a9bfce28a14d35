/**
 * The storage half of a node: its share store on the disk behind the storage protocol over HTTPS, on every
 * endpoint of tub.port, with the certificate and swissnum that its NURL names.
 */
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock, Log, Random } from '#core/environment.js';
import { createStorageApp } from '#storage/app.js';
import type { AddRoutes, StorageServerOptions } from '#storage/app.js';
import type { StorageRoutesOptions } from '#storage/routes.js';
import { ConnectionTable } from '#storage/connection-table.js';
import { openDiskStore } from '#storage/disk-store.js';
import { ChangeFeed } from '#storage/feed/change-feed.js';
import { attachIndex } from '#storage/index/attach-index.js';
import { StoreEvents } from '#storage/store-events.js';
import { writeAnnouncement } from './announcement-file.js';
import type { Announced } from './announcement-file.js';
import { formatTubId } from './certificate.js';
import type { NodeCertificate } from './certificate.js';
import { readCertificates } from './certificate-files.js';
import type { Closers } from './closers.js';
import { collectorOfDiscarded } from './collector.js';
import type { NodeDirectory } from './node-directory.js';
import type { Endpoint } from './config/endpoint-text.js';
import type { Foolscap } from './foolscap/foolscap.js';
import { connectionsWithin, openFilesMax } from './descriptors.js';
import type { HealthCheck } from './health/node-health.js';
import { answeredRequest } from './health/routes.js';
import type { Monitor } from './health/routes.js';
import { monitorStorage } from './health/storage-figures.js';
import { listenHttp } from './http-listener.js';
import { expiringStoreOf, spaceLimitOf } from './indexed-store.js';
import type { HttpListener } from './http-listener.js';
import { loadPermutationSeed, loadStorageAddress } from './node-secrets.js';
import type { NodeIdentity, StorageAddress } from './node-secrets.js';
import type { StorageSettings } from './settings.js';
import type { TubLocation } from './tub-location.js';
import { applicationVersion } from './version.js';
import type { VolumeHealth } from './volume/heartbeat.js';
import { startUpkeep } from './storage-upkeep.js';
import { openVolume } from './volume/volume.js';

/** What the storage half is made of. */
export interface StorageServiceOptions {
  readonly directory: NodeDirectory;
  readonly nickname: string;
  readonly settings: StorageSettings;
  readonly location: TubLocation;
  readonly connectionsMax: number;
  readonly certificate: NodeCertificate;
  readonly identity: NodeIdentity;
  readonly crypto: CryptoProvider;
  readonly random: Random;
  readonly clock: Clock;
  readonly log: Log;
  readonly closers: Closers;
  /** Undefined where it is turned off. */
  readonly foolscap?: Foolscap | undefined;
  /** What else is served on its ports. */
  readonly beside?: AddRoutes | undefined;
  /** Where figures and checks of the store go, on a node that tells them. */
  readonly monitor?: Monitor | undefined;
}

/** Starts to store for others. What it opens is added to `closers`. @returns what the node announces of itself. */
export async function startStorageService(options: StorageServiceOptions): Promise<Announced> {
  const { directory, settings, location, certificate, identity, crypto, random, clock, log, closers } = options;
  const volume = await openVolume({
    directory,
    storageDirectory: settings.directory,
    node: formatTubId(certificate.tubId),
    clock,
    random,
    log,
  });
  closers.add('the volume', () => volume.close());
  const permutationSeed = await loadPermutationSeed(directory, {
    hasShares: volume.hasShares,
    tubId: certificate.tubId,
    publicKey: identity.publicKey,
  });
  const events = new StoreEvents();
  const index = await attachIndex({ directory: settings.directory, events, crypto, clock, log });
  closers.add('the index', () => index.close());
  const store = await openDiskStore({
    directory: settings.directory,
    ownership: volume,
    reservedSpace: settings.reservedSpaceBytes,
    readonly: settings.isReadonly,
    nodeId: certificate.tubId,
    events,
    ...spaceLimitOf(settings, index, clock),
    crypto,
    clock,
    log,
  });
  closers.add('the share store', () => store.close());
  startUpkeep({
    ...options,
    attached: index,
    store: expiringStoreOf(store, index),
    onDamage: (place, reason) => store.setAside(place, reason),
  });
  const feed = new ChangeFeed({
    events,
    clock,
    openMutable: (storageIndex, shareNumber) => store.openMutable(storageIndex, shareNumber),
  });
  closers.add('the change feed', () => {
    feed.close();
  });
  const hints = location.hints.map((hint) => hint.text);
  const address = await loadStorageAddress(directory, certificate.tubId, hints, random);
  const announced = await announce(options, address, permutationSeed);
  const connectionCount = await connectionsOf(options);
  const tables = location.endpoints.map(() => new ConnectionTable({ connections: connectionCount }));
  if (options.monitor !== undefined) {
    options.monitor.health.addCheck(volumeCheck(volume));
    const reservedSpace = settings.reservedSpaceBytes;
    monitorStorage(options.monitor, { directory: settings.directory, reservedSpace, store, events, feed, tables });
  }
  const discarded = collectorOfDiscarded();
  const routes = { store, crypto, swissnum: address.swissnum, clock, discarded, log, applicationVersion, feed };
  options.foolscap?.serveStorage({ store, random, applicationVersion }, address);
  await listenEverywhere(options, routes, tables);
  return announced;
}

/** Opens all ports, and closes them with the node. */
async function listenEverywhere(
  options: StorageServiceOptions,
  routes: StorageRoutesOptions,
  tables: readonly ConnectionTable[],
): Promise<void> {
  const { closers, foolscap, location, log } = options;
  const listenOn = listenerOf(options);
  const listeners: HttpListener[] = [];
  closers.add('the storage ports', async () => {
    // A port waits for its connections, and those of Foolscap do not end by themselves.
    await Promise.all([foolscap?.close(), ...listeners.map((listener) => listener.close())]);
  });
  for (const [i, endpoint] of location.endpoints.entries()) {
    const listener = await listenOn(endpoint, routes, tables[i]);
    listeners.push(listener);
    log.info('storage server listens', { port: listener.port });
  }
}

type Listen = (
  endpoint: Endpoint,
  routes: StorageRoutesOptions,
  table: ConnectionTable | undefined,
) => Promise<HttpListener>;

/** What speaks on a port: HTTPS and Foolscap, or one of the two. */
function listenerOf(options: StorageServiceOptions): Listen {
  const { clock, foolscap, settings } = options;
  const listening = { option: '[node]tub.port', clock };
  return async (endpoint, routes, table = new ConnectionTable()) => {
    if (settings.forceFoolscap && foolscap !== undefined) return foolscap.listen(endpoint, listening, table);
    const app = await createStorageApp(routes, serverOptionsOf(options, table));
    return listenHttp(app, endpoint, listening);
  };
}

async function announce(
  options: StorageServiceOptions,
  address: StorageAddress,
  permutationSeed: string,
): Promise<Announced> {
  const { directory, nickname, location, certificate, identity } = options;
  const [{ serverId }, { spkiHash }] = [identity, certificate];
  const hints = options.settings.forceFoolscap ? [] : location.hints;
  const certificates = await readCertificates(options.settings.certificateFiles);
  const announced = { serverId, nickname, address, spkiHash, hints, permutationSeed, certificates };
  await writeAnnouncement(directory, announced);
  return announced;
}

/** A node that lost its volume, or another owner took it from, may serve again when that is mended. */
function volumeCheck(volume: { health(): Promise<VolumeHealth> }): HealthCheck {
  return {
    name: 'the volume',
    vital: false,
    run: async () => {
      const { ok, reason } = await volume.health();
      if (!ok) throw new Error(reason);
    },
  };
}

function serverOptionsOf(
  { beside, certificate, foolscap, monitor }: StorageServiceOptions,
  connections: ConnectionTable,
): StorageServerOptions {
  return {
    tls: { key: certificate.pem, cert: certificate.pem },
    connections,
    beside,
    ...(foolscap === undefined ? {} : { sort: foolscap.sorterFor(connections) }),
    ...(monitor === undefined
      ? {}
      : {
          answered: (request, reply) => {
            monitor.metrics.answered('storage', answeredRequest(request, reply));
          },
        }),
  };
}

async function connectionsOf({ connectionsMax, log }: StorageServiceOptions): Promise<number> {
  const connections = connectionsWithin(connectionsMax, await openFilesMax());
  if (connections < connectionsMax) log.warn('too few open files for [limits]connections', { connections });
  return connections;
}
