/**
 * The names of a directory's entries: Unicode in normal form C, UTF-8 where they are stored, any character allowed.
 *
 * They are normalised where they go in and where they come out, for what was normal under one version of Unicode need
 * not be under the next. Entries are sorted by code point, as Python sorts; JavaScript alone would sort by UTF-16 units
 * and put U+1F600 before U+FF21.
 * @see Tahoe-LAFS docs/specifications/dirnodes.rst
 */
import { fromUtf8, utf8 } from '../bytes.js';
import { TahoeError } from '../errors.js';

/** The longest name, in bytes of UTF-8. */
export const NAME_SIZE_MAX = 65_536;

const SURROGATE = /\p{Surrogate}/u;
const SURROGATES_BEGIN = 0xd800;
const SURROGATES_END = 0xe000;
const SURROGATE_COUNT = SURROGATES_END - SURROGATES_BEGIN;
const OTHERS_BEHIND = 0x1_0000 - SURROGATES_END;

/**
 * The name as a directory has it.
 * @throws ERR_CHILD_NAME when it has no UTF-8 or is too long.
 */
export function normalizeName(name: string): string {
  if (SURROGATE.test(name)) throw new TahoeError('ERR_CHILD_NAME', { reason: 'half of a surrogate pair stands alone' });
  const normal = name.normalize('NFC');
  if (normal.length > NAME_SIZE_MAX || utf8(normal).length > NAME_SIZE_MAX) throw tooLong();
  return normal;
}

/**
 * The name that `bytes` are.
 * @throws ERR_CHILD_NAME when they are not UTF-8, or too many.
 */
export function decodeName(bytes: Uint8Array): string {
  if (bytes.length > NAME_SIZE_MAX) throw tooLong();
  try {
    return fromUtf8(bytes).normalize('NFC');
  } catch (error) {
    throw new TahoeError('ERR_CHILD_NAME', { reason: 'its bytes are not UTF-8' }, { cause: error });
  }
}

/** Which of two names comes first: negative, zero or positive, as `sort` wants it. */
export function compareNames(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [left, right] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

/** A UTF-16 unit's place by code point: surrogates, which stand for what lies beyond U+FFFF, go behind all others. */
function rank(unit: number): number {
  if (unit < SURROGATES_BEGIN) return unit;
  return unit < SURROGATES_END ? unit + OTHERS_BEHIND : unit - SURROGATE_COUNT;
}

function tooLong(): TahoeError {
  return new TahoeError('ERR_CHILD_NAME', { reason: `it is longer than ${String(NAME_SIZE_MAX)} bytes` });
}
