/**
 * The crypto provider that a node asked for. Each is loaded only where it is chosen, and a thread that only encodes
 * loads only what it needs of it.
 */
import type { BulkCrypto, CryptoName, CryptoProvider } from '#core/crypto.js';

/** @throws ERR_WASM when the portable provider fails its self-test. */
export async function createCrypto(name: CryptoName): Promise<CryptoProvider> {
  const { createNativeCrypto, systemRandom } = await import('#core/native-crypto.js');
  if (name === 'native') return createNativeCrypto();
  const { createPortableCrypto } = await import('#core/portable-crypto.js');
  const { generateKeyOnThread } = await import('./rsa-key-thread.js');
  return { ...(await createPortableCrypto(systemRandom)), generateRsaKey: generateKeyOnThread };
}

/** @throws ERR_WASM when the portable provider fails its self-test. */
export async function createBulkCrypto(name: CryptoName): Promise<BulkCrypto> {
  if (name === 'native') return (await import('#core/native-bulk-crypto.js')).nativeBulkCrypto;
  return (await import('#core/portable/bulk.js')).loadPortableBulkCrypto();
}
