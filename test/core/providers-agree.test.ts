/** Both providers give the same bytes, take each other's signatures, and refuse the same damage. */
import t from 'tap';
import fc from 'fast-check';
import { generateKeyPairSync } from 'node:crypto';
import { concat, equalBytes, utf8 } from '#core/bytes.js';
import type { CryptoProvider } from '#core/crypto.js';
import { createNativeCrypto, systemRandom } from '#core/native-crypto.js';
import { createPortableCrypto } from '#core/portable-crypto.js';
import { parsePrivateKeyText } from '#core/rsa/key-text.js';
import { forgeSign, forgeVerify } from '../fixtures/forge-rsa.js';
import { readVectors } from '../fixtures/vectors.js';

const native = await createNativeCrypto();
const portable = await createPortableCrypto(systemRandom);
const { keys } = readVectors<{ keys: Record<string, string> }>('capabilities.json');
const ofReference = parsePrivateKeyText(Object.values(keys)[0] ?? '');
const old = generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 17 });
const withExponent17 = new Uint8Array(old.privateKey.export({ format: 'der', type: 'pkcs8' }));
const message = utf8('what is signed');

function same(run: (provider: CryptoProvider) => Uint8Array): boolean {
  return equalBytes(run(native), run(portable));
}

t.test('digests, key streams and Ed25519, byte for byte, whole and in pieces', async () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 150 }), { maxLength: 5 });
  const given = fc.record({
    pieces,
    key: fc.oneof(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.uint8Array({ minLength: 32, maxLength: 32 })),
    offset: fc.oneof(
      fc.nat(100),
      fc.integer({ min: 2 ** 36 - 100, max: 2 ** 36 }),
      fc.maxSafeNat().map((offset) => Math.floor(offset / 2)),
    ),
    seed: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  });
  const property = fc.property(given, ({ pieces, key, offset, seed }) => {
    const whole = concat(...pieces);
    return (
      same(({ sha256 }) => sha256(whole)) &&
      same(({ sha1 }) => sha1(whole)) &&
      same(({ blake2b256 }) => blake2b256(whole)) &&
      same((provider) => {
        const hasher = provider.sha256Hasher();
        for (const piece of pieces) hasher.update(piece);
        return hasher.digest();
      }) &&
      same((provider) => {
        const cipher = provider.aesCtr(key, offset);
        return concat(...pieces.map((piece) => cipher.process(piece)));
      }) &&
      same(({ ed25519PublicKey }) => ed25519PublicKey(seed)) &&
      same(({ ed25519Sign }) => ed25519Sign(seed, whole))
    );
  });
  fc.assert(property, { numRuns: 200 });
});

t.test('what is longer than the workspace', async (t) => {
  for (const size of [65_535, 65_536, 65_537, 200_000]) {
    const bytes = native.aesCtr(new Uint8Array(16), 0).process(new Uint8Array(size));
    t.ok(same(({ sha256 }) => sha256(bytes)));
    t.ok(same(({ aesCtr }) => aesCtr(bytes.subarray(0, 32), 7).process(bytes)));
    t.ok(same(({ sha256Hasher }) => sha256Hasher().update(bytes.subarray(0, 33)).update(bytes.subarray(33)).digest()));
  }
});

for (const [name, privateKey] of [
  ['65537', ofReference],
  ['17', withExponent17],
] as const) {
  t.test(`exponent ${name}: what one signs the others verify`, async (t) => {
    t.ok(same(({ rsaPublicKey }) => rsaPublicKey(privateKey)));
    const publicKey = native.rsaPublicKey(privateKey);
    const property = fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const signatures = [native.rsaSign(privateKey, bytes), portable.rsaSign(privateKey, bytes)];
      return signatures.every(
        (signature) =>
          native.rsaVerify(publicKey, bytes, signature) &&
          portable.rsaVerify(publicKey, bytes, signature) &&
          !portable.rsaVerify(publicKey, concat(bytes, Uint8Array.of(0)), signature),
      );
    });
    fc.assert(property, { numRuns: 15 });
    t.ok(forgeVerify(publicKey, message, portable.rsaSign(privateKey, message)));
    t.ok(portable.rsaVerify(publicKey, message, forgeSign(privateKey, message)));
  });
}
