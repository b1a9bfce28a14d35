/**
 * The portable crypto provider: the WASM core for AES, SHA and RSA, libsodium for BLAKE2b-256 and Ed25519. It needs
 * nothing of Node and gives the bytes that the native provider gives, some five to ten times slower.
 *
 * Keys and secrets decide no branch and no address in the WASM core's sources; what engines and processors make of
 * them nobody promises. Where OpenSSL is at hand, it is the better choice.
 */
import sodium from 'libsodium-wrappers';
import { concat } from './bytes.js';
import type { CryptoProvider } from './crypto.js';
import type { Random } from './environment.js';
import { loadPortableBulkCrypto } from './portable/bulk.js';
import { loadModularArithmetic } from './portable/modular.js';
import { generatePortableKey } from './portable/rsa-key-generation.js';
import { portableRsa } from './portable/rsa.js';

const ED25519_SIGNATURE_SIZE = 64;

/** Whether two digests are equal, in the same time wherever they differ. */
function equalDigests(a: Uint8Array, b: Uint8Array): boolean {
  let different = 0;
  for (const [i, byte] of a.entries()) different |= byte ^ (b[i] ?? 0);
  return different === 0;
}

/**
 * Makes the provider. Its `generateRsaKey` works on the calling thread: in a node, put another in its place.
 * @param random - for salts, blinding and new keys.
 * @returns it once libsodium's WASM is ready.
 * @throws ERR_WASM when a core fails its self-test.
 */
export async function createPortableCrypto(random: Random): Promise<CryptoProvider> {
  await sodium.ready;
  const bulk = loadPortableBulkCrypto();
  const arithmetic = loadModularArithmetic();
  const sha256 = (bytes: Uint8Array): Uint8Array => bulk.sha256(bytes);
  const comparisonKey = random.bytes(32);
  const blinded = (secret: Uint8Array): Uint8Array => sha256(concat(comparisonKey, secret));
  return {
    name: 'portable',
    ...bulk,
    ...portableRsa({ arithmetic, sha256, random }),
    generateRsaKey: () => Promise.resolve(generatePortableKey(arithmetic, random)),
    blake2b256: (bytes) => sodium.crypto_generichash(32, bytes, null),
    ed25519PublicKey: (seed) => sodium.crypto_sign_seed_keypair(seed).publicKey,
    ed25519Sign: (seed, message) =>
      sodium.crypto_sign_detached(message, sodium.crypto_sign_seed_keypair(seed).privateKey),
    ed25519Verify: (publicKey, message, signature) =>
      signature.length === ED25519_SIGNATURE_SIZE && sodium.crypto_sign_verify_detached(signature, message, publicKey),
    equalSecrets: (a, b) => equalDigests(blinded(a), blinded(b)),
  };
}
