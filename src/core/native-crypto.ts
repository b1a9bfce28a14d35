/**
 * The native crypto provider: OpenSSL through node:crypto, and libsodium for BLAKE2b-256, which OpenSSL has
 * only with 64 bytes of output. Node's own binding is ten to a hundred times faster than any WASM for the rest.
 */
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  hash,
  randomBytes,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import sodium from 'libsodium-wrappers';
import { concat } from './bytes.js';
import type { CryptoProvider } from './crypto.js';
import { nativeBulkCrypto, owned } from './native-bulk-crypto.js';
import { nativeRsa } from './native-rsa.js';

/** DER in front of a raw Ed25519 key: PKCS#8 (RFC 8410, section 7) and SubjectPublicKeyInfo (section 4). */
const ED25519_PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const ED25519_SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

const comparisonKey = randomBytes(32);

function ed25519Private(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([ED25519_PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
}

function ed25519Public(publicKey: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([ED25519_SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' });
}

function blinded(bytes: Uint8Array): Buffer {
  return createHmac('sha256', comparisonKey).update(bytes).digest();
}

/**
 * Makes the provider.
 * @returns it once libsodium's WASM is ready.
 */
export async function createNativeCrypto(): Promise<CryptoProvider> {
  await sodium.ready;
  return {
    name: 'native',
    ...nativeBulkCrypto,
    ...nativeRsa,
    sha1: (bytes) => owned(hash('sha1', bytes, 'buffer')),
    blake2b256: (bytes) => sodium.crypto_generichash(32, bytes, null),
    ed25519PublicKey: (seed) =>
      owned(createPublicKey(ed25519Private(seed)).export({ format: 'der', type: 'spki' }).subarray(-32)),
    ed25519Sign: (seed, message) => owned(sign(null, message, ed25519Private(seed))),
    ed25519Verify: (publicKey, message, signature) => verify(null, message, ed25519Public(publicKey), signature),
    equalSecrets: (a, b) => timingSafeEqual(blinded(a), blinded(b)),
  };
}

/** Randomness from the operating system. */
export const systemRandom = { bytes: (size: number): Uint8Array => concat(randomBytes(size)) };
