/** Leases that are added or renewed while a file is checked. */
import type { CryptoProvider } from '#core/crypto.js';
import type { Log } from '#core/environment.js';
import { reasonOf } from '#core/errors.js';
import { leaseSecrets } from '#core/lease.js';
import type { CallOptions, StorageServer } from '../storage-server.js';
import type { LeaseCounts } from './check-report.js';

/**
 * Adds or renews our lease on all shares that a server has of a file.
 * @param storageIndex - 16 bytes.
 * @returns what it counts as; a failure is logged and fails nothing.
 */
export async function renewLease(
  { crypto, leaseSecret, log }: { crypto: CryptoProvider; leaseSecret: Uint8Array; log: Log },
  storageIndex: Uint8Array,
  server: StorageServer,
  options: CallOptions,
): Promise<keyof LeaseCounts> {
  try {
    const secrets = leaseSecrets(crypto, leaseSecret, storageIndex, server.tubId);
    return (await server.addLease(storageIndex, secrets, options)) ? 'renewed' : 'failed';
  } catch (error) {
    log.info('lease not renewed', { server: server.shortName, reason: reasonOf(error) });
    return 'failed';
  }
}
