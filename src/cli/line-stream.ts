/**
 * Streams of lines from the gateway, an object of JSON in each. A line that begins with `ERROR:` ends the objects:
 * what follows is why the gateway broke off, in its own words.
 * @see Tahoe-LAFS docs/frontends/webapi.rst, "stream-manifest", "stream-deep-check"
 */
import { TahoeError } from '#core/errors.js';
import { sentenceOf } from './gateway-client.js';

/** The longest line, in bytes: a path of names and what a check found. */
const LINE_SIZE_MAX = 64 << 20;

/** An object of JSON, not looked at yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** The lines without their ends. @throws what `pieces` throws; ERR_GATEWAY_REPLY when one is too long. */
export async function* linesOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  let rest: Buffer[] = [];
  let size = 0;
  for await (const piece of pieces) {
    let start = 0;
    for (let end = piece.indexOf(10); end >= 0; end = piece.indexOf(10, start)) {
      yield Buffer.concat([...rest, piece.subarray(start, end)]).toString();
      rest = [];
      size = 0;
      start = end + 1;
    }
    rest.push(Buffer.from(piece.subarray(start)));
    size += piece.length - start;
    if (size > LINE_SIZE_MAX) throw unusable('a line of it has no end');
  }
  if (size > 0) yield Buffer.concat(rest).toString();
}

/**
 * The objects of a stream.
 * @param complain - is given each line of the gateway's error, without capabilities.
 * @returns whether the stream came to its end without one.
 */
export async function eachObject(
  pieces: AsyncIterable<Uint8Array>,
  take: (fields: Fields) => Promise<void>,
  complain: (line: string) => Promise<void>,
): Promise<boolean> {
  let isFailed = false;
  for await (const line of linesOf(pieces)) {
    isFailed ||= line.startsWith('ERROR:');
    if (isFailed) await complain(sentenceOf(line));
    else if (line.trim() !== '') await take(objectOf(parse(line)));
  }
  return !isFailed;
}

/** The value as an object. @throws ERR_GATEWAY_REPLY when it is none. */
export function objectOf(value: unknown): Fields {
  if (typeof value !== 'object' || value === null) throw unusable('this is not an object of JSON');
  return value as Fields;
}

/** The JSON of a whole answer. @throws ERR_GATEWAY_REPLY when it is none. */
export function parseAnswer(text: string): Fields {
  return objectOf(parse(text));
}

/** Text of the gateway without what could steer a terminal; empty when it is no text. */
export function textIn(fields: Fields, key: string): string {
  const value = fields[key];
  return typeof value === 'string' ? value.replaceAll(/\p{Cc}/gu, '?') : '';
}

/** A number of the gateway; 0 when it is none. */
export function numberIn(fields: Fields, key: string): number {
  const value = fields[key];
  return typeof value === 'number' ? value : 0;
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw unusable('a line of it is not JSON');
  }
}

function unusable(reason: string): TahoeError {
  return new TahoeError('ERR_GATEWAY_REPLY', { status: 200, reason });
}
