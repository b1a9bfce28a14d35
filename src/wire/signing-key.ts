/**
 * Ed25519 keys as people copy them: `priv-v0-` and `pub-v0-` with 52 characters of base32 for 32 bytes.
 * @see Tahoe-LAFS src/allmydata/crypto/ed25519.py
 */
import { formatBase32, parseBase32 } from '#core/base32.js';
import type { CryptoProvider } from '#core/crypto.js';

const KEY = /^(priv|pub)-v0-([a-z2-7]{52})$/;

/** The 32 bytes of a public key; undefined for what is none. */
export function parsePublicKey(text: string): Uint8Array | undefined {
  return parseKey('pub', text);
}

/** The 32 bytes of a private key, the seed; undefined for what is none. */
export function parsePrivateKey(text: string): Uint8Array | undefined {
  return parseKey('priv', text);
}

/** `pub-v0-…` */
export function formatPublicKey(publicKey: Uint8Array): string {
  return `pub-v0-${formatBase32(publicKey)}`;
}

/** `priv-v0-…`: a secret. */
export function dangerouslyFormatPrivateKey(seed: Uint8Array): string {
  return `priv-v0-${formatBase32(seed)}`;
}

/** Whether the signature (64 bytes) is that of the key; false too for a key that is no point of the curve. */
export function isSignedBy(
  crypto: Pick<CryptoProvider, 'ed25519Verify'>,
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    return signature.length === 64 && crypto.ed25519Verify(publicKey, message, signature);
  } catch {
    return false;
  }
}

function parseKey(kind: string, text: string): Uint8Array | undefined {
  const [, prefix, encoded = ''] = KEY.exec(text) ?? [];
  if (prefix !== kind) return undefined;
  try {
    return parseBase32(encoded);
  } catch {
    return undefined;
  }
}
