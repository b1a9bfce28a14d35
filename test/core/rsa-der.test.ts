/** Keys are read in one form only: what BER would allow and DER does not is refused, with its reason. */
import t from 'tap';
import type { Test } from 'tap';
import fc from 'fast-check';
import { concat, equalBytes, utf8 } from '#core/bytes.js';
import { DerReader, derPkcs8, derPublicKeyInfo, derSequence, derUnsigned } from '#core/rsa/der.js';
import { decodePrivateKey, decodePublicKey, encodePublicKey } from '#core/rsa/key.js';
import { parsePrivateKeyText } from '#core/rsa/key-text.js';
import { readVectors } from '../fixtures/vectors.js';

const { keys } = readVectors<{ keys: Record<string, string> }>('capabilities.json');
const pkcs8 = parsePrivateKeyText(Object.values(keys)[0] ?? '');
const spki = encodePublicKey(decodePrivateKey(pkcs8));
const { modulus, exponent } = decodePublicKey(spki);

function refused(t: Test, what: string, run: () => unknown, reason: RegExp): void {
  t.throws(run, { code: 'ERR_RSA_KEY', message: reason }, what);
}

/** An element with any content, its length in up to 255 bytes. */
const element = (tag: number, ...content: number[]): Uint8Array => Uint8Array.of(tag, content.length, ...content);
const publicKeyOf = (n: Uint8Array, e: Uint8Array): Uint8Array => derPublicKeyInfo(derSequence(n, e));

t.test('integers have their shortest form and no sign', async (t) => {
  const n = derUnsigned(modulus);
  const odd: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ['leading zeros', element(2, 0, 3), /leading zeros/],
    ['negative', element(2, 0x83), /negative or empty/],
    ['empty', element(2), /negative or empty/],
    ['no integer', element(4, 3), /form of an RSA key/],
  ];
  for (const [what, e, reason] of odd) refused(t, what, () => decodePublicKey(publicKeyOf(n, e)), reason);
  const negative = concat(Uint8Array.of(2, 0x82, 1, 0), modulus);
  refused(t, 'a negative modulus', () => decodePublicKey(publicKeyOf(negative, derUnsigned(exponent))), /negative/);
});

t.test('lengths have their shortest form, and nothing follows the end', async (t) => {
  const read = (...bytes: number[]): DerReader => new DerReader(Uint8Array.of(...bytes)).onlySequence();
  refused(t, 'a long form for a short length', () => read(0x30, 0x81, 2, 2, 0), /a form that DER does not allow/);
  refused(t, 'two bytes where one is enough', () => read(0x30, 0x82, 0, 0x90), /a form that DER does not allow/);
  refused(t, 'an indefinite length', () => read(0x30, 0x80, 0, 0), /a form that DER does not allow/);
  refused(t, 'three bytes', () => read(0x30, 0x83, 1, 0, 0), /a form that DER does not allow/);
  refused(t, 'a length beyond the end', () => read(0x30, 3, 2, 0), /cut short/);
  refused(t, 'a length that is cut', () => read(0x30, 0x82, 1), /cut short/);
  refused(t, 'nothing', () => read(), /cut short/);
  refused(t, 'a public key and more', () => decodePublicKey(concat(spki, Uint8Array.of(0))), /follows its end/);
  refused(t, 'a private key and more', () => decodePrivateKey(concat(pkcs8, Uint8Array.of(0))), /follows its end/);
});

t.test('versions, algorithms and wrappings', async (t) => {
  const changed = (bytes: Uint8Array, at: number, byte: number): Uint8Array => bytes.slice().fill(byte, at, at + 1);
  const [n, e] = [derUnsigned(modulus), derUnsigned(exponent)];
  refused(t, 'version 1', () => decodePrivateKey(changed(pkcs8, 6, 1)), /version is not 0/);
  // The last byte of the object identifier: 10 is RSASSA-PSS.
  refused(t, 'a key for PSS only', () => decodePublicKey(changed(spki, 16, 10)), /not plain RSA/);
  refused(t, 'unused bits', () => decodePublicKey(changed(spki, 23, 1)), /bit string/);
  refused(t, 'a third number', () => decodePublicKey(derPublicKeyInfo(derSequence(n, e, e))), /follows its end/);
  refused(t, 'a private key of two numbers', () => decodePrivateKey(derPkcs8(derSequence(n, e))), /version is not 0/);
  refused(t, 'text', () => decodePublicKey(utf8('-----BEGIN PUBLIC KEY-----')), /form of an RSA key/);
});

t.test('what is encoded is read back, whatever its length', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (magnitude) => {
      const first = magnitude.findIndex((byte) => byte !== 0);
      const shortest = first === -1 ? new Uint8Array() : magnitude.subarray(first);
      const reader = new DerReader(derSequence(derUnsigned(magnitude))).onlySequence();
      const read = reader.unsigned();
      reader.end();
      return equalBytes(read, shortest);
    }),
  );
});
