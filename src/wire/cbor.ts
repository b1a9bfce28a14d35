/**
 * CBOR (RFC 8949) as the storage protocol uses it: definite lengths, text keys, integer keys, byte strings,
 * booleans, null, and sets (tag 258). Everything else is refused.
 *
 * Maps decode to `Map`, so that a key such as `__proto__` is only a key; sets decode to `Set`. Integers that a
 * number cannot hold exactly decode to bigint, for the schema check behind it to refuse. Duplicate keys,
 * trailing bytes and indefinite lengths are refused.
 */
import { decode, encode, Token, Tokenizer, Type } from 'cborg';
import type { DecodeOptions, EncodeOptions } from 'cborg';
import { fromUtf8 } from '#core/bytes.js';
import { reasonOf, TahoeError } from '#core/errors.js';

/** A value that the protocol's messages are made of. */
export type CborValue =
  | number
  | bigint
  | string
  | boolean
  | null
  | Uint8Array
  | readonly CborValue[]
  | ReadonlySet<number>
  | ReadonlyMap<CborValue, CborValue>;

const TAG_BIGNUM = 2;
/** The longest bignum that is read, in bytes. */
const BIGNUM_SIZE_MAX = 16;
const TAG_SET = 258;

const encodeOptions: EncodeOptions = {
  typeEncoders: {
    Set: (set: ReadonlySet<number>) => {
      const members = [...set].sort((a, b) => a - b);
      return [
        new Token(Type.tag, TAG_SET),
        new Token(Type.array, members.length),
        ...members.map((member) => new Token(Type.uint, member)),
      ];
    },
  },
};

const decodeOptions: DecodeOptions = {
  useMaps: true,
  allowBigInt: true,
  retainStringBytes: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowNaN: false,
  allowInfinity: false,
  rejectDuplicateMapKeys: true,
  tags: {
    // The reference says 2^64 for "I do not know how much space there is", which only a bignum can hold.
    [TAG_BIGNUM]: (decodeMember) => bignum(decodeMember()),
    [TAG_SET]: (decodeMember) => {
      const members: unknown = decodeMember();
      if (!Array.isArray(members)) throw new Error('a set is not made of an array');
      return new Set(members);
    },
  },
};

/** What cborg lets pass and no message has: fractions, so that `1.0` is not `1`, and texts that are not UTF-8. */
class StrictTokenizer extends Tokenizer {
  override next(): Token {
    const token = super.next();
    if (Type.equals(token.type, Type.float)) throw new Error('a number is not whole');
    if (Type.equals(token.type, Type.string) && token.byteValue !== undefined) fromUtf8(token.byteValue);
    return token;
  }
}

function bignum(bytes: unknown): bigint {
  if (!(bytes instanceof Uint8Array) || bytes.length > BIGNUM_SIZE_MAX) throw new Error('a bignum is too large');
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** The bytes of `value`; map keys and set members in a fixed order. */
export function encodeCbor(value: CborValue): Uint8Array {
  return encode(value, encodeOptions);
}

/** The kinds of item that messages are made of, by their number in the first three bits. */
export const majorType = { uint: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6, simple: 7 } as const;

/** The first bytes of an item: its kind and its value, length or count, in the shortest form. */
export function encodeCborHead(kind: keyof typeof majorType, value: number): Uint8Array {
  const first = majorType[kind] << 5;
  if (value < 24) return Uint8Array.of(first | value);
  const size = value < 2 ** 8 ? 1 : value < 2 ** 16 ? 2 : value < 2 ** 32 ? 4 : 8;
  const head = new Uint8Array(1 + size);
  head[0] = first | (24 + Math.log2(size));
  for (let i = size, rest = value; i > 0; i--, rest = Math.floor(rest / 256)) head[i] = rest % 256;
  return head;
}

/** What a tag makes of its content. @throws when it makes no sense. */
export type TagReader = (decodeContent: () => unknown) => unknown;

/**
 * The value of `bytes`, not yet checked against any schema. Byte strings may be views of `bytes`.
 * @param tags - tags besides those above, by number.
 * @throws ERR_CBOR when the bytes are not one CBOR item of the kinds above.
 */
export function decodeCbor(bytes: Uint8Array, tags: Readonly<Record<number, TagReader>> = {}): unknown {
  const options = { ...decodeOptions, tags: { ...decodeOptions.tags, ...tags } };
  try {
    const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return decode(plain, { ...options, tokenizer: new StrictTokenizer(plain, options) }) as unknown;
  } catch (error) {
    throw new TahoeError('ERR_CBOR', { reason: reasonOf(error) }, { cause: error });
  }
}
