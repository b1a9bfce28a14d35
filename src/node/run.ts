/**
 * Runs a node in the foreground until it is told to stop: by SIGTERM or SIGINT, or by the end of standard input,
 * which is how programs that start a node let go of it. The line `client running` says that it is up; a service manager
 * is told as well.
 * @see Tahoe-LAFS docs/running.rst; Gridsync and others wait for that line
 */
import type { Log } from '#core/environment.js';
import { reasonOf } from '#core/errors.js';
import { collectWhenIdle, tuneCollector } from './collector.js';
import type { Configuration } from './config/configuration.js';
import { loadConfiguration } from './config/load.js';
import type { EnvironmentVariables } from './config/load.js';
import { createLog } from './log.js';
import type { LogLevel, NodeLog } from './log.js';
import type { LogDestination } from './logs/destination.js';
import { keepLogs } from './logs/keep-logs.js';
import type { KeptLogs } from './logs/keep-logs.js';
import { RotatingFile } from './logs/rotating-file.js';
import { identifyNodeType, NodeDirectory } from './node-directory.js';
import { claimPidFile } from './pid-file.js';
import { LiveSettings, writeReloadReport } from './reload.js';
import type { ReloadReport } from './reload.js';
import { systemClock } from './clock.js';
import { findServiceManager } from './service-manager.js';
import type { ServiceManager } from './service-manager.js';
import { readIntroducerSettings } from './introducer-settings.js';
import { readLogFiles, readSettings } from './settings.js';
import { startNode } from './start.js';
import type { RunningNode } from './start.js';
import { workWatch } from './work-watch.js';

/** A process with nothing to do ends; one that waits for a signal has a timer, of any length. */
const WAKE_INTERVAL_MS = 3_600_000;

/** What a node is run with. */
export interface RunOptions {
  /** Absolute path of the node directory. */
  readonly directory: string;
  readonly environment: EnvironmentVariables;
  /** Whether to go on when standard input ends. */
  readonly allowStdinClose: boolean;
  /** Where the log goes beside standard output and what the configuration says. */
  readonly logDestinations?: readonly LogDestination[];
  /** Takes the log in the place of standard output. */
  readonly mainLog?: LogDestination | undefined;
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

/**
 * @returns the exit status, once the node has stopped.
 * @throws ERR_NOT_A_NODE, ERR_ALREADY_RUNNING, and what keeps a node from starting.
 */
export async function runNode(options: RunOptions): Promise<number> {
  const { directory, environment, logDestinations = [], mainLog, stdout, stderr } = options;
  tuneCollector();
  const nodeType = await identifyNodeType(directory);
  const pidFile = await claimPidFile(directory);
  const stop = stopRequests(options);
  try {
    if (pidFile.replacedPid !== undefined) {
      stderr.write(`the node that ran as process ${String(pidFile.replacedPid)} is gone; its PID file is replaced\n`);
    }
    const load = (): Promise<Configuration> => loadConfiguration(directory, nodeType, environment);
    const onFailure = (reason: string): boolean =>
      stderr.write(`warning: the service manager was not told: ${reason}\n`);
    const manager = findServiceManager(environment, { clock: systemClock, onFailure });
    const start = nodeType === 'introducer' ? startIntroducerIn : startNodeIn;
    const isWatched = manager !== undefined;
    const { log, node, reload } = await start({
      directory: new NodeDirectory(directory),
      load,
      stderr,
      isWatched,
      logDestinations,
      mainLog,
    });
    if (reload !== undefined) stop.onHangUp(() => reloadUnder(manager, reload), log);
    stdout.write(`${nodeType} running\n`);
    await manager?.ready('serving');
    manager?.watch(node.problem);
    const stopCollecting = collectWhenIdle({ clock: systemClock, isBusy: workWatch() });
    log.info('node stops', { reason: await stop.requested });
    stopCollecting();
    await Promise.all([manager?.stopping(), node.close()]);
    log.close();
    return 0;
  } finally {
    stop.release();
    await pidFile.release();
  }
}

/** A node that runs, and its log, which is closed after it. */
interface Started {
  readonly node: RunningNode;
  readonly log: NodeLog;
  /** Reads the configuration again, where that changes anything. */
  readonly reload?: () => Promise<ReloadReport>;
}

/** What a node is started with. */
interface Start {
  readonly directory: NodeDirectory;
  readonly load: () => Promise<Configuration>;
  readonly stderr: NodeJS.WritableStream;
  /** Whether somebody waits for signs of life. */
  readonly isWatched: boolean;
  readonly logDestinations: readonly LogDestination[];
  readonly mainLog: LogDestination | undefined;
}

/** The log on standard output, in files, and its incidents; and what of it others may be told. */
function openLog(
  level: LogLevel,
  configuration: Configuration,
  { directory: { path: directory }, logDestinations, mainLog }: Start,
): { readonly log: NodeLog; readonly kept: KeptLogs } {
  const file = mainLog && new RotatingFile(mainLog);
  const log = createLog(level, file && { write: (lines) => void file.write(lines.trimEnd()) });
  const destinations = [...logDestinations, ...readLogFiles(configuration, directory)];
  const kept = keepLogs(log, { directory, destinations, clock: systemClock });
  const close = (): void => {
    kept.end();
    log.close();
    file?.close();
  };
  return { log: { ...log, close }, kept };
}

async function reloadUnder(manager: ServiceManager | undefined, reload: () => Promise<ReloadReport>): Promise<void> {
  await manager?.reloading();
  const { problem } = await reload();
  await manager?.ready(problem === undefined ? 'serving' : `serving with the configuration of before: ${problem}`);
}

async function startNodeIn(start: Start): Promise<Started> {
  const { directory, load, stderr, isWatched } = start;
  const read = async () => {
    const configuration = await load();
    return { configuration, settings: readSettings(configuration, directory.path) };
  };
  const { configuration, settings } = await read();
  for (const warning of settings.warnings) stderr.write(`warning: ${warning}\n`);
  const { log, kept } = openLog(settings.logLevel, configuration, start);
  const live = new LiveSettings(configuration, settings);
  const node = await startNode({ directory, configuration, settings, live, log, kept, isWatched });
  const reload = async (): Promise<ReloadReport> => {
    const report = await live.reload(read, log);
    await writeReloadReport(directory.path, report);
    return report;
  };
  return { log, node, reload };
}

/** Loaded only where it runs. */
async function startIntroducerIn(start: Start): Promise<Started> {
  const { directory, load, isWatched } = start;
  const { startIntroducer } = await import('./start-introducer.js');
  const configuration = await load();
  const settings = readIntroducerSettings(configuration);
  const { log, kept } = openLog(settings.logLevel, configuration, start);
  return { log, node: await startIntroducer({ directory, configuration, settings, log, kept, isWatched }) };
}

interface StopRequests {
  readonly requested: Promise<string>;
  /** What SIGHUP does from now on, one after the other. Before that it is ignored: a node that starts reads anyway. */
  onHangUp(action: () => Promise<void>, log: Log): void;
  release(): void;
}

/** Waits for a reason to stop, from now on. */
function stopRequests({ stdin, allowStdinClose }: RunOptions): StopRequests {
  let release: () => void = () => undefined;
  let hangUp: () => void = () => undefined;
  const onHangUp = (): void => hangUp();
  const requested = new Promise<string>((resolve) => {
    const onSignal = (signal: NodeJS.Signals): void => resolve(signal);
    const onEnd = (): void => resolve('standard input was closed');
    const timer = setInterval(() => undefined, WAKE_INTERVAL_MS);
    process.on('SIGTERM', onSignal).on('SIGINT', onSignal).on('SIGHUP', onHangUp);
    if (!allowStdinClose) stdin.once('end', onEnd).once('close', onEnd).resume();
    release = () => {
      clearInterval(timer);
      process.off('SIGTERM', onSignal).off('SIGINT', onSignal).off('SIGHUP', onHangUp);
      stdin.off('end', onEnd).off('close', onEnd).pause();
    };
  });
  return {
    requested,
    release: () => release(),
    onHangUp: (action, log) => {
      let last = Promise.resolve();
      hangUp = () => {
        last = last.then(action).catch((error: unknown) => log.error('reload failed', { reason: reasonOf(error) }));
      };
    },
  };
}
