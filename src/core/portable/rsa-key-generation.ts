/**
 * New RSA keys of 2048 bits over the WASM core (FIPS 186-5, appendix A.1.3): two random primes of 1024 bits.
 *
 * Both primes are 3 modulo 4, for which the test of Miller and Rabin is one power, and have their two highest bits
 * set, so that their product has 2048. Candidates that are dropped betray nothing. Of the primes that are kept only
 * products and quotients are formed with `bigint`, none of which takes another way for another value.
 */
import { equalBytes } from '../bytes.js';
import type { Random } from '../environment.js';
import { encodePrivateKey, RSA_MODULUS_SIZE, RSA_PRIME_SIZE } from '../rsa/key.js';
import { fromInteger, toInteger } from './integers.js';
import type { ModularArithmetic } from './modular.js';

/** A prime itself, as the private exponent is found with its multiplicative inverses. */
const PUBLIC_EXPONENT = 65537;
/** Rounds of Miller and Rabin: FIPS 186-5, table B.1, asks 5 for primes of 1024 bits. */
const ROUNDS = 5;
/** Candidates are first divided by the odd primes below this. */
const SMALL_PRIMES_END = 2048;
/** One in 355 candidates is a prime; who needs so many draws no random numbers. */
const CANDIDATES_MAX = 20_000;
/** The first bytes of the two primes must differ: then they differ by more than 2^924. */
const DISTINCT_SIZE = 12;

const smallPrimes = Array.from({ length: SMALL_PRIMES_END }, (_, i) => i).filter((n) => {
  if (n < 3 || n % 2 === 0) return false;
  for (let d = 3; d * d <= n; d += 2) if (n % d === 0) return false;
  return true;
});

/** @returns 128 random bytes with the two highest and the two lowest bits set. */
function drawCandidate(random: Random): Uint8Array {
  const candidate = random.bytes(RSA_PRIME_SIZE);
  const last = RSA_PRIME_SIZE - 1;
  candidate[0] = (candidate[0] ?? 0) | 0xc0;
  candidate[last] = (candidate[last] ?? 0) | 3;
  return candidate;
}

/** Whether a candidate is prime, but for a chance below 2^−112. */
export function isProbablyPrime(arithmetic: ModularArithmetic, random: Random, candidate: Uint8Array): boolean {
  if (smallPrimes.some((prime) => arithmetic.remainder(candidate, prime) === 0)) return false;
  // candidate − 1 is 2·half, and half is odd: the candidate's lowest bits are 11.
  const half = fromInteger(toInteger(candidate) >> 1n, RSA_PRIME_SIZE);
  const one = fromInteger(1n, RSA_PRIME_SIZE);
  const minusOne = candidate.slice();
  minusOne[RSA_PRIME_SIZE - 1] = (minusOne[RSA_PRIME_SIZE - 1] ?? 0) ^ 1;
  for (let round = 0; round < ROUNDS; round++) {
    const power = arithmetic.power(random.bytes(RSA_PRIME_SIZE), half, candidate);
    if (!equalBytes(power, one) && !equalBytes(power, minusOne)) return false;
  }
  return true;
}

function findPrime(arithmetic: ModularArithmetic, random: Random, fits: (prime: Uint8Array) => boolean): Uint8Array {
  for (let drawn = 0; drawn < CANDIDATES_MAX; drawn++) {
    const candidate = drawCandidate(random);
    // Where the public exponent divides prime − 1 it has no inverse.
    if (arithmetic.remainder(candidate, PUBLIC_EXPONENT) === 1) continue;
    if (fits(candidate) && isProbablyPrime(arithmetic, random, candidate)) return candidate;
  }
  throw new Error('the random numbers are not random: no prime was found among them');
}

/** The inverse of the public exponent modulo `order`: (order·k + 1) / exponent, for the k that leaves no rest. */
function inverseOfPublicExponent(order: bigint): bigint {
  const rest = Number(order % BigInt(PUBLIC_EXPONENT));
  // rest^(65537 − 2), whose exponent is sixteen ones.
  let inverse = 1;
  for (let i = 0; i < 16; i++) inverse = (((inverse * inverse) % PUBLIC_EXPONENT) * rest) % PUBLIC_EXPONENT;
  return (order * BigInt(PUBLIC_EXPONENT - inverse) + 1n) / BigInt(PUBLIC_EXPONENT);
}

/**
 * A new key. It takes some tenths of a second, in which nothing else happens on the calling thread.
 * @returns PKCS#8 DER.
 */
export function generatePortableKey(arithmetic: ModularArithmetic, random: Random): Uint8Array {
  const p = findPrime(arithmetic, random, () => true);
  const q = findPrime(arithmetic, random, (prime) => {
    return !equalBytes(prime.subarray(0, DISTINCT_SIZE), p.subarray(0, DISTINCT_SIZE));
  });
  const [orderP, orderQ] = [toInteger(p) - 1n, toInteger(q) - 1n];
  const two = Uint8Array.of(2);
  return encodePrivateKey({
    modulus: arithmetic.productSum(p, q, Uint8Array.of()),
    exponent: fromInteger(BigInt(PUBLIC_EXPONENT), 3),
    privateExponent: fromInteger(inverseOfPublicExponent(orderP * orderQ), RSA_MODULUS_SIZE),
    primes: [p, q],
    primeExponents: [
      fromInteger(inverseOfPublicExponent(orderP), RSA_PRIME_SIZE),
      fromInteger(inverseOfPublicExponent(orderQ), RSA_PRIME_SIZE),
    ],
    // By Fermat: q^(p − 2) is 1/q modulo p.
    coefficient: arithmetic.power(q, arithmetic.difference(p, two, new Uint8Array(RSA_PRIME_SIZE).fill(0xff)), p),
  });
}
