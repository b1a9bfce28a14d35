/**
 * RSA-PSS over the WASM core (RFC 8017, sections 5.2 and 8.1).
 *
 * A signature is made with the primes, of a message blinded by a random factor, and verified before it is handed out:
 * one that came out wrong, by a fault or because the key's numbers do not belong together, would betray the primes.
 * If they do not lead to a right one the private exponent is tried, as OpenSSL does.
 */
import { concat, equalBytes } from '../bytes.js';
import type { RsaCrypto } from '../crypto.js';
import type { Random } from '../environment.js';
import { rsaKeyError } from '../rsa/der.js';
import { decodePrivateKey, decodePublicKey, encodePublicKey, RSA_MODULUS_SIZE, RSA_PRIME_SIZE } from '../rsa/key.js';
import type { RsaPrivateNumbers } from '../rsa/key.js';
import { encodePss, PSS_SALT_SIZE, verifyPss } from '../rsa/pss.js';
import { fromInteger, inverseOf, toInteger } from './integers.js';
import type { ModularArithmetic } from './modular.js';

/** What signing needs beside numbers. */
interface Surroundings {
  readonly arithmetic: ModularArithmetic;
  readonly sha256: (bytes: Uint8Array) => Uint8Array;
  readonly random: Random;
}

/** A way from a number to its power by the private exponent. */
type PrivatePower = (arithmetic: ModularArithmetic, base: Uint8Array, key: RsaPrivateNumbers) => Uint8Array;

/** With leading zeros, so that a number's size tells nothing. */
function padded(number: Uint8Array, size: number): Uint8Array {
  return concat(new Uint8Array(size - number.length), number);
}

const byPrimes: PrivatePower = (arithmetic, base, { primes: [p, q], primeExponents, coefficient }) => {
  const [exponentP, exponentQ] = primeExponents;
  const ofP = arithmetic.power(base, padded(exponentP, RSA_PRIME_SIZE), p);
  const ofQ = arithmetic.power(base, padded(exponentQ, RSA_PRIME_SIZE), q);
  const quotient = arithmetic.product(arithmetic.difference(ofP, ofQ, p), coefficient, p);
  return arithmetic.productSum(quotient, q, ofQ);
};

const byExponent: PrivatePower = (arithmetic, base, { modulus, privateExponent }) =>
  arithmetic.power(base, padded(privateExponent, RSA_MODULUS_SIZE), modulus);

/**
 * A random number and its inverse. Euclid's algorithm, whose time tells its operand, sees the number only multiplied
 * by another random one.
 */
function blindingPair({ arithmetic, random }: Surroundings, modulus: Uint8Array): readonly [Uint8Array, Uint8Array] {
  const [factor, veil] = [random.bytes(RSA_MODULUS_SIZE), random.bytes(RSA_MODULUS_SIZE)];
  const veiled = arithmetic.product(factor, veil, modulus);
  const inverse = inverseOf(toInteger(veiled), toInteger(modulus));
  if (inverse === undefined) throw rsaKeyError('its modulus has a small factor');
  return [factor, arithmetic.product(fromInteger(inverse, RSA_MODULUS_SIZE), veil, modulus)];
}

function blindedPower(
  given: Surroundings,
  base: Uint8Array,
  key: RsaPrivateNumbers,
  privatePower: PrivatePower,
): Uint8Array {
  const { arithmetic } = given;
  const { modulus, exponent } = key;
  const [factor, inverse] = blindingPair(given, modulus);
  const blind = arithmetic.publicPower(factor, exponent, modulus);
  const power = privatePower(arithmetic, arithmetic.product(base, blind, modulus), key);
  return arithmetic.product(power, inverse, modulus);
}

function sign(given: Surroundings, privateKey: Uint8Array, message: Uint8Array): Uint8Array {
  const key = decodePrivateKey(privateKey);
  const encoded = encodePss(given.sha256, message, given.random.bytes(PSS_SALT_SIZE));
  for (const privatePower of [byPrimes, byExponent]) {
    const signature = blindedPower(given, encoded, key, privatePower);
    if (equalBytes(given.arithmetic.publicPower(signature, key.exponent, key.modulus), encoded)) return signature;
  }
  throw rsaKeyError('its numbers do not belong together');
}

function verify(
  { arithmetic, sha256 }: Surroundings,
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { modulus, exponent } = decodePublicKey(publicKey);
  if (signature.length !== RSA_MODULUS_SIZE || toInteger(signature) >= toInteger(modulus)) return false;
  return verifyPss(sha256, message, arithmetic.publicPower(signature, exponent, modulus));
}

/** Everything of RSA but making keys. @see RsaCrypto */
export function portableRsa(given: Surroundings): Omit<RsaCrypto, 'generateRsaKey'> {
  return {
    rsaPublicKey: (privateKey) => encodePublicKey(decodePrivateKey(privateKey)),
    rsaSign: (privateKey, message) => sign(given, privateKey, message),
    rsaVerify: (publicKey, message, signature) => verify(given, publicKey, message, signature),
  };
}
