/**
 * Starts a node from its directory: everything it is made of, in order, each piece handed what it needs. If one
 * fails to start, what was started before is closed again.
 */
import type { Dialler } from '#client/dialler.js';
import type { Clock, Log, Random } from '#core/environment.js';
import { systemRandom } from '#core/native-crypto.js';
import { formatTubId, loadCertificate } from './certificate.js';
import type { NodeCertificate } from './certificate.js';
import { systemClock } from './clock.js';
import { Closers } from './closers.js';
import type { Configuration } from './config/configuration.js';
import type { Foolscap } from './foolscap/foolscap.js';
import { createCrypto } from './crypto-choice.js';
import { allocatePort, localAddresses } from './endpoint.js';
import { NodeHealth } from './health/node-health.js';
import type { HelperPlace, HelperPlaceOptions } from './helper-service.js';
import type { Monitor } from './health/routes.js';
import { NodeStatistics } from './health/statistics.js';
import type { NodeLog } from './log.js';
import type { KeptLogs } from './logs/keep-logs.js';
import type { NodeDirectory } from './node-directory.js';
import type { Announced } from './announcement-file.js';
import { loadIntroducers } from './introducers-file.js';
import { startIntroductions } from './introductions.js';
import { loadIdentity, renewApiToken } from './node-secrets.js';
import { LiveSettings } from './reload.js';
import { signOwnAnnouncement } from './own-announcement.js';
import type { NodeSettings } from './settings.js';
import { openNetwork } from './network/network.js';
import { resolveTubLocation } from './tub-location.js';
import type { TubLocation } from './tub-location.js';
import { applicationVersion } from './version.js';

/** A node that runs. */
export interface RunningNode {
  /** Where its gateway listens, such as `http://127.0.0.1:3456/`; undefined when it has none. */
  readonly gatewayUrl: string | undefined;
  /** Why the process is not worth keeping; undefined when it is. */
  readonly problem: () => Promise<string | undefined>;
  /** Stops it: requests under way get a few seconds to finish. */
  close(): Promise<void>;
}

/** Which node to start, with its configuration read and checked. */
export interface StartOptions {
  readonly directory: NodeDirectory;
  readonly configuration: Configuration;
  readonly settings: NodeSettings;
  /** What of the settings may change while the node runs; without it nothing does. */
  readonly live?: LiveSettings;
  readonly log: NodeLog;
  /** What of the log others are told; without it nothing is. */
  readonly kept?: KeptLogs;
  /** Whether somebody asks for `problem` although the node has no gateway. */
  readonly isWatched?: boolean;
}

/**
 * @throws ERR_CONFIG, ERR_FILE, ERR_PORT_IN_USE, ERR_LISTEN, ERR_NO_SPACE, ERR_DISK: what keeps it from starting.
 */
export async function startNode(options: StartOptions): Promise<RunningNode> {
  const closers = new Closers(systemClock, options.log);
  return runningNode(closers, async () => {
    const monitor = needsMonitor(options) ? await startMonitor(closers) : undefined;
    return { monitor, gatewayUrl: await startServices(options, closers, monitor) };
  });
}

/** A node of whatever `start` starts; what that had opened before it failed is closed again. */
export async function runningNode(
  closers: Closers,
  start: () => Promise<{ readonly monitor: Monitor | undefined; readonly gatewayUrl: string | undefined }>,
): Promise<RunningNode> {
  try {
    const { gatewayUrl, monitor } = await start();
    monitor?.health.serving();
    return {
      gatewayUrl,
      problem: async () => (await monitor?.health.live())?.failures[0],
      close: () => {
        monitor?.health.stopping();
        return closers.closeAll();
      },
    };
  } catch (error) {
    await closers.closeAll();
    throw error;
  }
}

/** Whether anybody can look. */
export function needsMonitor(options: {
  readonly settings: Pick<NodeSettings, 'web'>;
  readonly isWatched?: boolean;
}): boolean {
  return options.settings.web !== undefined || options.isWatched === true;
}

/** Loaded only where somebody can look. */
export async function startMonitor(closers: Closers): Promise<Monitor> {
  const { NodeMetrics } = await import('./health/metrics.js');
  const metrics = new NodeMetrics();
  closers.add('the metrics', () => {
    metrics.close();
  });
  const statistics = new NodeStatistics(systemClock);
  closers.add('the statistics', () => {
    statistics.close();
  });
  return { health: new NodeHealth(systemClock), metrics, statistics };
}

async function startServices(
  options: StartOptions,
  closers: Closers,
  monitor: Monitor | undefined,
): Promise<string | undefined> {
  const { directory, settings, log } = options;
  const clock: Clock = systemClock;
  const random: Random = systemRandom;
  const crypto = await createCrypto(settings.crypto);
  await directory.ensurePrivate();
  await directory.removeUnfinished();
  const certificate = await loadCertificate(directory, clock);
  const identity = await loadIdentity(directory, crypto, random);
  await directory.write('my_nodeid', `${formatTubId(certificate.tubId)}\n`);
  const apiToken = await renewApiToken(directory, random);
  const live = options.live ?? new LiveSettings(options.configuration, settings);
  const network = openNetwork({ settings: settings.network, directory, clock, random, log, closers });
  const { dialler } = network;
  const given = { certificate, closers, log, dialler };
  const foolscap = settings.foolscap.enabled ? await startFoolscap(given) : undefined;
  if (settings.foolscap.enabled) await offerLog(given, options);
  monitor?.metrics.addGauge(
    'tallac_foolscap_connections',
    'Peers that are connected over Foolscap, by either side.',
    () => foolscap?.tub.connectionCount ?? 0,
  );
  const shared = { directory, crypto, random, clock, log, closers, monitor, live, foolscap, dialler };
  let announced: Announced | undefined;
  const location = settings.storage === undefined && !settings.helper.isEnabled ? undefined : await locate(options);
  const helperPlace = await placeOfHelper(settings, location, { ...shared, certificate });
  if (settings.storage !== undefined && location !== undefined) {
    const { connectionsMax, nickname, storage } = settings;
    const { startStorageService } = await import('./storage-service.js');
    const beside = helperPlace?.door?.addRoutes;
    const own = { nickname, settings: storage, location, connectionsMax, certificate, identity, beside };
    announced = await startStorageService({ ...shared, ...own });
    await network.publish(location);
  }
  const introducers = settings.mayConnect ? await loadIntroducers(directory, settings.introducer) : [];
  const signer = { directory, crypto, random, privateKey: identity.privateKey, applicationVersion };
  const announcement =
    announced === undefined || introducers.length === 0 ? undefined : await signOwnAnnouncement(announced, signer);
  // Without a gateway, SFTP or a helper nobody can ask anything of the client. Each half is loaded only where it runs: it weighs 20 MiB.
  if (settings.web === undefined && settings.sftp === undefined && helperPlace === undefined) {
    if (announcement !== undefined)
      await startIntroductions({ ...shared, nickname: settings.nickname, introducers, announcement, known: undefined });
    return undefined;
  }
  const { startClientService } = await import('./client-service.js');
  const client = { ...shared, log, apiToken, introducers, announcement, helperPlace };
  return startClientService({ ...client, settings });
}

/** Loaded only where there is a helper. */
async function placeOfHelper(
  { helper, storage }: NodeSettings,
  location: TubLocation | undefined,
  given: Omit<HelperPlaceOptions, 'location' | 'storage'>,
): Promise<HelperPlace | undefined> {
  if (!helper.isEnabled || location === undefined) return undefined;
  const { placeHelper } = await import('./helper-service.js');
  return placeHelper({ ...given, location, storage });
}

/** What Foolscap is started with. */
interface FoolscapParts {
  readonly certificate: NodeCertificate;
  readonly closers: Closers;
  readonly log: Log;
  readonly dialler: Dialler;
}

/** Offers the log to its readers, where something is kept of it. */
export async function offerLog(
  parts: FoolscapParts,
  {
    directory,
    kept,
    settings,
  }: Pick<StartOptions, 'directory' | 'kept'> & { settings: { logGatherer: string | undefined } },
): Promise<void> {
  if (kept === undefined) return;
  const { startLogService } = await import('./foolscap/log-service.js');
  const environment = { clock: systemClock, random: systemRandom };
  await startLogService({ ...parts, ...environment, directory, source: kept, gatherer: settings.logGatherer });
}

/** Foolscap, closed after what uses it. Loaded only where it is spoken. */
export async function startFoolscap({ certificate, closers, dialler, log }: FoolscapParts): Promise<Foolscap> {
  const { Foolscap } = await import('./foolscap/foolscap.js');
  const foolscap = new Foolscap({ identity: certificate, clock: systemClock, random: systemRandom, log, dialler });
  closers.add('Foolscap', () => foolscap.close());
  return foolscap;
}

/** Where a node listens; a port that was chosen for it is remembered. @throws ERR_CONFIG, ERR_FILE. */
export async function locate({
  directory,
  configuration,
}: Pick<StartOptions, 'directory' | 'configuration'>): Promise<TubLocation | undefined> {
  const rememberedPort = await directory.read('client.port');
  const location = await resolveTubLocation(configuration, { rememberedPort, allocatePort, localAddresses });
  if (location?.portToRemember !== undefined) await directory.write('client.port', `${location.portToRemember}\n`);
  return location;
}
