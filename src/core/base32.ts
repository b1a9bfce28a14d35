/**
 * Base32 as Tahoe writes it: RFC 4648's alphabet in lower case, no padding.
 *
 * Decoding is strict: an unknown character, an impossible length, or a last character whose unused bits are
 * not zero is refused, so that every byte string has exactly one text.
 */
import { fromUtf8, utf8 } from './bytes.js';
import { TahoeError } from './errors.js';

const ALPHABET = utf8('abcdefghijklmnopqrstuvwxyz234567');
/** In the place of a character that is none of them. */
const NO_VALUE = 32;
/** By the code of a character. */
const VALUES = Uint8Array.from({ length: 128 }, (_, code) =>
  ALPHABET.includes(code) ? ALPHABET.indexOf(code) : NO_VALUE,
);

/** The text of `bytes`: ceil(8·length / 5) characters. */
export function formatBase32(bytes: Uint8Array): string {
  const codes = new Uint8Array(Math.ceil((bytes.length * 8) / 5));
  let bits = 0;
  let bitCount = 0;
  let size = 0;
  for (const byte of bytes) {
    bits = ((bits << 8) | byte) & 0xfff;
    bitCount += 8;
    while (bitCount >= 5) {
      bitCount -= 5;
      codes[size++] = ALPHABET[(bits >>> bitCount) & 31] ?? 0;
    }
  }
  if (bitCount > 0) codes[size] = ALPHABET[(bits << (5 - bitCount)) & 31] ?? 0;
  return fromUtf8(codes);
}

/**
 * The bytes of `text`: floor(5·length / 8) of them.
 * @throws ERR_BASE32 when the text is not the one that formatBase32 writes for some bytes.
 */
export function parseBase32(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.floor((text.length * 5) / 8));
  let bits = 0;
  let bitCount = 0;
  let size = 0;
  for (let i = 0; i < text.length; i++) {
    bits = ((bits << 5) | valueAt(text, i)) & 0xfff;
    bitCount += 5;
    if (bitCount >= 8) {
      bitCount -= 8;
      bytes[size++] = (bits >>> bitCount) & 0xff;
    }
  }
  if (bitCount >= 5) throw new TahoeError('ERR_BASE32', { reason: `no bytes make ${String(text.length)} characters` });
  if ((bits & ((1 << bitCount) - 1)) !== 0) {
    throw new TahoeError('ERR_BASE32', { reason: 'the last character has bits that belong to no byte' });
  }
  return bytes;
}

function valueAt(text: string, position: number): number {
  const value = VALUES[text.charCodeAt(position)] ?? NO_VALUE;
  if (value === NO_VALUE) throw new TahoeError('ERR_BASE32', { reason: 'a character is not one of a-z, 2-7' });
  return value;
}
