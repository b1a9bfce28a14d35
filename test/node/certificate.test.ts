/**
 * node.pem: made here and read by TLS, made by the reference and read here; tub ids, pins, furls and NURLs.
 */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:tls';
import t from 'tap';
import { parse } from 'yaml';
import { parseLocationHint } from '#node/config/endpoint-text.js';
import type { LocationHint } from '#node/config/endpoint-text.js';
import {
  createCertificatePem,
  formatTubId,
  hashSpki,
  loadCertificate,
  parseCertificatePem,
} from '#node/certificate.js';
import { systemClock } from '#node/clock.js';
import { dangerouslyFormatFurl, listNurls, parseFurl } from '#node/furl.js';
import { NodeDirectory } from '#node/node-directory.js';
import { temporaryDirectory } from './fixtures/temporary-directory.js';

function readVectors(name: string): string {
  return readFileSync(new URL(`../../../test/vectors/${name}`, import.meta.url), 'utf8');
}

const reference = (JSON.parse(readVectors('reference-node.json')) as { files: Record<string, string> }).files;
const referencePem = reference['private/node.pem'] ?? '';
const ourPem = await createCertificatePem(systemClock);

t.test('SPKI hashes are those of the vectors', (t) => {
  interface Vector {
    'expected-hash': string;
    'expected-spki': string;
    certificate: string;
  }
  const { vector } = parse(readVectors('spki-hash.yaml')) as { vector: Vector[] };
  t.ok(vector.length >= 2);
  for (const { certificate, ...expected } of vector) {
    const { publicKey } = new X509Certificate(certificate);
    t.equal(hashSpki(publicKey), expected['expected-hash'].trim());
    t.equal(publicKey.export({ format: 'der', type: 'spki' }).toString('base64'), expected['expected-spki'].trim());
  }
  t.end();
});

t.test('the certificate of the reference gives the tub id that the reference gave it', (t) => {
  const certificate = parseCertificatePem(referencePem, 'node.pem');
  t.equal(`${formatTubId(certificate.tubId)}\n`, reference['my_nodeid']);
  t.equal(parseFurl(reference['private/storage.furl']?.trim() ?? '')?.tubId, formatTubId(certificate.tubId));
  t.match(certificate.spkiHash, /^[A-Za-z0-9_-]{43}$/);
  t.end();
});

t.test('ours has the form of the reference’s', (t) => {
  const form = (pem: string): string[] => pem.split('\n').filter((line) => line.startsWith('-----'));
  t.strictSame(form(ourPem), form(referencePem));
  const [ours, theirs] = [new X509Certificate(ourPem), new X509Certificate(referencePem)];
  t.equal(ours.subject, theirs.subject);
  t.equal(ours.issuer, theirs.issuer);
  t.equal(ours.serialNumber, theirs.serialNumber);
  t.strictSame(ours.publicKey.asymmetricKeyDetails, theirs.publicKey.asymmetricKeyDetails);
  t.ok(ours.verify(ours.publicKey), 'signed by itself');
  t.ok(Date.parse(ours.validFrom) < Date.now() - 3_600_000);
  t.equal(new Date(ours.validTo).getUTCFullYear(), 9999);
  t.notOk(ours.raw.includes(Buffer.from('a3023000', 'hex')), 'no empty list of extensions');
  t.end();
});

for (const [maker, pem] of [
  ['us', ourPem],
  ['the reference', referencePem],
] as const) {
  t.test(`TLS serves and pins the certificate made by ${maker}`, async (t) => {
    const server = createServer({ key: pem, cert: pem, minVersion: 'TLSv1.2' }, (socket) => socket.end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const peer = socket.getPeerX509Certificate();
    t.ok(peer);
    if (peer !== undefined) t.equal(hashSpki(peer.publicKey), parseCertificatePem(pem, 'node.pem').spkiHash);
    socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
}

t.test('a certificate is made once', async (t) => {
  const directory = new NodeDirectory(await temporaryDirectory(t));
  await directory.ensurePrivate();
  const first = await loadCertificate(directory, systemClock);
  t.strictSame(await loadCertificate(directory, systemClock), first);
  t.equal(first.pem, readFileSync(directory.privateFile('node.pem'), 'utf8').trim());
});

t.test('a damaged node.pem is refused', async (t) => {
  const directory = new NodeDirectory(await temporaryDirectory(t));
  await directory.ensurePrivate();
  const [certificate = '', key = ''] = ourPem.split(/(?<=-----END CERTIFICATE-----\n)/);
  const damaged: [pem: string, reason: RegExp][] = [
    ['nonsense', /node\.pem': it holds no usable certificate/],
    [certificate, /node\.pem': it holds no usable private key/],
    [key, /node\.pem': it holds no usable certificate/],
    [certificate.replace('MII', 'MIX') + key, /no usable certificate/],
    [
      certificate + referencePem.slice(referencePem.indexOf('-----BEGIN PRIVATE')),
      /does not belong to its certificate/,
    ],
  ];
  for (const [pem, message] of damaged) {
    await writeFile(directory.privateFile('node.pem'), pem);
    await t.rejects(loadCertificate(directory, systemClock), { code: 'ERR_FILE', message });
  }
});

t.test('furls', (t) => {
  const furl = { tubId: 'b'.repeat(32), hints: ['tcp:a:1', 'tor:b:2'], swissnum: 'swiss' };
  t.strictSame(parseFurl(dangerouslyFormatFurl(furl)), furl);
  t.equal(dangerouslyFormatFurl({ ...furl, hints: [] }), `pb://${'b'.repeat(32)}@/swiss`);
  t.strictSame(parseFurl(`pb://${'b'.repeat(32)}later@/a/b`), { ...furl, hints: [], swissnum: 'a/b' });
  for (const text of [
    '',
    'pb://x@y/z',
    `pb://${'B'.repeat(32)}@/z`,
    `pb://${'b'.repeat(32)}@/`,
    `x pb://${'b'.repeat(32)}@/z`,
  ]) {
    t.equal(parseFurl(text), undefined, text);
  }
  t.end();
});

t.test('a service has one NURL for each hint that HTTPS can reach', (t) => {
  const hints = ['tcp:example.org:1', 'host:2', 'tcp:[2001:db8::1]:3', 'tor:abc.onion:4', 'tor:abc.com:5', 'i2p:x:6'];
  const parsed = hints.flatMap((text): LocationHint[] => {
    const hint = parseLocationHint(text);
    return 'value' in hint ? [hint.value] : [];
  });
  const { spkiHash } = parseCertificatePem(referencePem, 'node.pem');
  t.strictSame(
    listNurls(spkiHash, parsed, 'swiss').map((nurl) => nurl.dangerouslyFormat()),
    [
      `pb://${spkiHash}@example.org:1/swiss#v=1`,
      `pb://${spkiHash}@host:2/swiss#v=1`,
      `pb://${spkiHash}@[2001:db8::1]:3/swiss#v=1`,
      `pb+tor://${spkiHash}@abc.onion:4/swiss#v=1`,
    ],
  );
  t.end();
});
