/** Primes and keys of the portable provider, judged by OpenSSL. */
import t from 'tap';
import { checkPrimeSync, createPrivateKey, generatePrimeSync } from 'node:crypto';
import { toHex, utf8 } from '#core/bytes.js';
import { systemRandom } from '#core/native-crypto.js';
import { loadModularArithmetic } from '#core/portable/modular.js';
import { generatePortableKey, isProbablyPrime } from '#core/portable/rsa-key-generation.js';
import { toInteger } from '#core/portable/integers.js';
import { decodePrivateKey } from '#core/rsa/key.js';
import { crypto, seededRandom } from '../../fixtures/crypto.js';

const arithmetic = loadModularArithmetic();

t.test('primes are known, and products of large primes', async (t) => {
  const option = { bigint: true, add: 4n, rem: 3n } as const;
  for (let i = 0; i < 3; i++) {
    const prime = new Uint8Array(generatePrimeSync(1024, { add: Buffer.of(4), rem: Buffer.of(3) }));
    t.ok(isProbablyPrime(arithmetic, systemRandom, prime));
    const [a, b] = [generatePrimeSync(512, { ...option, rem: 1n }), generatePrimeSync(512, option)];
    const product = (a * b).toString(16).padStart(256, '0');
    if (product.startsWith('0')) continue;
    t.notOk(isProbablyPrime(arithmetic, systemRandom, new Uint8Array(Buffer.from(product, 'hex'))));
  }
});

t.test('a key: its numbers are what FIPS 186 and OpenSSL ask, its DER is OpenSSL’s', async (t) => {
  const pkcs8 = generatePortableKey(arithmetic, seededRandom('a key'));
  t.same(generatePortableKey(arithmetic, seededRandom('a key')), pkcs8, 'a seed repeats it');
  const { modulus, exponent, privateExponent, primes, primeExponents, coefficient } = decodePrivateKey(pkcs8);
  const [n, e, d, c] = [toInteger(modulus), toInteger(exponent), toInteger(privateExponent), toInteger(coefficient)];
  const [p, q] = primes.map(toInteger) as [bigint, bigint];
  const [dp, dq] = primeExponents.map(toInteger) as [bigint, bigint];
  t.ok(checkPrimeSync(p) && checkPrimeSync(q));
  t.equal(p * q, n);
  t.equal(e, 65537n);
  t.equal((d * e) % ((p - 1n) * (q - 1n)), 1n);
  t.equal(dp, d % (p - 1n));
  t.equal(dq, d % (q - 1n));
  t.equal((c * q) % p, 1n);
  const key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
  t.equal(key.export({ format: 'der', type: 'pkcs8' }).toString('hex'), toHex(pkcs8));
  const message = utf8('what is signed');
  t.ok(crypto.rsaVerify(crypto.rsaPublicKey(pkcs8), message, crypto.rsaSign(pkcs8, message)));
});

t.test('numbers that are not random end the search', async (t) => {
  const constant = { bytes: (size: number) => new Uint8Array(size).fill(0x77) };
  t.throws(() => generatePortableKey(arithmetic, constant), /not random/);
});
