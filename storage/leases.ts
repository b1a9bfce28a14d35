/**
 * The rules of leases: who renews, who adds, and until when. Pure.
 *
 * A lease ends 31 days after it was made or renewed; renewing never moves the end backwards. A lease belongs to
 * its renew secret: the same secret renews, any other adds. Containers of version 2 keep BLAKE2b-256 of the
 * secrets, version 1 keeps the secrets themselves; adding to a container never changes its version.
 * @see Tahoe-LAFS docs/specifications/lease.rst
 */
import type { CryptoProvider } from '#core/crypto.js';
import type { LeaseSecrets } from '#core/lease.js';
import type { ContainerVersion, LeaseRecord } from './container.js';

/** How long a lease lasts. */
export const LEASE_DURATION_SECONDS = 31 * 24 * 3600;
/** The owner number of a lease made by allocating a share. */
export const ALLOCATION_OWNER = 0;
/** The owner number of a lease added later. */
export const ADDED_OWNER = 1;

/** The last second that a lease record can name (the year 2106). */
const EXPIRY_MAX = 0xffff_ffff;

/** What is to be done to a container so that the lease stands. */
export type LeaseChange =
  | { readonly kind: 'renew'; readonly index: number; readonly expirySeconds: number }
  | { readonly kind: 'append'; readonly lease: LeaseRecord }
  | { readonly kind: 'none' };

/** When a lease made now ends, in Unix seconds. @param nowMs - Unix milliseconds. */
export function leaseExpiry(nowMs: number): number {
  return Math.min(Math.max(0, Math.floor(nowMs / 1000)) + LEASE_DURATION_SECONDS, EXPIRY_MAX);
}

/** A new lease in the form that a container of `version` keeps. */
export function createLease(
  crypto: CryptoProvider,
  version: ContainerVersion,
  ownerNumber: number,
  secrets: LeaseSecrets,
  expirySeconds: number,
): LeaseRecord {
  return {
    ownerNumber,
    renewSecret: storedSecret(crypto, version, secrets.renewSecret),
    cancelSecret: storedSecret(crypto, version, secrets.cancelSecret),
    expirySeconds,
  };
}

/**
 * Decides between renewing and appending.
 * @param leases - those of the container, in order.
 * @param added - the lease in the container's form, as createLease makes it.
 */
export function changeForLease(
  crypto: CryptoProvider,
  leases: readonly LeaseRecord[],
  added: LeaseRecord,
): LeaseChange {
  const index = leases.findIndex((lease) => crypto.equalSecrets(lease.renewSecret, added.renewSecret));
  const held = leases[index];
  if (held === undefined) return { kind: 'append', lease: added };
  if (held.expirySeconds >= added.expirySeconds) return { kind: 'none' };
  return { kind: 'renew', index, expirySeconds: added.expirySeconds };
}

function storedSecret(crypto: CryptoProvider, version: ContainerVersion, secret: Uint8Array): Uint8Array {
  return version === 1 ? secret : crypto.blake2b256(secret);
}
