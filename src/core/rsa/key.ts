/**
 * RSA keys of 2048 bits, as bytes and as numbers.
 *
 *     private  PKCS#8 PrivateKeyInfo (RFC 5208) around PKCS#1 RSAPrivateKey (RFC 8017, appendix A.1.2)
 *     public   SubjectPublicKeyInfo (RFC 5280) around PKCS#1 RSAPublicKey
 *
 * Both providers read keys here, so that they accept the same. What is checked is the form and the sizes, not whether
 * the numbers belong together: a signature is verified before it is handed out, which shows that. A file's keys
 * follow from the bytes of its private key, which are therefore kept as they are and never encoded again.
 */
import { DerReader, derPkcs8, derPublicKeyInfo, derSequence, derUnsigned, rsaKeyError } from './der.js';

/** The modulus, and so a signature, in bytes. */
export const RSA_MODULUS_SIZE = 256;
/** Each of the two primes, in bytes. */
export const RSA_PRIME_SIZE = 128;
/** The public exponent at most, in bytes, as FIPS 186-5 has it. Files have 17 and 65537. */
const PUBLIC_EXPONENT_SIZE_MAX = 32;

/** Numbers are magnitudes: big-endian, without leading zeros. */
export interface RsaPublicNumbers {
  /** Odd, 256 bytes with the highest bit set. */
  readonly modulus: Uint8Array;
  /** Odd, at least 3 and at most 32 bytes. */
  readonly exponent: Uint8Array;
}

/** The names of RFC 8017 are n, e, d, p, q, dP, dQ, qInv. */
export interface RsaPrivateNumbers extends RsaPublicNumbers {
  /** At most 256 bytes. */
  readonly privateExponent: Uint8Array;
  /** p and q: odd, 128 bytes each with the highest bit set. */
  readonly primes: readonly [Uint8Array, Uint8Array];
  /** d modulo p − 1 and q − 1, at most 128 bytes each. */
  readonly primeExponents: readonly [Uint8Array, Uint8Array];
  /** 1/q modulo p, at most 128 bytes. */
  readonly coefficient: Uint8Array;
}

/** @throws ERR_RSA_KEY when the bytes are no private RSA key of 2048 bits in PKCS#8. */
export function decodePrivateKey(pkcs8: Uint8Array): RsaPrivateNumbers {
  const reader = new DerReader(pkcs8).onlySequence();
  reader.versionZero();
  reader.rsaEncryption();
  const pkcs1 = reader.octetString();
  reader.end();
  return decodePkcs1(pkcs1);
}

/** @throws ERR_RSA_KEY when the bytes are no public RSA key of 2048 bits in SubjectPublicKeyInfo. */
export function decodePublicKey(spki: Uint8Array): RsaPublicNumbers {
  const outer = new DerReader(spki).onlySequence();
  outer.rsaEncryption();
  const pkcs1 = outer.bitString();
  outer.end();
  const reader = new DerReader(pkcs1).onlySequence();
  const [modulus, exponent] = [reader.unsigned(), reader.unsigned()];
  reader.end();
  return checkedPublic({ modulus, exponent });
}

/** The SubjectPublicKeyInfo of a key. */
export function encodePublicKey({ modulus, exponent }: RsaPublicNumbers): Uint8Array {
  return derPublicKeyInfo(derSequence(derUnsigned(modulus), derUnsigned(exponent)));
}

/** The PKCS#8 of a new key; leading zeros of its numbers are dropped. */
export function encodePrivateKey(key: RsaPrivateNumbers): Uint8Array {
  const { modulus, exponent, privateExponent, primes, primeExponents, coefficient } = key;
  const numbers = [modulus, exponent, privateExponent, ...primes, ...primeExponents, coefficient];
  return derPkcs8(derSequence(derUnsigned(Uint8Array.of(0)), ...numbers.map(derUnsigned)));
}

function decodePkcs1(pkcs1: Uint8Array): RsaPrivateNumbers {
  const reader = new DerReader(pkcs1).onlySequence();
  reader.versionZero();
  const next = (): Uint8Array => reader.unsigned();
  const { modulus, exponent } = checkedPublic({ modulus: next(), exponent: next() });
  const privateExponent = ofAtMost(next(), RSA_MODULUS_SIZE);
  const primes = [checkedPrime(next()), checkedPrime(next())] as const;
  const primeExponents = [ofAtMost(next(), RSA_PRIME_SIZE), ofAtMost(next(), RSA_PRIME_SIZE)] as const;
  const coefficient = ofAtMost(next(), RSA_PRIME_SIZE);
  reader.end();
  return { modulus, exponent, privateExponent, primes, primeExponents, coefficient };
}

function checkedPublic({ modulus, exponent }: RsaPublicNumbers): RsaPublicNumbers {
  if (!fills(modulus, RSA_MODULUS_SIZE)) throw rsaKeyError('it has not 2048 bits');
  if (!isOdd(modulus)) throw rsaKeyError('its modulus is even');
  const isOne = exponent.length === 1 && exponent[0] === 1;
  if (!isOdd(exponent) || isOne) throw rsaKeyError('its public exponent is even or 1');
  return { modulus, exponent: ofAtMost(exponent, PUBLIC_EXPONENT_SIZE_MAX) };
}

function checkedPrime(prime: Uint8Array): Uint8Array {
  if (!fills(prime, RSA_PRIME_SIZE)) throw rsaKeyError('its primes have not 1024 bits each');
  if (!isOdd(prime)) throw rsaKeyError('one of its primes is even');
  return prime;
}

function ofAtMost(magnitude: Uint8Array, size: number): Uint8Array {
  if (magnitude.length > size) throw rsaKeyError('one of its numbers is too large');
  return magnitude;
}

function fills(magnitude: Uint8Array, size: number): boolean {
  return magnitude.length === size && (magnitude[0] ?? 0) >= 0x80;
}

function isOdd(magnitude: Uint8Array): boolean {
  return ((magnitude[magnitude.length - 1] ?? 0) & 1) === 1;
}
