/**
 * A private key that somebody brings along, for `private-key=`: PEM or DER, in PKCS#1 or PKCS#8. It becomes PKCS#8,
 * the form that a file's capability follows from.
 */
import { fromUtf8 } from '../bytes.js';
import { derPkcs8, rsaKeyError } from './der.js';
import { decodePrivateKey } from './key.js';

/** A key is read from at most so many bytes: PEM takes 1.7 kB. */
const KEY_TEXT_SIZE_MAX = 16_384;

const pem = /-----BEGIN ([A-Z ]+)-----([^-]*)-----END \1-----/;

/**
 * @param text - PEM, which other text may surround, or DER.
 * @returns PKCS#8 DER, equal to what the reference makes of that key.
 * @throws ERR_RSA_KEY when it is no unencrypted private RSA key of 2048 bits.
 */
export function parsePrivateKeyText(text: string | Uint8Array): Uint8Array {
  if (text.length > KEY_TEXT_SIZE_MAX) throw rsaKeyError('it is too long');
  if (typeof text !== 'string' && text[0] === 0x30) return fromDer(text);
  const [, label, body = ''] = pem.exec(typeof text === 'string' ? text : asText(text)) ?? [];
  if (label === undefined) throw rsaKeyError('it is neither PEM nor DER');
  if (label.includes('ENCRYPTED') || body.includes('ENCRYPTED')) throw rsaKeyError('it is encrypted; decrypt it first');
  if (label !== 'RSA PRIVATE KEY' && label !== 'PRIVATE KEY') throw rsaKeyError('it is not a private RSA key');
  return fromDer(fromBase64(body));
}

function fromDer(der: Uint8Array): Uint8Array {
  const pkcs8 = startsAsPkcs1(der) ? derPkcs8(der) : der.slice();
  decodePrivateKey(pkcs8);
  return pkcs8;
}

/** After its version a PKCS#1 key has an integer, a PKCS#8 key a sequence. */
function startsAsPkcs1(der: Uint8Array): boolean {
  const begin = der[1] === 0x82 ? 4 : der[1] === 0x81 ? 3 : 2;
  return der[begin + 3] === 0x02;
}

function asText(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes);
  } catch (cause) {
    throw rsaKeyError('it is neither PEM nor DER', cause);
  }
}

function fromBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch (cause) {
    throw rsaKeyError('its PEM is not base64', cause);
  }
}
