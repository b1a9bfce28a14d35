/**
 * Reads Banana tokens from bytes that arrive in pieces of any size, and tells a sink of each in order.
 *
 * Nothing is kept but the token that is incomplete. Before the first byte of a body is kept the sink is asked whether
 * it may be; memory for a long one is taken when part of it is there, never for what was only announced.
 */
import { TahoeError } from '#core/errors.js';
import { PREFIX_LENGTH_MAX, SHORT_BODY_SIZE_MAX } from './limits.js';
import { tokenType } from './token-writer.js';

/** What room is taken for a long body, one after the other, before there is room for all of it, in bytes. */
const roomSizes = [1 << 10, 1 << 20];
/** Numbers of so many digits are exact as a JavaScript number. */
const NUMBER_DIGITS_MAX = 7;

/** Hears of tokens. Whatever a method throws ends the reading. */
export interface TokenSink {
  /** Whether the reading is to stop where it is, for a while. */
  readonly isFull: boolean;
  open(count: number | bigint): void;
  close(count: number | bigint): void;
  abort(): void;
  integer(value: number | bigint): void;
  float(value: number): void;
  /** The receiver's own. */
  string(bytes: Uint8Array): void;
  vocabulary(index: number | bigint): void;
  error(text: Uint8Array): void;
  ping(count: number | bigint): void;
  pong(): void;
  /** A body of `size` bytes begins. @returns whether it is wanted; one that is not is passed over. @throws where it is too large. */
  begin(size: number): boolean;
}

interface Body {
  readonly type: number;
  readonly size: number;
  readonly wanted: boolean;
  received: number;
  room: Uint8Array;
}

/** One direction of a connection. */
export class TokenReader {
  readonly #sink: TokenSink;
  readonly #digits: number[] = [];
  #body: Body | undefined;

  constructor(sink: TokenSink) {
    this.#sink = sink;
  }

  /**
   * @returns how many bytes were taken: all, unless the sink has had enough for now.
   * @throws ERR_BANANA for what is no token; whatever the sink throws. Nothing may be fed after that.
   */
  feed(chunk: Uint8Array): number {
    let offset = 0;
    while (offset < chunk.length && !this.#sink.isFull) {
      if (this.#body !== undefined) {
        offset += this.#fill(this.#body, chunk.subarray(offset));
      } else {
        const byte = chunk[offset] ?? 0;
        offset += 1;
        if (byte >= 0x80) this.#token(byte);
        else if (this.#digits.length === PREFIX_LENGTH_MAX) throw broken('a token has more than 64 digits');
        else this.#digits.push(byte);
      }
    }
    return offset;
  }

  #token(type: number): void {
    const count = this.#takeNumber();
    switch (type) {
      case tokenType.open:
        this.#sink.open(count);
        return;
      case tokenType.close:
        this.#sink.close(count);
        return;
      case tokenType.abort:
        this.#sink.abort();
        return;
      case tokenType.int:
        this.#sink.integer(count);
        return;
      case tokenType.neg:
        this.#sink.integer(negated(count));
        return;
      case tokenType.vocab:
        this.#sink.vocabulary(count);
        return;
      case tokenType.ping:
        this.#sink.ping(count);
        return;
      case tokenType.pong:
        this.#sink.pong();
        return;
      default:
        this.#beginBody(type, count);
    }
  }

  #takeNumber(): number | bigint {
    const digits = this.#digits;
    let value: number | bigint = 0;
    if (digits.length <= NUMBER_DIGITS_MAX) {
      for (let i = digits.length - 1; i >= 0; i--) value = value * 128 + (digits[i] ?? 0);
    } else {
      let large = 0n;
      for (let i = digits.length - 1; i >= 0; i--) large = large * 128n + BigInt(digits[i] ?? 0);
      value = large <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(large) : large;
    }
    digits.length = 0;
    return value;
  }

  #beginBody(type: number, count: number | bigint): void {
    const size = type === tokenType.float ? 8 : count;
    if (!bodyTypes.has(type)) throw broken(`there is no token of type ${type.toString(16)}`);
    if (typeof size === 'bigint') throw broken('a body is larger than anything that is taken');
    if (type !== tokenType.string && size > SHORT_BODY_SIZE_MAX) throw broken('an integer or an error is too long');
    const wanted = this.#sink.begin(size);
    const body = { type, size, wanted, received: 0, room: new Uint8Array(0) };
    if (size === 0) this.#finish(body, body.room);
    else this.#body = body;
  }

  /** @returns how many bytes of `available` belong to the body. */
  #fill(body: Body, available: Uint8Array): number {
    const piece = available.subarray(0, body.size - body.received);
    if (body.wanted) keep(body, piece);
    body.received += piece.length;
    if (body.received === body.size) {
      this.#body = undefined;
      this.#finish(body, body.room);
    }
    return piece.length;
  }

  #finish({ type, wanted }: Body, bytes: Uint8Array): void {
    if (!wanted) this.#sink.string(new Uint8Array(0));
    else if (type === tokenType.string) this.#sink.string(bytes);
    else if (type === tokenType.float) this.#sink.float(new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0));
    else if (type === tokenType.error) this.#sink.error(bytes);
    else this.#sink.integer(type === tokenType.longInt ? magnitude(bytes) : negated(magnitude(bytes)));
  }
}

const bodyTypes: ReadonlySet<number> = new Set([
  tokenType.string,
  tokenType.float,
  tokenType.longInt,
  tokenType.longNeg,
  tokenType.error,
]);

/** Room grows in two steps to what was announced, as the bytes come: a promise alone costs little. */
function keep(body: Body, piece: Uint8Array): void {
  const end = body.received + piece.length;
  while (end > body.room.length) {
    const size = roomSizes.find((one) => one > body.room.length) ?? body.size;
    const room = new Uint8Array(Math.min(size, body.size));
    room.set(body.room.subarray(0, body.received));
    body.room = room;
  }
  body.room.set(piece, body.received);
}

function magnitude(bytes: Uint8Array): number | bigint {
  let hex = '';
  for (const byte of bytes) hex += byte.toString(16).padStart(2, '0');
  const value = hex === '' ? 0n : BigInt(`0x${hex}`);
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

function negated(value: number | bigint): number | bigint {
  return value === 0 ? 0 : -value;
}

function broken(reason: string): TahoeError {
  return new TahoeError('ERR_BANANA', { reason });
}
