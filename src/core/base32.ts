/**
 * Base32 as Tahoe writes it: RFC 4648's alphabet in lower case, no padding.
 *
 * Decoding is strict: an unknown character, an impossible length, or a last character whose unused bits are
 * not zero is refused, so that every byte string has exactly one text.
 */
import { TahoeError } from './errors.js';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
const VALUES = new Map(Array.from(ALPHABET, (character, value) => [character, value]));

/** The text of `bytes`: ceil(8·length / 5) characters. */
export function formatBase32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let bitCount = 0;
  for (const byte of bytes) {
    bits = (bits << 8) | byte;
    bitCount += 8;
    while (bitCount >= 5) {
      bitCount -= 5;
      text += ALPHABET.charAt((bits >>> bitCount) & 31);
    }
    bits &= (1 << bitCount) - 1;
  }
  return bitCount === 0 ? text : text + ALPHABET.charAt((bits << (5 - bitCount)) & 31);
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
  for (const character of text) {
    bits = ((bits << 5) | valueOf(character)) & 0xfff;
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

function valueOf(character: string): number {
  const value = VALUES.get(character);
  if (value === undefined) throw new TahoeError('ERR_BASE32', { reason: 'a character is not one of a-z, 2-7' });
  return value;
}
