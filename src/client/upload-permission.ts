/**
 * Which servers may get new shares: where grid managers are named, only those that one of them has certified.
 *
 * Certificates are verified once, some turns after a server is announced, for thousands may be announced at once; or when
 * the server is to get something before that. Whether one has expired is asked of the clock each time,
 * so that a server whose certificate ends gets nothing more from that moment on. Reading asks nobody.
 * @see Tahoe-LAFS docs/managed-grid.rst, "Enforcing Grid Managers on Uploads"
 */
import type { CryptoProvider } from '#core/crypto.js';
import type { Clock } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { verifyCertificate } from '#wire/grid-certificate.js';
import type { GridCertificate } from '#wire/grid-certificate.js';
import type { StorageServer } from './storage-server.js';

/** What is said of a server's certificates: nobody asks for them, one is valid, all have expired, there is none, or not yet. */
export type CertificateState = 'not-needed' | 'valid' | 'expired' | 'none' | 'unverified';

/** The rule of one client. */
export class UploadPermission {
  /** Undefined where every server may. */
  readonly #managers: readonly Uint8Array[] | undefined;
  readonly #crypto: Pick<CryptoProvider, 'ed25519Verify'>;
  readonly #clock: Pick<Clock, 'nowMs'>;
  /** By server id: what was noted last. */
  readonly #noted = new Map<string, readonly GridCertificate[]>();
  /** Those of them that nobody has looked at yet, and whether somebody is about to. */
  readonly #unverified = new Set<string>();
  #isVerifying = false;
  /** By server id: when the last of its certificates ends, Unix milliseconds. */
  readonly #expiries = new Map<string, number>();

  /** @param managers - their public keys, 32 bytes each; undefined lets every server have shares, none at all nobody. */
  constructor(
    managers: readonly Uint8Array[] | undefined,
    crypto: Pick<CryptoProvider, 'ed25519Verify'>,
    clock: Pick<Clock, 'nowMs'>,
  ) {
    this.#managers = managers;
    this.#crypto = crypto;
    this.#clock = clock;
  }

  /** Takes note of what a server shows; it takes the place of what it showed before. */
  note({ serverId, certificates }: { serverId: string; certificates: readonly GridCertificate[] }): void {
    if (this.#managers === undefined || this.#noted.get(serverId) === certificates) return;
    this.#noted.set(serverId, certificates);
    this.#unverified.add(serverId);
    if (!this.#isVerifying) void this.#verifyAll();
  }

  /** One server in each turn of the event loop. */
  async #verifyAll(): Promise<void> {
    this.#isVerifying = true;
    for (const serverId of this.#unverified) {
      await new Promise((resolve) => setImmediate(resolve));
      this.#verify(serverId);
    }
    this.#isVerifying = false;
  }

  #verify(serverId: string): void {
    if (!this.#unverified.delete(serverId)) return;
    const expiries = (this.#noted.get(serverId) ?? [])
      .map((certificate) => verifyCertificate(certificate, this.#managers ?? [], this.#crypto))
      .filter((certified) => certified?.publicKey === `pub-${serverId}`)
      .map((certified) => certified?.expiresMs ?? 0);
    if (expiries.length === 0) this.#expiries.delete(serverId);
    else this.#expiries.set(serverId, Math.max(...expiries));
  }

  /** Whether the server may get new shares now. */
  allows(serverId: string): boolean {
    this.#verify(serverId);
    const state = this.stateOf(serverId);
    return state === 'not-needed' || state === 'valid';
  }

  /** What people are told. */
  stateOf(serverId: string): CertificateState {
    if (this.#managers === undefined) return 'not-needed';
    if (this.#unverified.has(serverId)) return 'unverified';
    const expiresMs = this.#expiries.get(serverId);
    if (expiresMs === undefined) return 'none';
    return expiresMs > this.#clock.nowMs() ? 'valid' : 'expired';
  }

  /** When the last certificate of a server ends, Unix milliseconds; undefined where it has none. */
  expiryOf(serverId: string): number | undefined {
    return this.#expiries.get(serverId);
  }
}

/** Who knows which servers may get new shares; without the question all may. */
export interface TakerContext {
  readonly mayTakeShares?: (server: StorageServer) => boolean;
}

/** Those of `servers` that may get new shares. */
export function takersOf({ mayTakeShares }: TakerContext, servers: readonly StorageServer[]): readonly StorageServer[] {
  return mayTakeShares === undefined ? servers : servers.filter((server) => mayTakeShares(server));
}

/** The same. @throws ERR_NOT_CERTIFIED when there are servers and none of them may. */
export function requireTakers(context: TakerContext, servers: readonly StorageServer[]): readonly StorageServer[] {
  const takers = takersOf(context, servers);
  if (takers.length > 0 || servers.length === 0) return takers;
  throw new TahoeError('ERR_NOT_CERTIFIED', { connected: servers.length });
}
