/**
 * The keys of a mutable file. Everything follows from one RSA private key:
 *
 *     private key (PKCS#8 DER) ─► write key ─► read key ─► storage index
 *                   │                 └─► encrypts the private key, which every share carries; write enablers
 *                   └─► public key (SubjectPublicKeyInfo DER) ─► fingerprint
 *
 * The very bytes count: a key that is written otherwise gives another write key, so nothing is ever encoded anew.
 * @see Tahoe-LAFS docs/specifications/mutable.rst
 */
import { equalBytes } from '../bytes.js';
import { concealed } from '../capability/types.js';
import type { MutableFormat, MutableWriteCapability } from '../capability/types.js';
import type { BulkCrypto, CryptoProvider } from '../crypto.js';
import {
  deriveFingerprint,
  deriveMutableReadKey,
  deriveMutableStorageIndex,
  deriveMutableWriteKey,
} from '../derive.js';
import { TahoeError } from '../errors.js';

/** All keys of one file, for who may write it. Secret but for the public key, fingerprint and storage index. */
export interface MutableKeys {
  /** PKCS#8 DER. */
  readonly privateKey: Uint8Array;
  /** SubjectPublicKeyInfo DER. */
  readonly publicKey: Uint8Array;
  /** 16 bytes. */
  readonly writeKey: Uint8Array;
  /** 16 bytes. */
  readonly readKey: Uint8Array;
  /** 16 bytes. */
  readonly storageIndex: Uint8Array;
  /** 32 bytes. */
  readonly fingerprint: Uint8Array;
  /** As shares carry it; as long as the private key. */
  readonly encryptedPrivateKey: Uint8Array;
}

/**
 * All keys that follow from a private key.
 * @param privateKey - PKCS#8 DER.
 * @throws ERR_RSA_KEY when it is no RSA key of 2048 bits.
 */
export function mutableKeysOf(crypto: CryptoProvider, privateKey: Uint8Array): MutableKeys {
  const publicKey = crypto.rsaPublicKey(privateKey);
  const writeKey = deriveMutableWriteKey(crypto, privateKey);
  const readKey = deriveMutableReadKey(crypto, writeKey);
  return {
    privateKey,
    publicKey,
    writeKey,
    readKey,
    storageIndex: deriveMutableStorageIndex(crypto, readKey),
    fingerprint: deriveFingerprint(crypto, publicKey),
    encryptedPrivateKey: crypto.aesCtr(writeKey, 0).process(privateKey),
  };
}

/** The capability to write the file of these keys. */
export function writeCapabilityOf(
  format: MutableFormat,
  { writeKey, fingerprint }: Pick<MutableKeys, 'writeKey' | 'fingerprint'>,
): MutableWriteCapability {
  return concealed({ kind: 'ssk', format, writeKey, fingerprint });
}

/**
 * The private key that a share carries.
 * @param writeKey - 16 bytes.
 * @returns PKCS#8 DER.
 * @throws ERR_HASH when it is not the one that the write key was derived from.
 */
export function decryptPrivateKey(crypto: BulkCrypto, writeKey: Uint8Array, encrypted: Uint8Array): Uint8Array {
  const privateKey = crypto.aesCtr(writeKey, 0).process(encrypted);
  if (equalBytes(deriveMutableWriteKey(crypto, privateKey), writeKey)) return privateKey;
  throw new TahoeError('ERR_HASH', { what: 'the encrypted private key' });
}
