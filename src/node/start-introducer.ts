/** Starts an introducer from its directory, as start.ts does a client or a storage node. */
import { systemRandom } from '#core/native-crypto.js';
import { formatTubId, loadCertificate } from './certificate.js';
import { systemClock } from './clock.js';
import { Closers } from './closers.js';
import type { Configuration } from './config/configuration.js';
import { createCrypto } from './crypto-choice.js';
import type { Monitor } from './health/routes.js';
import type { IntroducerSettings } from './introducer-settings.js';
import { startIntroducerService } from './introducer-service.js';
import { openNetwork } from './network/network.js';
import type { NodeDirectory } from './node-directory.js';
import { locate, needsMonitor, offerLog, runningNode, startFoolscap, startMonitor } from './start.js';
import type { RunningNode } from './start.js';
import type { NodeLog } from './log.js';
import type { KeptLogs } from './logs/keep-logs.js';

/** Which introducer to start, with its configuration read and checked. */
export interface StartIntroducerOptions {
  readonly directory: NodeDirectory;
  readonly configuration: Configuration;
  readonly settings: IntroducerSettings;
  readonly log: NodeLog;
  /** What of the log others are told; without it nothing is. */
  readonly kept?: KeptLogs;
  /** Whether somebody asks for its health although it has no web port. */
  readonly isWatched?: boolean;
}

/** @throws ERR_CONFIG, ERR_FILE, ERR_PORT_IN_USE, ERR_LISTEN, ERR_NO_SPACE: what keeps it from starting. */
export async function startIntroducer(options: StartIntroducerOptions): Promise<RunningNode> {
  const closers = new Closers(systemClock, options.log);
  return runningNode(closers, async () => {
    const monitor = needsMonitor(options) ? await startMonitor(closers) : undefined;
    return { monitor, gatewayUrl: await startServices(options, closers, monitor) };
  });
}

async function startServices(
  options: StartIntroducerOptions,
  closers: Closers,
  monitor: Monitor | undefined,
): Promise<string | undefined> {
  const { directory, settings, log } = options;
  const crypto = await createCrypto(settings.crypto);
  await directory.ensurePrivate();
  await directory.removeUnfinished();
  const certificate = await loadCertificate(directory, systemClock);
  await directory.write('my_nodeid', `${formatTubId(certificate.tubId)}\n`);
  const location = await locate(options);
  if (location === undefined) return undefined;
  const network = openNetwork({
    settings: settings.network,
    directory,
    clock: systemClock,
    random: systemRandom,
    log,
    closers,
  });
  const environment = { crypto, random: systemRandom, clock: systemClock, log, closers };
  const given = { certificate, closers, log, dialler: network.dialler };
  const foolscap = settings.speaksFoolscap ? await startFoolscap(given) : undefined;
  if (settings.speaksFoolscap) await offerLog(given, options);
  const gatewayUrl = await startIntroducerService({
    directory,
    settings,
    location,
    certificate,
    monitor,
    foolscap,
    ...environment,
  });
  await network.publish(location);
  return gatewayUrl;
}
