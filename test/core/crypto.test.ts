/** A provider against published answers and against two independent libraries. */
import t from 'tap';
import fc from 'fast-check';
import forge from 'node-forge';
import { blake2b } from '@noble/hashes/blake2.js';
import { equalBytes, toHex, utf8 } from '#core/bytes.js';
import { systemRandom } from '#core/native-crypto.js';
import { crypto } from '../fixtures/crypto.js';
import { fromHex } from '../fixtures/vectors.js';

t.test('digests: FIPS 180 and RFC 7693', async (t) => {
  t.equal(toHex(crypto.sha256(utf8('abc'))), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  t.equal(toHex(crypto.sha1(utf8('abc'))), 'a9993e364706816aba3e25717850c26c9cd0d89d');
  t.equal(toHex(crypto.blake2b256(utf8('abc'))), 'bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const piecewise = crypto.sha256Hasher();
      for (const byte of bytes) piecewise.update(new Uint8Array([byte]));
      return (
        equalBytes(piecewise.digest(), crypto.sha256(bytes)) &&
        equalBytes(crypto.blake2b256(bytes), blake2b(bytes, { dkLen: 32 }))
      );
    }),
  );
});

t.test('AES-CTR: zero counter, any offset, both key sizes, as node-forge computes it', async () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 100, maxLength: 100 }),
      fc.nat(99),
      fc.constantFrom(16, 32),
      (plaintext, offset, keySize) => {
        const key = crypto.sha256(plaintext).subarray(0, keySize);
        const cipher = forge.cipher.createCipher(
          'AES-CTR',
          forge.util.createBuffer(Buffer.from(key).toString('binary')),
        );
        cipher.start({ iv: '\0'.repeat(16) });
        cipher.update(forge.util.createBuffer(Buffer.from(plaintext).toString('binary')));
        cipher.finish();
        const whole = fromHex(cipher.output.toHex());
        return equalBytes(crypto.aesCtr(key, offset).process(plaintext.subarray(offset)), whole.subarray(offset));
      },
    ),
  );
});

t.test('AES-CTR far out in the key stream', async (t) => {
  const key = new Uint8Array(16);
  const far = 2 ** 40 + 5;
  const ahead = crypto.aesCtr(key, far - 5);
  ahead.process(new Uint8Array(5));
  t.same(crypto.aesCtr(key, far).process(new Uint8Array(40)), ahead.process(new Uint8Array(40)));
});

t.test('Ed25519: RFC 8032, test 2', async (t) => {
  const seed = fromHex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb');
  const publicKey = crypto.ed25519PublicKey(seed);
  t.equal(toHex(publicKey), '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c');
  const signature = crypto.ed25519Sign(seed, fromHex('72'));
  t.match(toHex(signature), /^92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da/);
  t.ok(crypto.ed25519Verify(publicKey, fromHex('72'), signature));
  t.notOk(crypto.ed25519Verify(publicKey, fromHex('73'), signature));
});

t.test('secrets compare by content, whatever their lengths', async (t) => {
  t.ok(crypto.equalSecrets(utf8('same'), utf8('same')));
  t.notOk(crypto.equalSecrets(utf8('same'), utf8('samf')));
  t.notOk(crypto.equalSecrets(utf8('same'), utf8('same+')));
  t.notOk(crypto.equalSecrets(utf8(''), utf8('x')));
});

t.test('randomness is as long as asked and never twice the same', async (t) => {
  t.equal(systemRandom.bytes(20).length, 20);
  t.not(toHex(systemRandom.bytes(16)), toHex(systemRandom.bytes(16)));
});
