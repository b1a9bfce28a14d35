/** Everything of a node that hears its log: files of lines, and incidents. */
import { join } from 'node:path';
import type { Clock } from '#core/environment.js';
import { reasonOf } from '#core/errors.js';
import type { NodeLog } from '../log.js';
import type { LogDestination } from './destination.js';
import { IncidentKeeper } from './incidents.js';
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

/**
 * Writes files and incidents from now on; a fault that ends the process is an incident, too.
 * @returns what ends it.
 * @throws ERR_FILE, ERR_NO_SPACE when a file cannot be opened.
 */
export function keepLogs(log: NodeLog, { clock, destinations, directory }: KeepLogsOptions): () => void {
  const ends: (() => void)[] = [];
  const keeper = new IncidentKeeper(join(directory, INCIDENTS), clock);
  ends.push(log.follow((line, level) => keeper.hear(line, level)));
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
  return () => {
    for (const end of ends) end();
  };
}
