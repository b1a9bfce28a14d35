/**
 * The Range header as the web API reads it (RFC 9110, section 14): of several ranges the first, and a header that
 * is malformed counts as absent.
 */
import type { ByteRange } from '#wire/storage.js';

/** What a Range header asks of a file: a part, something that is not there, or nothing that can be understood. */
export type RangeRequest = ByteRange | 'unsatisfiable' | undefined;

/** @param size - of the file, in bytes. */
export function requestedRange(header: string | undefined, size: number): RangeRequest {
  const match = /^bytes=\s*([0-9]{0,16})\s*-\s*([0-9]{0,16})\s*(?:,|$)/.exec(header ?? '');
  if (match === null) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return undefined;
  if (first === '') return suffix(Number(last), size);
  const begin = Number(first);
  const end = last === '' ? size : Math.min(Number(last) + 1, size);
  if (last !== '' && Number(last) < begin) return undefined;
  return begin >= size ? 'unsatisfiable' : { begin, end };
}

function suffix(length: number, size: number): RangeRequest {
  return length === 0 || size === 0 ? 'unsatisfiable' : { begin: Math.max(0, size - length), end: size };
}
