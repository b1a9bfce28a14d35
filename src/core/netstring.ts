/**
 * Netstrings: the decimal length in ASCII, a colon, the bytes, a comma.
 * Tahoe frames hashed values and URI extension blocks with them.
 * @see Tahoe-LAFS docs/specifications/file-encoding.rst; D. J. Bernstein, "Netstrings"
 */
import { TahoeError } from './errors.js';

const COLON = 0x3a;
const COMMA = 0x2c;
/** 2^53 has 16 digits; a longer length is nonsense. */
const LENGTH_DIGITS_MAX = 16;

/** `<length>:<bytes>,` */
export function encodeNetstring(bytes: Uint8Array): Uint8Array {
  const digits = String(bytes.length);
  const netstring = new Uint8Array(digits.length + bytes.length + 2);
  for (let i = 0; i < digits.length; i++) netstring[i] = digits.charCodeAt(i);
  netstring[digits.length] = COLON;
  netstring.set(bytes, digits.length + 1);
  netstring[netstring.length - 1] = COMMA;
  return netstring;
}

/**
 * The netstring that starts at `offset`.
 * @returns its content (a view) and the offset behind its comma.
 * @throws ERR_NETSTRING when there is none, or it is cut short.
 */
export function decodeNetstring(bytes: Uint8Array, offset = 0): { content: Uint8Array; end: number } {
  const colon = bytes.indexOf(COLON, offset);
  if (colon < 0 || colon === offset || colon - offset > LENGTH_DIGITS_MAX) throw malformed('it has no length');
  const size = decimal(bytes, offset, colon);
  const end = colon + 1 + size;
  if (bytes[end] !== COMMA) throw malformed('no comma stands at its end');
  return { content: bytes.subarray(colon + 1, end), end: end + 1 };
}

/** The number that stands at begin … end. */
function decimal(bytes: Uint8Array, begin: number, end: number): number {
  let value = 0;
  for (let i = begin; i < end; i++) {
    const digit = bytes[i] ?? 0;
    if (digit < 0x30 || digit > 0x39) throw malformed('its length is not decimal');
    value = value * 10 + (digit - 0x30);
  }
  if (end - begin > 1 && bytes[begin] === 0x30) throw malformed('its length has a leading zero');
  return value;
}

function malformed(reason: string): TahoeError {
  return new TahoeError('ERR_NETSTRING', { reason });
}
