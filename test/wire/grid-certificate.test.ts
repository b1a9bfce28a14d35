/** Grid managers' certificates: the reference's, ours, and what is none. */
import t from 'tap';
import { formatBase32 } from '#core/base32.js';
import { utf8 } from '#core/bytes.js';
import {
  CERTIFICATE_LENGTH_MAX,
  certificateOf,
  formatCertificate,
  parseCertificate,
  readCertificate,
  verifyCertificate,
} from '#wire/grid-certificate.js';
import type { GridCertificate } from '#wire/grid-certificate.js';
import { dangerouslyFormatGridManagerConfig, parseGridManagerConfig } from '#wire/grid-manager-config.js';
import { serverIdOf } from '#test/fixtures/announcements.js';
import { crypto } from '#test/fixtures/crypto.js';
import { certify, managerKey, managerSeed } from '#test/fixtures/grid-managers.js';
import { readVectors } from '#test/fixtures/vectors.js';

interface Vectors {
  readonly config: string;
  readonly managerPublicKey: string;
  readonly certificateFile: string;
  readonly serverPublicKey: string;
  readonly expires: string;
}

const EXPIRES = Date.UTC(2027, 0, 31, 12, 30, 15, 250);
const vectors = readVectors<Vectors>('grid-manager.json');

t.test("the reference's files are read, and written to the same bytes", async (t) => {
  const manager = parseGridManagerConfig(vectors.config, 'config.json');
  t.equal(dangerouslyFormatGridManagerConfig(manager), vectors.config);
  const key = crypto.ed25519PublicKey(manager.seed);
  t.equal(`pub-v0-${formatBase32(key)}`, vectors.managerPublicKey);
  const certificate = parseCertificate(vectors.certificateFile);
  t.equal(formatCertificate(certificate), vectors.certificateFile);
  const certified = verifyCertificate(certificate, [managerKey('else'), key], crypto);
  t.equal(certified?.publicKey, vectors.serverPublicKey);
  t.equal(certified?.expiresMs, Date.parse(vectors.expires));
  t.equal(verifyCertificate(certificate, [managerKey('else')], crypto), undefined, 'by nobody else');
});

t.test('what is signed is verified, to the millisecond', async (t) => {
  const certificate = certify('m', serverIdOf(1), EXPIRES);
  t.match(certificate.certificate, /^\{"expires":"2027-01-31T12:30:15\.250000\+00:00","public_key":"pub-v0-/);
  const certified = verifyCertificate(certificate, [managerKey('m')], crypto);
  t.same(certified, { publicKey: `pub-${serverIdOf(1)}`, expiresMs: EXPIRES });
});

t.test('any change makes it worthless', async (t) => {
  const { certificate, signature } = certify('m', serverIdOf(1), EXPIRES);
  const changed: GridCertificate[] = [
    { certificate: certificate.replace('2027', '2028'), signature },
    { certificate: `${certificate} `, signature },
    { certificate, signature: certify('n', serverIdOf(1), EXPIRES).signature },
    { certificate, signature: '' },
    { certificate, signature: `${signature}a` },
    { certificate, signature: signature.toUpperCase() },
  ];
  for (const one of changed) t.equal(verifyCertificate(one, [managerKey('m')], crypto), undefined);
  t.equal(verifyCertificate({ certificate, signature }, [], crypto), undefined, 'no managers');
});

t.test('times are those that say when they are', async (t) => {
  const read = (expires: string): number | undefined =>
    readCertificate(JSON.stringify({ expires, public_key: 'pub-v0-x', version: 1 }))?.expiresMs;
  t.equal(read('2027-01-31T12:30:15+00:00'), EXPIRES - 250);
  t.equal(read('2027-01-31T13:30:15.250000+01:00'), EXPIRES);
  t.equal(read('2027-01-31T12:30:15.250Z'), EXPIRES);
  for (const text of ['2027-01-31T12:30:15', '2027-13-31T12:30:15Z', 'tomorrow', '', '2027-01-31']) {
    t.equal(read(text), undefined, text);
  }
});

t.test('a signed text of another version or shape is none', async (t) => {
  for (const text of [
    '{}',
    '[]',
    '{"expires":"2027-01-31T12:30:15Z","public_key":"p","version":2}',
    'x',
    '{"version":1}',
  ]) {
    const signature = formatBase32(crypto.ed25519Sign(managerSeed('m'), utf8(text)));
    t.equal(verifyCertificate({ certificate: text, signature }, [managerKey('m')], crypto), undefined, text);
  }
});

t.test('a file that is no certificate is refused with a sentence', async (t) => {
  const { certificate, signature } = certify('m', serverIdOf(1), EXPIRES);
  const cases: [string, RegExp][] = [
    ['', /it is no JSON object; have the grid manager sign a new one/],
    ['[]', /no JSON object/],
    ['{}', /must hold a 'certificate' and a 'signature'/],
    [JSON.stringify({ certificate, signature, more: 1 }), /and nothing else/],
    [JSON.stringify({ certificate: 1, signature }), /must hold/],
    [JSON.stringify({ certificate: 'x'.repeat(CERTIFICATE_LENGTH_MAX + 1), signature }), /must hold/],
  ];
  for (const [text, message] of cases)
    t.throws(() => parseCertificate(text), { code: 'ERR_CERTIFICATE', message }, text);
  t.equal(
    certificateOf(
      new Map([
        ['certificate', certificate],
        ['signature', signature],
      ]),
    )?.signature,
    signature,
    'YAML',
  );
});

t.test('a configuration that is none is refused, and its key not repeated', async (t) => {
  const key = (JSON.parse(vectors.config) as { private_key: string }).private_key;
  const cases: [string, RegExp][] = [
    ['', /it is not JSON/],
    [vectors.config.slice(0, -4), /it is not JSON/],
    ['[]', /no JSON object/],
    [vectors.config.replace('version": 0', 'version": 1'), /grid_manager_config_version is not 0/],
    [vectors.config.replace('priv-v0-', 'priv-v1-'), /private_key is not priv-v0-/],
    [vectors.config.replace('pub-v0-', 'pub-v1-'), /public_key of storage server 'alice' is not pub-v0-/],
    [vectors.config.replace('"storage_servers": {', '"storage_servers": ['), /not JSON/],
  ];
  for (const [text, message] of cases) {
    t.throws(() => parseGridManagerConfig(text, 'config.json'), { code: 'ERR_FILE', message });
    try {
      parseGridManagerConfig(text, 'config.json');
    } catch (error) {
      t.notOk(String(error).includes(key.slice(8)));
    }
  }
});
