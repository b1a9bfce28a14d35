/**
 * Bytes: joining, comparing, and big-endian readers and writers that every layout uses.
 *
 * All integers on disk and in shares are unsigned and big-endian. A 64-bit field is read as a bigint and
 * narrowed to a number only inside 0 … 2^53−1; anything larger throws, so no offset is ever rounded.
 */
import { TahoeError } from './errors.js';

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The UTF-8 bytes of `text`. */
export function utf8(text: string): Uint8Array {
  return utf8Encoder.encode(text);
}

/**
 * The text of UTF-8 `bytes`.
 * @throws TypeError when the bytes are not UTF-8; callers turn it into their own error.
 */
export function fromUtf8(bytes: Uint8Array): string {
  return utf8Decoder.decode(bytes);
}

/** One new array holding all `parts` in order. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return join(parts);
}

/** The same of parts in an array, which may be more than a call has room for arguments. */
export function join(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** Bytes that are there already, where those are expected that arrive. */
export async function* inOnePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield await Promise.resolve(bytes);
}

/** Whether both hold the same bytes. Not constant-time: for public values such as hashes of shares only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

const hexOfBytes = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Lower-case hexadecimal, two characters a byte. */
export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += hexOfBytes[byte] ?? '';
  return text;
}

/** The bytes that an even number of lower-case hexadecimal digits stand for; undefined for anything else. */
export function fromHex(text: string): Uint8Array | undefined {
  if (!/^([0-9a-f]{2})*$/.test(text)) return undefined;
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

/** Reads big-endian fields from front to back. Views, not copies: they share the source's memory. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get offset(): number {
    return this.#offset;
  }

  get left(): number {
    return this.#bytes.length - this.#offset;
  }

  /** @throws ERR_TRUNCATED when fewer than `size` bytes are left. */
  bytes(size: number): Uint8Array {
    const start = this.#advance(size);
    return this.#bytes.subarray(start, start + size);
  }

  uint8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2));
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4));
  }

  /** @throws ERR_TRUNCATED, or ERR_SHARE_LAYOUT for a value of 2^53 or more. */
  uint64(): number {
    const value = this.#view.getBigUint64(this.#advance(8));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new TahoeError('ERR_SHARE_LAYOUT', { reason: `a 64-bit field holds ${String(value)}, beyond 2^53` });
    }
    return Number(value);
  }

  #advance(size: number): number {
    if (size > this.left) throw new TahoeError('ERR_TRUNCATED', { wanted: size, left: this.left });
    const start = this.#offset;
    this.#offset += size;
    return start;
  }
}

/** Collects big-endian fields; `finish` gives them as one array. */
export class ByteWriter {
  readonly #parts: Uint8Array[] = [];

  bytes(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    return this;
  }

  uint8(value: number): this {
    return this.bytes(Uint8Array.of(value));
  }

  uint16(value: number): this {
    return this.bytes(Uint8Array.of(value >>> 8, value));
  }

  uint32(value: number): this {
    return this.bytes(Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value));
  }

  /** @param value - below 2^53. */
  uint64(value: number): this {
    return this.uint32(Math.floor(value / 2 ** 32)).uint32(value);
  }

  finish(): Uint8Array {
    return concat(...this.#parts);
  }
}
