/**
 * From an announcement to a server that can be used: one HTTPS server an address, together when there are several,
 * with retry around it; over Foolscap where there is no such address, or where that is asked for. Addresses
 * to which the dialler has no way are left out.
 */
import type { Clock } from '#core/environment.js';
import type { StorageAnnouncement } from '#wire/announcement.js';
import { AnyAddressServer } from './any-address-server.js';
import { destinationOfNurl } from './dialler.js';
import type { Dialler } from './dialler.js';
import { HttpsStorageServer } from './https-storage-server.js';
import type { HttpsLimits } from './https-limits.js';
import { RetryingServer } from './retrying-server.js';
import type { StorageServer } from './storage-server.js';

/** The way to servers that have no other. */
export interface FoolscapOpening {
  /** @returns undefined when the announcement names no place to connect to. */
  readonly open: (announcement: StorageAnnouncement) => StorageServer | undefined;
  /** Whether it is used with servers that speak HTTPS too. */
  readonly forced: boolean;
}

/** How servers are opened. */
export interface OpeningOptions {
  readonly clock: Clock;
  readonly dialler: Dialler;
  readonly limits?: Partial<HttpsLimits>;
  readonly foolscap?: FoolscapOpening;
}

/**
 * Opens an announced server. No connection is made before its first call; `close` ends them all.
 * @returns undefined when none of its addresses can be used.
 */
export function openStorageServer(
  announcement: StorageAnnouncement,
  options: OpeningOptions,
): StorageServer | undefined {
  const { foolscap, ...https } = options;
  const server =
    foolscap?.forced === true
      ? foolscap.open(announcement)
      : (openHttps(announcement, https) ?? foolscap?.open(announcement));
  return server && new RetryingServer(server, options.clock);
}

function openHttps(
  announcement: StorageAnnouncement,
  options: Omit<OpeningOptions, 'foolscap'>,
): StorageServer | undefined {
  const candidates = announcement.nurls
    .filter((nurl) => options.dialler.leadsTo(destinationOfNurl(nurl)))
    .map((nurl) => new HttpsStorageServer({ identity: announcement, nurl, ...options }));
  const [only, ...others] = candidates;
  return others.length === 0 ? only : new AnyAddressServer(announcement, candidates);
}
