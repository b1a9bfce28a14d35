/** RSA by a provider against the reference's keys, OpenSSL's own encodings and node-forge. */
import t from 'tap';
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { formatBase32 } from '#core/base32.js';
import { toHex, utf8 } from '#core/bytes.js';
import { taggedHash } from '#core/derive.js';
import { parsePrivateKeyText } from '#core/rsa/key-text.js';
import { crypto } from '../fixtures/crypto.js';
import { forgeSign, forgeVerify } from '../fixtures/forge-rsa.js';
import { readVectors } from '../fixtures/vectors.js';

interface MutableCase {
  readonly kind: string;
  readonly capability: string;
  readonly key: string;
}
const vectors = readVectors<{ keys: Record<string, string>; cases: MutableCase[] }>('capabilities.json');
const pems = Object.values(vectors.keys);
const message = utf8('what is signed');

t.test('keys of the reference come out as OpenSSL writes them', async (t) => {
  for (const pem of pems) {
    const key = createPrivateKey(pem);
    const pkcs8 = key.export({ format: 'der', type: 'pkcs8' });
    t.equal(toHex(parsePrivateKeyText(pem)), pkcs8.toString('hex'));
    const spki = createPublicKey(pem).export({ format: 'der', type: 'spki' });
    t.equal(toHex(crypto.rsaPublicKey(pkcs8)), spki.toString('hex'));
  }
});

t.test('the reference’s 120 mutable capabilities follow from the bytes of their keys', async (t) => {
  const cases = vectors.cases.filter(({ kind }) => kind === 'ssk');
  t.equal(cases.length, 120);
  for (const { capability, key } of cases) {
    const privateKey = parsePrivateKeyText(vectors.keys[key] ?? '');
    const writeKey = taggedHash(crypto, utf8('allmydata_mutable_privkey_to_writekey_v1'), privateKey, 16);
    const publicKey = crypto.rsaPublicKey(privateKey);
    const fingerprint = taggedHash(crypto, utf8('allmydata_mutable_pubkey_to_fingerprint_v1'), publicKey);
    t.ok(capability.endsWith(`:${formatBase32(writeKey)}:${formatBase32(fingerprint)}`), capability);
  }
});

t.test('PEM and DER, PKCS#1 and PKCS#8 are one key; what is none is refused', async (t) => {
  const key = createPrivateKey(pems[0] ?? '');
  const pkcs8 = key.export({ format: 'der', type: 'pkcs8' });
  const forms = [
    pkcs8,
    key.export({ format: 'der', type: 'pkcs1' }),
    key.export({ format: 'pem', type: 'pkcs8' }),
    `before\n${key.export({ format: 'pem', type: 'pkcs1' }).toString()}after`,
    utf8(key.export({ format: 'pem', type: 'pkcs1' }).toString().replaceAll('\n', '\r\n')),
  ];
  for (const form of forms) t.equal(toHex(parsePrivateKeyText(form)), pkcs8.toString('hex'));
  const encrypted = { format: 'pem', cipher: 'aes-128-cbc', passphrase: 'x' } as const;
  const refused = [
    '',
    'URI:SSK:',
    new Uint8Array([0xff, 0xfe]),
    pkcs8.subarray(0, -1),
    key.export({ ...encrypted, type: 'pkcs8' }),
    key.export({ ...encrypted, type: 'pkcs1' }),
    createPublicKey(key).export({ format: 'pem', type: 'spki' }),
    '-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----',
    ' '.repeat(20_000),
  ];
  for (const form of refused) t.throws(() => parsePrivateKeyText(form), { code: 'ERR_RSA_KEY' });
});

t.test('signatures hold, here and for node-forge, and only for what was signed', async (t) => {
  const privateKey = parsePrivateKeyText(pems[0] ?? '');
  const publicKey = crypto.rsaPublicKey(privateKey);
  const signature = crypto.rsaSign(privateKey, message);
  t.equal(signature.length, 256);
  t.ok(crypto.rsaVerify(publicKey, message, signature));
  t.notOk(crypto.rsaVerify(publicKey, utf8('something else'), signature));
  t.notOk(crypto.rsaVerify(publicKey, message, signature.subarray(1)));
  t.notOk(crypto.rsaVerify(publicKey, message, new Uint8Array(256).fill(255)));
  t.ok(forgeVerify(publicKey, message, signature));
  t.ok(crypto.rsaVerify(publicKey, message, forgeSign(privateKey, message)));
});

t.test('a new key is of 2048 bits, signs, and has 65537 as its exponent', async (t) => {
  const privateKey = await crypto.generateRsaKey();
  const publicKey = crypto.rsaPublicKey(privateKey);
  t.ok(crypto.rsaVerify(publicKey, message, crypto.rsaSign(privateKey, message)));
  const key = createPrivateKey({ key: Buffer.from(privateKey), format: 'der', type: 'pkcs8' });
  t.match(key.asymmetricKeyDetails, { modulusLength: 2048, publicExponent: 65537n });
});

t.test('what is no key of 2048 bits is refused by name', async (t) => {
  const privateKey = parsePrivateKeyText(pems[0] ?? '');
  const publicKey = crypto.rsaPublicKey(privateKey);
  const mixed = privateKey.slice();
  // A bit of the private exponent's last byte, and of the second prime: no signature may leave.
  for (const at of [300 + 240, 700]) mixed[at] = (mixed[at] ?? 0) ^ 2;
  t.throws(() => crypto.rsaSign(mixed, message), { code: 'ERR_RSA_KEY' });
  t.throws(() => crypto.rsaSign(publicKey, message), { code: 'ERR_RSA_KEY' });
  t.throws(() => crypto.rsaPublicKey(new Uint8Array()), { code: 'ERR_RSA_KEY' });
  t.throws(() => crypto.rsaVerify(privateKey, message, new Uint8Array(256)), { code: 'ERR_RSA_KEY' });
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const spki = short.publicKey.export({ format: 'der', type: 'spki' });
  t.throws(() => crypto.rsaVerify(spki, message, new Uint8Array(128)), { code: 'ERR_RSA_KEY' });
});
