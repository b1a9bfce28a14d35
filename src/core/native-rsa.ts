/** RSA-PSS by OpenSSL. The form of keys is judged in `rsa/key.ts`, as for every provider. */
import { constants, createPrivateKey, createPublicKey, generateKeyPair, hash, sign, verify } from 'node:crypto';
import type { KeyObject, RSAKeyPairOptions } from 'node:crypto';
import type { RsaCrypto } from './crypto.js';
import { owned } from './native-bulk-crypto.js';
import { rsaKeyError } from './rsa/der.js';
import { KeyCache } from './rsa/key-cache.js';
import { decodePrivateKey, decodePublicKey, encodePublicKey, RSA_MODULUS_SIZE } from './rsa/key.js';

const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };

interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

function opened(what: string, open: () => KeyObject): KeyObject {
  try {
    return open();
  } catch (cause) {
    throw rsaKeyError(`OpenSSL does not take the ${what} key`, cause);
  }
}

function openPublicKey(spki: Uint8Array): KeyObject {
  decodePublicKey(spki);
  return opened('public', () => createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }));
}

function openKeyPair(pkcs8: Uint8Array): KeyPair {
  const publicKey = openPublicKey(encodePublicKey(decodePrivateKey(pkcs8)));
  const open = (): KeyObject => createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
  return { privateKey: opened('private', open), publicKey };
}

const digestOf = (key: Uint8Array): Uint8Array => hash('sha256', key, 'buffer');
const keyPairs = new KeyCache(digestOf, openKeyPair);
const publicKeys = new KeyCache(digestOf, openPublicKey);

function signature({ privateKey, publicKey }: KeyPair, message: Uint8Array): Uint8Array {
  const made = sign('sha256', message, { key: privateKey, ...pss });
  // A key whose numbers do not belong together gives signatures too, which may betray its primes.
  if (!verify('sha256', message, { key: publicKey, ...pss }, made)) throw new Error('the signature is wrong');
  return owned(made);
}

/** @see RsaCrypto */
export const nativeRsa: RsaCrypto = {
  generateRsaKey: () =>
    new Promise((resolve, reject) => {
      const options: RSAKeyPairOptions<'der', 'der'> = {
        modulusLength: 8 * RSA_MODULUS_SIZE,
        publicExponent: 65537,
        publicKeyEncoding: { format: 'der', type: 'spki' },
        privateKeyEncoding: { format: 'der', type: 'pkcs8' },
      };
      generateKeyPair('rsa', options, (error: Error | null, _publicKey: Buffer, privateKey: Buffer) => {
        if (error === null) resolve(owned(privateKey));
        else reject(error);
      });
    }),
  rsaPublicKey: (privateKey) => encodePublicKey(decodePrivateKey(privateKey)),
  rsaSign(privateKey, message) {
    const pair = keyPairs.get(privateKey);
    try {
      return signature(pair, message);
    } catch (cause) {
      throw rsaKeyError('its numbers do not belong together', cause);
    }
  },
  rsaVerify(publicKey, message, signature) {
    const key = publicKeys.get(publicKey);
    return signature.length === RSA_MODULUS_SIZE && verify('sha256', message, { key, ...pss }, signature);
  },
};
