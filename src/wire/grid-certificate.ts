/**
 * Certificates of grid managers: that a storage server, known by its public key, may get new shares until a day.
 *
 *     {"certificate": "{\"expires\":\"2026-12-31T00:00:00+00:00\",\"public_key\":\"pub-v0-…\",\"version\":1}",
 *      "signature": "<base32 of 64 bytes: Ed25519 over the UTF-8 of that inner text>"}
 *
 * The inner text is verified as it came and never written anew.
 * @see Tahoe-LAFS docs/managed-grid.rst
 */
import { formatBase32, parseBase32 } from '#core/base32.js';
import { utf8 } from '#core/bytes.js';
import type { CryptoProvider } from '#core/crypto.js';
import { TahoeError } from '#core/errors.js';
import { isSignedBy } from './signing-key.js';

/** The longest inner text that is read, in characters. */
export const CERTIFICATE_LENGTH_MAX = 2048;
/** The most certificates of one server that are looked at. */
export const CERTIFICATE_COUNT_MAX = 16;

/** A certificate as it travels, not verified. */
export interface GridCertificate {
  readonly certificate: string;
  /** Base32. */
  readonly signature: string;
}

/** What a verified certificate says. */
export interface CertifiedServer {
  /** `pub-v0-…` */
  readonly publicKey: string;
  /** Unix milliseconds. */
  readonly expiresMs: number;
}

/** A time with its zone, as Python writes it; without one nobody could say when it is. */
const EXPIRES =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})$/;

/** @param seed - the manager's key, 32 bytes. @param publicKey - of the server, `pub-v0-…`. */
export function signCertificate(
  { publicKey, expiresMs }: CertifiedServer,
  seed: Uint8Array,
  crypto: Pick<CryptoProvider, 'ed25519Sign'>,
): GridCertificate {
  const certificate = JSON.stringify({ expires: formatExpiry(expiresMs), public_key: publicKey, version: 1 });
  return { certificate, signature: formatBase32(crypto.ed25519Sign(seed, utf8(certificate))) };
}

/** The time as Python's `isoformat` writes it, to the microsecond. */
export function formatExpiry(expiresMs: number): string {
  return new Date(expiresMs).toISOString().replace('Z', '000+00:00');
}

/**
 * What a certificate says, when one of the managers signed it. Whether it has expired is the caller's to ask, each time.
 * @param managers - public keys, 32 bytes each.
 * @returns undefined when none of them signed it, or it is of a version that is not known.
 */
export function verifyCertificate(
  { certificate, signature }: GridCertificate,
  managers: readonly Uint8Array[],
  crypto: Pick<CryptoProvider, 'ed25519Verify'>,
): CertifiedServer | undefined {
  const bytes = base32OrNothing(signature);
  const isSigned = managers.some((manager) => isSignedBy(crypto, manager, utf8(certificate), bytes));
  return isSigned ? readCertificate(certificate) : undefined;
}

/** What the inner text says, whoever wrote it; undefined when it is none. */
export function readCertificate(text: string): CertifiedServer | undefined {
  const fields = recordOf(parseJson(text));
  const [publicKey, expires] = [fields?.get('public_key'), fields?.get('expires')];
  if (fields?.get('version') !== 1 || typeof publicKey !== 'string' || typeof expires !== 'string') return undefined;
  const expiresMs = EXPIRES.test(expires) ? Date.parse(expires.replace(' ', 'T')) : Number.NaN;
  return Number.isFinite(expiresMs) ? { publicKey, expiresMs } : undefined;
}

/**
 * A certificate from a file's text.
 * @throws ERR_CERTIFICATE when it is not a JSON object of exactly the two texts, or too long.
 */
export function parseCertificate(text: string): GridCertificate {
  const fields = recordOf(parseJson(text));
  if (fields === undefined) throw unusable('it is no JSON object');
  const certificate = certificateOf(fields);
  if (certificate === undefined || fields.size !== 2) {
    throw unusable("it must hold a 'certificate' and a 'signature' and nothing else");
  }
  return certificate;
}

/** The certificate in an announcement's field, which was parsed from JSON or from YAML; undefined for what is none. */
export function certificateOf(value: unknown): GridCertificate | undefined {
  const fields = recordOf(value);
  const [certificate, signature] = [fields?.get('certificate'), fields?.get('signature')];
  if (typeof certificate !== 'string' || typeof signature !== 'string') return undefined;
  return certificate.length <= CERTIFICATE_LENGTH_MAX && signature.length <= 128
    ? { certificate, signature }
    : undefined;
}

/** The certificate's file, as the reference writes it. */
export function formatCertificate({ certificate, signature }: GridCertificate): string {
  return JSON.stringify({ certificate, signature }, null, 4);
}

function recordOf(value: unknown): ReadonlyMap<unknown, unknown> | undefined {
  if (value instanceof Map) return value;
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? new Map<unknown, unknown>(Object.entries(value))
    : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function base32OrNothing(text: string): Uint8Array {
  try {
    return parseBase32(text);
  } catch {
    return new Uint8Array(0);
  }
}

function unusable(reason: string): TahoeError {
  return new TahoeError('ERR_CERTIFICATE', { reason });
}
