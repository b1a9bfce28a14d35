/**
 * Tells servers of shares that do not hold what was signed. Nobody waits for it, and it may fail.
 */
import type { Clock, Log } from '#core/environment.js';
import { reasonOf } from '#core/errors.js';
import { withDeadline } from '../deadline.js';
import type { StorageServer } from '../storage-server.js';
import { endless } from './mutable-context.js';

const REPORT_TIMEOUT_MS = 15_000;

/** Reports one share. */
export function reportBadShare(
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  storageIndex: Uint8Array,
  { server, shareNumber, reason }: { server: StorageServer; shareNumber: number; reason: string },
): void {
  log.warn('mutable share not usable', { server: server.shortName, shareNumber, reason });
  const what = 'a report of damage';
  withDeadline({ clock, timeoutMs: REPORT_TIMEOUT_MS, what, signal: endless() }, (signal) =>
    server.reportMutableCorrupt(storageIndex, shareNumber, reason, { signal, timeoutMs: REPORT_TIMEOUT_MS }),
  ).catch((error: unknown) => {
    log.info('damage not reported', { server: server.shortName, reason: reasonOf(error) });
  });
}
