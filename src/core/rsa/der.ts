/**
 * The little of DER that RSA keys are written in: sequences, octet strings, positive integers. X.690, section 10.
 *
 * Strict, because a key's exact bytes name its file: lengths in their shortest form, integers in theirs, nothing
 * behind the end. What is odd is an ERR_RSA_KEY. Values read are views of the source.
 */
import { concat, equalBytes } from '../bytes.js';
import { TahoeError } from '../errors.js';

const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const SEQUENCE = 0x30;

/** AlgorithmIdentifier: rsaEncryption with NULL parameters (RFC 3279, section 2.3.1). */
const RSA_ENCRYPTION = Uint8Array.of(0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0);

/** The error of every key that is not usable. `reason` holds nothing of the key. */
export function rsaKeyError(reason: string, cause?: unknown): TahoeError {
  return new TahoeError('ERR_RSA_KEY', { reason }, cause === undefined ? undefined : { cause });
}

/** Reads one element after the other. Every method throws ERR_RSA_KEY when something else stands there. */
export class DerReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Goes into a sequence, which must be all that is left. */
  onlySequence(): DerReader {
    const inside = new DerReader(this.#element(SEQUENCE));
    this.end();
    return inside;
  }

  /** The magnitude of an integer above or equal to 0: big-endian, without leading zeros; empty for 0. */
  unsigned(): Uint8Array {
    const content = this.#element(INTEGER);
    const [first, second] = content;
    if (first === undefined || first >= 0x80) throw rsaKeyError('it holds a number that is negative or empty');
    if (first === 0 && second !== undefined && second < 0x80) throw rsaKeyError('it holds a number with leading zeros');
    return first === 0 ? content.subarray(1) : content;
  }

  /** A version number, which must be 0. */
  versionZero(): void {
    if (this.unsigned().length > 0) throw rsaKeyError('its version is not 0');
  }

  /** The algorithm of keys that are RSA without further restrictions. */
  rsaEncryption(): void {
    const next = this.#bytes.subarray(this.#offset, this.#offset + RSA_ENCRYPTION.length);
    if (!equalBytes(next, RSA_ENCRYPTION)) throw rsaKeyError('its algorithm is not plain RSA');
    this.#offset += RSA_ENCRYPTION.length;
  }

  octetString(): Uint8Array {
    return this.#element(OCTET_STRING);
  }

  /** A bit string of whole bytes. */
  bitString(): Uint8Array {
    const content = this.#element(BIT_STRING);
    if (content[0] !== 0) throw rsaKeyError('its bit string is not made of bytes');
    return content.subarray(1);
  }

  end(): void {
    if (this.#offset !== this.#bytes.length) throw rsaKeyError('something follows its end');
  }

  #byte(): number {
    const byte = this.#bytes[this.#offset++];
    if (byte === undefined) throw rsaKeyError('it is cut short');
    return byte;
  }

  #element(tag: number): Uint8Array {
    if (this.#byte() !== tag) throw rsaKeyError('it does not have the form of an RSA key');
    const size = this.#length();
    if (size > this.#bytes.length - this.#offset) throw rsaKeyError('it is cut short');
    this.#offset += size;
    return this.#bytes.subarray(this.#offset - size, this.#offset);
  }

  /** Up to 65535, in the shortest form. */
  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    const size = first === 0x81 ? this.#byte() : first === 0x82 ? this.#byte() * 256 + this.#byte() : 0;
    if (size < (first === 0x81 ? 0x80 : 0x100))
      throw rsaKeyError('it holds a length in a form that DER does not allow');
    return size;
  }
}

function element(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const content = concat(...contents);
  const size = content.length;
  const long = size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return concat(Uint8Array.from([tag, ...(size < 0x80 ? [size] : long)]), content);
}

/** The integer of a magnitude: big-endian, with or without leading zeros. */
export function derUnsigned(magnitude: Uint8Array): Uint8Array {
  let start = 0;
  while (magnitude[start] === 0) start++;
  const shortest = magnitude.subarray(start);
  const needsZero = (shortest[0] ?? 0x80) >= 0x80;
  return element(INTEGER, needsZero ? Uint8Array.of(0) : Uint8Array.of(), shortest);
}

/** A sequence of elements. */
export function derSequence(...elements: readonly Uint8Array[]): Uint8Array {
  return element(SEQUENCE, ...elements);
}

/** PKCS#8 around a key in PKCS#1 (RFC 5208, section 5). */
export function derPkcs8(pkcs1: Uint8Array): Uint8Array {
  return derSequence(derUnsigned(Uint8Array.of(0)), RSA_ENCRYPTION, element(OCTET_STRING, pkcs1));
}

/** SubjectPublicKeyInfo around a public key in PKCS#1 (RFC 5280, section 4.1). */
export function derPublicKeyInfo(pkcs1: Uint8Array): Uint8Array {
  return derSequence(RSA_ENCRYPTION, element(BIT_STRING, Uint8Array.of(0), pkcs1));
}
