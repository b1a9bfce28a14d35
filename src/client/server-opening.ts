/**
 * From an announcement to a server that can be used: one HTTPS server an address, together when there are several,
 * with retry around it. Addresses over Tor are left out: there is no way to them yet.
 */
import type { Clock } from '#core/environment.js';
import type { StorageAnnouncement } from '#wire/announcement.js';
import { AnyAddressServer } from './any-address-server.js';
import { HttpsStorageServer } from './https-storage-server.js';
import type { HttpsLimits } from './https-limits.js';
import { RetryingServer } from './retrying-server.js';
import type { StorageServer } from './storage-server.js';

/**
 * Opens an announced server. No connection is made before its first call; `close` ends them all.
 * @returns undefined when none of its addresses can be used.
 */
export function openStorageServer(
  announcement: StorageAnnouncement,
  options: { readonly clock: Clock; readonly limits?: Partial<HttpsLimits> },
): StorageServer | undefined {
  const candidates = announcement.nurls
    .filter((nurl) => !nurl.tor)
    .map((nurl) => new HttpsStorageServer({ identity: announcement, nurl, ...options }));
  const [only, ...others] = candidates;
  if (only === undefined) return undefined;
  const server = others.length === 0 ? only : new AnyAddressServer(announcement, candidates);
  return new RetryingServer(server, options.clock);
}
