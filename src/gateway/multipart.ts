/**
 * Forms as browsers send them with files: parts between boundaries, each with a head and a body, read as they come in.
 *
 *     --BOUNDARY\r\n  Content-Disposition: form-data; name="NAME"; filename="FILE"\r\n  \r\n  BODY  \r\n--BOUNDARY--
 *
 * No part is kept here: whoever takes one reads its body, or leaves it, before taking the next.
 * @see RFC 7578, RFC 2046 section 5.1
 */
import { TahoeError } from '#core/errors.js';

/** The longest head of a part, in bytes. */
const HEAD_SIZE_MAX = 16_384;
const LINE_END = Buffer.from('\r\n');
const HEAD_END = Buffer.from('\r\n\r\n');

/** One part. */
export interface FormPart {
  readonly name: string;
  /** Of the file, where it is one. */
  readonly fileName: string | undefined;
  /** Can be read once. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** The boundary that a Content-Type names. @throws ERR_USAGE when it names none. */
export function boundaryOf(contentType: string): string {
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))/i.exec(contentType) ?? [];
  const boundary = quoted ?? plain;
  if (boundary === undefined) throw unreadable('its type names no boundary');
  return boundary;
}

/** The parts of a form, one after the other. @throws ERR_USAGE when it is no form, and what `source` throws. */
export async function* readParts(
  source: AsyncIterable<Uint8Array>,
  boundary: string,
): AsyncGenerator<FormPart, void, undefined> {
  const reader = new DelimitedReader(source);
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  await drain(reader.until(delimiter));
  for (;;) {
    const line = await reader.text(LINE_END, HEAD_SIZE_MAX);
    if (line.startsWith('--')) return;
    if (line.trim() !== '') throw unreadable('a boundary is followed by something else');
    const head = await reader.text(HEAD_END, HEAD_SIZE_MAX);
    const body = reader.until(delimiter);
    yield { ...namesIn(head), body };
    await drain(body);
  }
}

/** Reads up to one delimiter after the other. */
class DelimitedReader {
  readonly #source: AsyncIterator<Uint8Array>;
  /** What has come and was not read. The first boundary may stand at the very beginning. */
  #rest: Buffer = LINE_END;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** What stands before the delimiter, which is read over. */
  async *until(delimiter: Buffer): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const at = this.#rest.indexOf(delimiter);
      if (at >= 0) {
        const found = this.#rest.subarray(0, at);
        this.#rest = this.#rest.subarray(at + delimiter.length);
        yield found;
        return;
      }
      const safe = Math.max(0, this.#rest.length - delimiter.length + 1);
      const passed = this.#rest.subarray(0, safe);
      this.#rest = this.#rest.subarray(safe);
      if (passed.length > 0) yield passed;
      await this.#more();
    }
  }

  /** The same as text. What follows the last boundary may do without its end. */
  async text(delimiter: Buffer, limitBytes: number): Promise<string> {
    for (;;) {
      const at = this.#rest.indexOf(delimiter);
      if ((at < 0 ? this.#rest.length : at) > limitBytes) throw unreadable('the head of a part is too long');
      if (at >= 0) {
        const text = this.#rest.subarray(0, at).toString();
        this.#rest = this.#rest.subarray(at + delimiter.length);
        return text;
      }
      if (this.#rest.subarray(0, 2).toString() === '--') return '--';
      await this.#more();
    }
  }

  async #more(): Promise<void> {
    const next = await this.#source.next();
    if (next.done === true) throw unreadable('it ends before its last boundary');
    this.#rest = Buffer.concat([this.#rest, next.value]);
  }
}

function namesIn(head: string): Omit<FormPart, 'body'> {
  const [, disposition = ''] = /^content-disposition:([^\r\n]*)/im.exec(head) ?? [];
  const name = parameter(disposition, 'name');
  if (name === undefined) throw unreadable('a part has no name');
  return { name, fileName: parameter(disposition, 'filename') };
}

function parameter(disposition: string, name: string): string | undefined {
  const pattern = new RegExp(`;\\s*${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s;"]+))`, 'i');
  const [, quoted, plain] = pattern.exec(disposition) ?? [];
  // Browsers write what would end the name as %22; backslashes are older.
  return quoted?.replaceAll(/\\(["\\])/g, '$1').replaceAll('%22', '"') ?? plain;
}

async function drain(bytes: AsyncIterator<Uint8Array>): Promise<void> {
  while ((await bytes.next()).done !== true);
}

function unreadable(reason: string): TahoeError {
  return new TahoeError('ERR_USAGE', { reason: `the form cannot be read: ${reason}` });
}
