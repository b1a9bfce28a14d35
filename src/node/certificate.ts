/**
 * private/node.pem: the key and the self-signed certificate that a node is known by, over HTTPS and Foolscap.
 *
 * One file holds the certificate and behind it the RSA key (PKCS#8), as Foolscap writes it: 2048 bits, SHA-256,
 * serial number 1, subject and issuer CN=newpb_thingy. Two names come from it: the tub id (SHA-1 over the
 * certificate) and the hash that NURLs pin (SHA-256 over its SubjectPublicKeyInfo). Nobody looks at its dates:
 * it is made without an end, so that nothing that does look ever stops at one.
 */
import { X509Certificate, createHash, createPrivateKey, webcrypto } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { formatBase32 } from '#core/base32.js';
import type { Clock } from '#core/environment.js';
import { TahoeError, reasonOf } from '#core/errors.js';
import type { NodeDirectory } from './node-directory.js';

/** Where the certificate is kept, in private/. */
const CERTIFICATE_FILE = 'node.pem';
const SUBJECT = 'CN=newpb_thingy';
const KEY_ALGORITHM = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
};
const DAY_MS = 86_400_000;
/** What RFC 5280 (4.1.2.5) writes for "no end". */
const NO_END = new Date('9999-12-31T23:59:59Z');

/** A certificate with its key. */
export interface NodeCertificate {
  /** Certificate and key: serves node:tls both as `cert` and as `key`. Secret. */
  readonly pem: string;
  /** SHA-1 over the certificate (DER): 20 bytes. */
  readonly tubId: Uint8Array;
  /** SHA-256 over the SubjectPublicKeyInfo (DER): base64url without padding, 43 characters. */
  readonly spkiHash: string;
}

/**
 * Makes a key and its certificate. Takes a few hundred milliseconds, outside the main thread.
 * @returns the content of node.pem.
 */
export async function createCertificatePem(clock: Clock): Promise<string> {
  await import('reflect-metadata');
  const { SubjectKeyIdentifierExtension, X509CertificateGenerator } = await import('@peculiar/x509');
  const keys = await webcrypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: SUBJECT,
    serialNumber: '01',
    // A day back, for peers whose clocks are behind.
    notBefore: new Date(clock.nowMs() - DAY_MS),
    notAfter: NO_END,
    signingAlgorithm: KEY_ALGORITHM,
    keys,
    // Foolscap's have none; but what the library writes for "no extensions" is a list without members, which is no DER.
    extensions: [await SubjectKeyIdentifierExtension.create(keys.publicKey)],
  });
  const keyDer = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  const key = createPrivateKey({ key: Buffer.from(keyDer), format: 'der', type: 'pkcs8' });
  return `${certificate.toString('pem')}\n${key.export({ format: 'pem', type: 'pkcs8' }) as string}`;
}

/**
 * Reads the content of a node.pem.
 * @param file - what errors call it.
 * @throws ERR_FILE when the certificate or the key is missing or damaged, or they do not belong together.
 */
export function parseCertificatePem(pem: string, file: string): NodeCertificate {
  const certificate = parsePart(file, 'certificate', () => new X509Certificate(pem));
  const key = parsePart(file, 'private key', () => createPrivateKey(pem));
  if (!certificate.checkPrivateKey(key)) {
    throw new TahoeError('ERR_FILE', { file, reason: 'its private key does not belong to its certificate' });
  }
  return { pem, tubId: new Uint8Array(sha('sha1', certificate.raw)), spkiHash: hashSpki(certificate.publicKey) };
}

/**
 * The certificate of a node, made when the directory has none.
 * @throws ERR_FILE when it cannot be read, parsed or written; ERR_NO_SPACE.
 */
export async function loadCertificate(directory: NodeDirectory, clock: Clock): Promise<NodeCertificate> {
  const pem = await directory.readOrCreatePrivate(CERTIFICATE_FILE, () => createCertificatePem(clock));
  return parseCertificatePem(pem, directory.privateFile(CERTIFICATE_FILE));
}

/** The hash that a NURL pins: 43 characters of base64url. */
export function hashSpki(publicKey: KeyObject): string {
  return sha('sha256', publicKey.export({ format: 'der', type: 'spki' })).toString('base64url');
}

/** A tub id as Foolscap writes it: 32 characters of base32. */
export function formatTubId(tubId: Uint8Array): string {
  return formatBase32(tubId);
}

function sha(algorithm: 'sha1' | 'sha256', bytes: Uint8Array): Buffer {
  return createHash(algorithm).update(bytes).digest();
}

function parsePart<Part>(file: string, what: string, parse: () => Part): Part {
  try {
    return parse();
  } catch (error) {
    throw new TahoeError(
      'ERR_FILE',
      { file, reason: `it holds no usable ${what} (${reasonOf(error)})` },
      { cause: error },
    );
  }
}
