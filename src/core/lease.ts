/**
 * Lease secrets as a client gives them to a server: one pair for each file on each server, derived from the
 * node's own secret, so that a server can neither use them elsewhere nor link two files by them.
 * @see Tahoe-LAFS docs/specifications/lease.rst
 */
import type { CryptoProvider } from './crypto.js';
import { deriveLeaseSecret } from './derive.js';

/** Both secrets of a lease, 32 bytes each. */
export interface LeaseSecrets {
  readonly renewSecret: Uint8Array;
  readonly cancelSecret: Uint8Array;
}

/**
 * @param leaseSecret - 32 bytes, the node's private/secret.
 * @param storageIndex - 16 bytes.
 * @param tubId - 20 bytes, the server's, also where HTTPS is spoken.
 */
export function leaseSecrets(
  crypto: CryptoProvider,
  leaseSecret: Uint8Array,
  storageIndex: Uint8Array,
  tubId: Uint8Array,
): LeaseSecrets {
  const derive = (kind: 'renew' | 'cancel'): Uint8Array =>
    deriveLeaseSecret(crypto, kind, leaseSecret, storageIndex, tubId);
  return { renewSecret: derive('renew'), cancelSecret: derive('cancel') };
}
