/** Keys and signatures that are not what they should be: both providers refuse the same ones, by name, and sign nothing. */
import t from 'tap';
import fc from 'fast-check';
import { constants, createPrivateKey, generateKeyPairSync, privateEncrypt, sign } from 'node:crypto';
import { concat, utf8 } from '#core/bytes.js';
import type { CryptoProvider } from '#core/crypto.js';
import { isTahoeError } from '#core/errors.js';
import { createNativeCrypto, systemRandom } from '#core/native-crypto.js';
import { createPortableCrypto } from '#core/portable-crypto.js';
import { fromInteger, toInteger } from '#core/portable/integers.js';
import { derPublicKeyInfo, derSequence, derUnsigned } from '#core/rsa/der.js';
import { parsePrivateKeyText } from '#core/rsa/key-text.js';
import { decodePrivateKey, encodePrivateKey } from '#core/rsa/key.js';
import { encodePss } from '#core/rsa/pss.js';
import { readVectors } from '../fixtures/vectors.js';

const native = await createNativeCrypto();
const portable = await createPortableCrypto(systemRandom);
const providers = [native, portable];
const { keys } = readVectors<{ keys: Record<string, string> }>('capabilities.json');
const privateKey = parsePrivateKeyText(Object.values(keys)[0] ?? '');
const opened = createPrivateKey({ key: Buffer.from(privateKey), format: 'der', type: 'pkcs8' });
const publicKey = native.rsaPublicKey(privateKey);
const message = utf8('what is signed');
const signature = native.rsaSign(privateKey, message);

/** What a provider says; anything but a boolean or ERR_RSA_KEY fails the test. */
function answerOf(ask: () => boolean): string {
  try {
    return String(ask());
  } catch (error) {
    if (!isTahoeError(error, 'ERR_RSA_KEY')) throw error;
    return error.code;
  }
}

function answers(ask: (provider: CryptoProvider) => boolean): string {
  const [ours, theirs] = providers.map((provider) => answerOf(() => ask(provider)));
  return ours === theirs ? String(ours) : `native ${String(ours)}, portable ${String(theirs)}`;
}

const verified = (spki: Uint8Array, bytes: Uint8Array): string =>
  answers((provider) => provider.rsaVerify(spki, message, bytes));
const signs = (pkcs8: Uint8Array): string =>
  answers((provider) => provider.rsaVerify(provider.rsaPublicKey(pkcs8), message, provider.rsaSign(pkcs8, message)));

interface Change {
  readonly kind: 'flip' | 'cut' | 'grow';
  /** Where, as a part of the whole. */
  readonly at: number;
  readonly byte: number;
}

const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom('flip', 'flip', 'flip', 'cut', 'grow'),
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  byte: fc.integer({ min: 1, max: 255 }),
});

function changed(bytes: Uint8Array, { kind, at, byte }: Change): Uint8Array {
  const place = Math.floor(at * bytes.length);
  if (kind === 'cut') return bytes.slice(0, place);
  if (kind === 'grow') return concat(bytes, Uint8Array.of(byte));
  const copy = bytes.slice();
  copy[place] = (copy[place] ?? 0) ^ byte;
  return copy;
}

t.test('a changed signature or message is never right', async (t) => {
  fc.assert(
    fc.property(change, (damage) => verified(publicKey, changed(signature, damage)) === 'false'),
    { numRuns: 100 },
  );
  t.equal(verified(publicKey, signature), 'true');
});

t.test('a changed public key verifies nothing', async () => {
  fc.assert(
    fc.property(change, (damage) => ['false', 'ERR_RSA_KEY'].includes(verified(changed(publicKey, damage), signature))),
    { numRuns: 300 },
  );
});

t.test('a changed private key signs rightly or not at all, and both providers agree which', async () => {
  fc.assert(
    fc.property(change, (damage) => ['true', 'ERR_RSA_KEY'].includes(signs(changed(privateKey, damage)))),
    { numRuns: 40 },
  );
});

t.test('numbers that are no signatures', async (t) => {
  const { modulus } = decodePrivateKey(privateKey);
  const below = modulus.slice();
  below[255] = (below[255] ?? 0) - 1;
  const one = new Uint8Array(256).fill(1, 255);
  for (const number of [new Uint8Array(256), one, below, modulus, new Uint8Array(256).fill(255)]) {
    t.equal(verified(publicKey, number), 'false');
  }
  for (const size of [0, 1, 32, 255, 257, 512]) t.equal(verified(publicKey, new Uint8Array(size).fill(3)), 'false');
  t.equal(verified(publicKey, concat(Uint8Array.of(0), signature)), 'false');
});

t.test('a signature plus the modulus is no signature, though its power is the same', async (t) => {
  const n = toInteger(decodePrivateKey(privateKey).modulus);
  let sum = 2n ** 2048n;
  for (let i = 0; i < 500 && sum >= 2n ** 2048n; i++) sum = toInteger(native.rsaSign(privateKey, message)) + n;
  t.ok(sum < 2n ** 2048n, 'one that fits was found');
  t.equal(verified(publicKey, fromInteger(sum - n, 256)), 'true');
  t.equal(verified(publicKey, fromInteger(sum, 256)), 'false');
});

t.test('encodings that are not PSS with a salt of 32 bytes', async (t) => {
  const raw = (encoded: Uint8Array): Uint8Array =>
    privateEncrypt({ key: opened, padding: constants.RSA_NO_PADDING }, encoded);
  const whole = encodePss(native.sha256, message, new Uint8Array(32).fill(7));
  t.equal(verified(publicKey, raw(whole)), 'true');
  // The first bit must be clear, the padding zero, the trailer 0xbc.
  for (const [at, bit] of [
    [0, 0x40],
    [5, 1],
    [190, 1],
    [255, 1],
    [254, 0x80],
  ] as const) {
    t.equal(verified(publicKey, raw(changed(whole, { kind: 'flip', at: (at + 0.5) / 256, byte: bit }))), 'false');
  }
  for (const saltLength of [0, 20, 31, 33, 64, 222]) {
    const other = sign('sha256', message, { key: opened, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength });
    t.equal(verified(publicKey, other), 'false', `a salt of ${String(saltLength)} bytes`);
  }
  for (const options of [
    { key: opened, padding: constants.RSA_PKCS1_PADDING },
    { key: opened, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32, algorithm: 'sha512' },
  ]) {
    t.equal(verified(publicKey, sign('algorithm' in options ? 'sha512' : 'sha256', message, options)), 'false');
  }
});

t.test('keys of other kinds and sizes', async (t) => {
  const pairs = [
    generateKeyPairSync('rsa', { modulusLength: 1024 }),
    generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
    generateKeyPairSync('ed25519'),
  ];
  for (const pair of pairs) {
    t.equal(verified(pair.publicKey.export({ format: 'der', type: 'spki' }), signature), 'ERR_RSA_KEY');
    t.equal(signs(pair.privateKey.export({ format: 'der', type: 'pkcs8' })), 'ERR_RSA_KEY');
  }
  const { modulus } = decodePrivateKey(privateKey);
  const spki = (n: Uint8Array, e: Uint8Array): Uint8Array =>
    derPublicKeyInfo(derSequence(derUnsigned(n), derUnsigned(e)));
  const even = changed(modulus, { kind: 'flip', at: 255.5 / 256, byte: 1 });
  const odd: readonly (readonly [Uint8Array, Uint8Array])[] = [
    [even, Uint8Array.of(3)],
    [modulus, Uint8Array.of(1)],
    [modulus, Uint8Array.of(2)],
    [modulus, Uint8Array.of(0)],
    [modulus, modulus],
    [new Uint8Array(256), Uint8Array.of(3)],
    [concat(modulus, modulus), Uint8Array.of(3)],
  ];
  for (const [n, e] of odd) t.equal(verified(spki(n, e), signature), 'ERR_RSA_KEY');
  t.equal(verified(spki(modulus, new Uint8Array(32).fill(0xff)), signature), 'false');
});

t.test('numbers of a private key that do not belong together', async (t) => {
  const key = decodePrivateKey(privateKey);
  const other = decodePrivateKey(parsePrivateKeyText(Object.values(keys)[1] ?? ''));
  const [p, q] = key.primes;
  const [dp, dq] = key.primeExponents;
  const zero = Uint8Array.of(0);
  t.equal(signs(encodePrivateKey(key)), 'true');
  // The private exponent alone is enough, and so are the primes.
  t.equal(signs(encodePrivateKey({ ...key, coefficient: zero, primeExponents: [zero, zero] })), 'true');
  t.equal(signs(encodePrivateKey({ ...key, primes: other.primes })), 'true');
  t.equal(signs(encodePrivateKey({ ...key, privateExponent: Uint8Array.of(5) })), 'true');
  t.equal(signs(encodePrivateKey({ ...key, primes: [q, p], primeExponents: [dq, dp] })), 'true');
  t.equal(signs(encodePrivateKey({ ...key, primes: other.primes, privateExponent: zero })), 'ERR_RSA_KEY');
  t.equal(signs(encodePrivateKey({ ...other, modulus: key.modulus })), 'ERR_RSA_KEY');
  t.equal(signs(encodePrivateKey({ ...key, exponent: Uint8Array.of(17) })), 'ERR_RSA_KEY');
});
