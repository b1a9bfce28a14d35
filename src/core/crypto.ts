/**
 * The door to the cryptographic primitives. Everything in core takes a `CryptoProvider`; nobody imports one.
 * The native provider (OpenSSL and libsodium) is `native-crypto.ts`, the portable one (the WASM core and libsodium)
 * `portable-crypto.ts`; `node/` chooses.
 *
 * All digests are fresh arrays that the caller owns. Key and digest lengths are in bytes.
 */

/** A running hash. `digest` ends it. */
export interface Hasher {
  update(bytes: Uint8Array): this;
  digest(): Uint8Array;
}

/** A key stream that is XORed onto what passes; encrypting and decrypting are the same. */
export interface StreamCipher {
  /** @returns as many bytes as came in, in an array of its own. */
  process(bytes: Uint8Array): Uint8Array;
}

/** The primitives that every byte of a file passes through. */
export interface BulkCrypto {
  /** SHA-256, 32 bytes. */
  sha256(bytes: Uint8Array): Uint8Array;
  sha256Hasher(): Hasher;
  /**
   * AES in counter mode, the counter 128 bits big-endian and zero at offset 0.
   * @param key - 16 or 32 bytes.
   * @param offset - where in the key stream to begin, in bytes.
   */
  aesCtr(key: Uint8Array, offset: number): StreamCipher;
}

/** RSA keys of 2048 bits as mutable files use them: PSS over SHA-256, MGF1 with SHA-256, a salt of 32 bytes. Keys are DER and never re-encoded. */
export interface RsaCrypto {
  /** A new key pair, made off the calling thread. @returns PKCS#8 DER, unencrypted. */
  generateRsaKey(): Promise<Uint8Array>;
  /** The SubjectPublicKeyInfo DER of a private key (PKCS#8 DER). @throws ERR_RSA_KEY when it is no RSA key of 2048 bits. */
  rsaPublicKey(privateKey: Uint8Array): Uint8Array;
  /** @returns a signature of 256 bytes. @throws ERR_RSA_KEY. */
  rsaSign(privateKey: Uint8Array, message: Uint8Array): Uint8Array;
  /** False for a wrong signature. @throws ERR_RSA_KEY when `publicKey` (SPKI DER) is no RSA key of 2048 bits. */
  rsaVerify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}

/** The providers: OpenSSL through node:crypto, and the WASM core. */
export const cryptoNames = ['native', 'portable'] as const;

/** Which provider. */
export type CryptoName = (typeof cryptoNames)[number];

/** The primitives. All providers give the same bytes. */
export interface CryptoProvider extends BulkCrypto, RsaCrypto {
  readonly name: CryptoName;
  /** SHA-1, 20 bytes: only for the permutation of servers and tub ids, where Tahoe fixed it. */
  sha1(bytes: Uint8Array): Uint8Array;
  /** BLAKE2b with 32 bytes of output and no key: how containers of version 2 keep lease secrets. */
  blake2b256(bytes: Uint8Array): Uint8Array;
  /** @param seed - 32 bytes. @returns the 32-byte public key. */
  ed25519PublicKey(seed: Uint8Array): Uint8Array;
  /** @returns a 64-byte signature. */
  ed25519Sign(seed: Uint8Array, message: Uint8Array): Uint8Array;
  ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /** Whether both are equal, in time that depends on their lengths only (blinded by a random key). */
  equalSecrets(a: Uint8Array, b: Uint8Array): boolean;
}
