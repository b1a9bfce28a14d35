/** Ed25519 keys for people to copy: what `admin generate-keypair` and `derive-pubkey` print. */
import type { CryptoProvider } from '#core/crypto.js';
import type { Random } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { systemRandom } from '#core/native-crypto.js';
import { dangerouslyFormatPrivateKey, formatPublicKey, parsePrivateKey } from '#wire/signing-key.js';

/** The system's randomness, for programs beside the node. */
export const nodeRandom: Random = systemRandom;

/** The two lines of a new key. The first is a secret. */
export function dangerousKeypairLines(crypto: Pick<CryptoProvider, 'ed25519PublicKey'>, random: Random): string[] {
  return linesOf(random.bytes(32), crypto);
}

/** The two lines of a key that is there. @throws ERR_USAGE when it is none; the message does not repeat it. */
export function dangerousDerivedLines(privateKey: string, crypto: Pick<CryptoProvider, 'ed25519PublicKey'>): string[] {
  const seed = parsePrivateKey(privateKey.trim());
  if (seed !== undefined) return linesOf(seed, crypto);
  throw new TahoeError('ERR_USAGE', { reason: 'this is no private key: priv-v0- and 52 characters are expected' });
}

function linesOf(seed: Uint8Array, crypto: Pick<CryptoProvider, 'ed25519PublicKey'>): string[] {
  return [`private: ${dangerouslyFormatPrivateKey(seed)}`, `public: ${formatPublicKey(crypto.ed25519PublicKey(seed))}`];
}
