/** Everything of a node that hears its log: files of lines, and incidents. */
import { join } from 'node:path';
import type { Clock } from '#core/environment.js';
import { reasonOf } from '#core/errors.js';
import type { NodeLog } from '../log.js';
import type { LogDestination } from './destination.js';
import { IncidentKeeper } from './incidents.js';
import { RecentLines } from './recent-lines.js';
import { RotatingFile } from './rotating-file.js';

/** Where the reference has them, in the node directory. */
const INCIDENTS = 'logs/incidents';

/** Of which node, and where to. */
export interface KeepLogsOptions {
  /** The node directory. */
  readonly directory: string;
  /** Absolute paths. */
  readonly destinations: readonly LogDestination[];
  readonly clock: Clock;
}

/** What is kept of a log while it is written. */
export interface KeptLogs {
  readonly lines: RecentLines;
  readonly incidents: IncidentKeeper;
  /** Keeps no more. */
  readonly end: () => void;
}

/**
 * Writes files and incidents from now on; a fault that ends the process is an incident, too.
 * @throws ERR_FILE, ERR_NO_SPACE when a file cannot be opened.
 */
export function keepLogs(log: NodeLog, { clock, destinations, directory }: KeepLogsOptions): KeptLogs {
  const ends: (() => void)[] = [];
  const lines = new RecentLines();
  const incidents = new IncidentKeeper(join(directory, INCIDENTS), lines, clock);
  ends.push(
    log.follow((line, level) => {
      if (lines.add(line)) incidents.hear(line, level);
    }),
  );
  for (const destination of destinations) {
    const file = new RotatingFile(destination);
    ends.push(
      log.follow((line) => void file.write(line)),
      () => file.close(),
    );
  }
  const onFault = (error: unknown): void => log.error('the node ends by a fault', { reason: reasonOf(error) });
  process.on('uncaughtExceptionMonitor', onFault);
  ends.push(() => process.off('uncaughtExceptionMonitor', onFault));
  const end = (): void => {
    for (const one of ends) one();
  };
  return { lines, incidents, end };
}
