/**
 * Writes Banana tokens: a number in base 128, least significant digit first, then a type byte, then perhaps a body.
 *
 *     81 INT   83 NEG   85 LONGINT   86 LONGNEG   82 STRING   84 FLOAT   87 VOCAB
 *     88 OPEN   89 CLOSE   8A ABORT   8D ERROR   8E PING   8F PONG
 *
 * An OPEN carries how many came before it on this connection, its CLOSE the same number. Short pieces are gathered; byte
 * strings of 4 KiB and more are passed on as they are and must not change until they are sent.
 * @see https://foolscap.readthedocs.io, "Banana"
 */
import { utf8 } from '#core/bytes.js';
import { SHORT_BODY_SIZE_MAX } from './limits.js';

/** The type bytes. */
export const tokenType = {
  list: 0x80,
  int: 0x81,
  string: 0x82,
  neg: 0x83,
  float: 0x84,
  longInt: 0x85,
  longNeg: 0x86,
  vocab: 0x87,
  open: 0x88,
  close: 0x89,
  abort: 0x8a,
  error: 0x8d,
  ping: 0x8e,
  pong: 0x8f,
} as const;

/** Integers from here on have a body; those below fit into the number in front. */
const INT_END = 2 ** 31;
/** Strings from this size on are not copied, in bytes. */
const UNCOPIED_SIZE_MIN = 4096;

/** Tokens of one message after the other; `take` gives what was written since the last one. */
export class TokenWriter {
  readonly #vocabulary: ReadonlyMap<string, number>;
  #openCount = 0;
  #takenOpenCount = 0;
  #small: number[] = [];
  #parts: Uint8Array[] = [];

  constructor(vocabulary: ReadonlyMap<string, number>) {
    this.#vocabulary = vocabulary;
  }

  /** Begins a sequence of the type `name`. @returns the number to close it with. */
  open(name: string): number {
    const count = this.#openCount;
    this.#openCount += 1;
    this.#token(count, tokenType.open);
    this.word(name);
    return count;
  }

  close(count: number): void {
    this.#token(count, tokenType.close);
  }

  /** An integer of any size. */
  integer(value: number | bigint): void {
    if (value < 0) this.#magnitude(-BigInt(value), tokenType.neg, tokenType.longNeg, BigInt(INT_END) + 1n);
    else this.#magnitude(BigInt(value), tokenType.int, tokenType.longInt, BigInt(INT_END));
  }

  float(value: number): void {
    this.#small.push(tokenType.float);
    const body = new Uint8Array(8);
    new DataView(body.buffer).setFloat64(0, value);
    this.#bytes(body);
  }

  /** Bytes that are a word of the vocabulary, or not. */
  word(text: string): void {
    const index = this.#vocabulary.get(text);
    if (index === undefined) this.string(utf8(text));
    else this.#token(index, tokenType.vocab);
  }

  string(bytes: Uint8Array): void {
    this.#token(bytes.length, tokenType.string);
    this.#bytes(bytes);
  }

  pong(count: number | bigint): void {
    if (count > 0) this.#digits(BigInt(count));
    this.#small.push(tokenType.pong);
  }

  ping(): void {
    this.#small.push(tokenType.ping);
  }

  /** The last token of a connection: why it ends. */
  error(text: string): void {
    const body = utf8(text).subarray(0, SHORT_BODY_SIZE_MAX);
    this.#token(body.length, tokenType.error);
    this.#bytes(body);
  }

  /** What was written since the last time, in parts. */
  take(): Uint8Array[] {
    this.#flush();
    const parts = this.#parts;
    this.#parts = [];
    this.#takenOpenCount = this.#openCount;
    return parts;
  }

  /** Forgets what was written since the last `take`. */
  abandon(): void {
    this.#parts = [];
    this.#small = [];
    this.#openCount = this.#takenOpenCount;
  }

  #magnitude(value: bigint, short: number, long: number, end: bigint): void {
    if (value < end) {
      this.#token(value, short);
      return;
    }
    const hex = value.toString(16);
    const even = hex.length % 2 === 0 ? hex : `0${hex}`;
    const body = Uint8Array.from(even.match(/../g) ?? [], (digits) => parseInt(digits, 16));
    this.#token(body.length, long);
    this.#bytes(body);
  }

  #token(count: number | bigint, type: number): void {
    this.#digits(count);
    this.#small.push(type);
  }

  /** A zero is a digit as well. */
  #digits(count: number | bigint): void {
    let rest = BigInt(count);
    do {
      this.#small.push(Number(rest & 0x7fn));
      rest >>= 7n;
    } while (rest > 0n);
  }

  #bytes(bytes: Uint8Array): void {
    if (bytes.length >= UNCOPIED_SIZE_MIN) {
      this.#flush();
      this.#parts.push(bytes);
    } else {
      for (const byte of bytes) this.#small.push(byte);
    }
  }

  #flush(): void {
    if (this.#small.length === 0) return;
    this.#parts.push(Uint8Array.from(this.#small));
    this.#small = [];
  }
}
