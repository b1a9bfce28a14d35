/**
 * JSON text as Python's `json.loads` reads it, NaN and the infinities included.
 *
 * A number with a fraction or an exponent is a float, any other is whole; of a key that comes twice the last value
 * counts, at the first one's place. Formatting what was read gives the text back, where Python wrote it.
 * Python also reads UTF-16 and UTF-32; nobody ever wrote metadata so, and it is refused here.
 */
import { fromUtf8 } from '../bytes.js';
import { TahoeError } from '../errors.js';
import { JSON_NESTING_MAX } from './json-value.js';
import type { JsonObject, JsonValue } from './json-value.js';

/** Python reads no whole number of more digits. */
const INTEGER_DIGITS_MAX = 4300;
const BYTE_ORDER_MARK = '\ufeff';

const NUMBER = /(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
const SPACE = /[ \t\n\r]*/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y; // eslint-disable-line no-control-regex -- control characters end it
const UNICODE_ESCAPE = /[0-9a-fA-F]{4}/y;

const words: readonly (readonly [string, JsonValue])[] = [
  ['null', null],
  ['true', true],
  ['false', false],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
];
const escapes = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);

/** How many values may still be read; several texts may share one, so that many small ones stay bounded too. */
export interface JsonBudget {
  valuesLeft: number;
}

/**
 * The value that `bytes` hold.
 * @param budget - goes down by one for each value.
 * @throws ERR_JSON when they are not JSON in UTF-8, are nested deeper than JSON_NESTING_MAX or hold too many values.
 */
export function parsePythonJson(bytes: Uint8Array, budget: JsonBudget): JsonValue {
  let text: string;
  try {
    text = fromUtf8(bytes);
  } catch (error) {
    throw new TahoeError('ERR_JSON', { reason: 'it is not UTF-8' }, { cause: error });
  }
  return new JsonReader(text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text, budget).document();
}

class JsonReader {
  readonly #text: string;
  readonly #budget: JsonBudget;
  #offset = 0;

  constructor(text: string, budget: JsonBudget) {
    this.#text = text;
    this.#budget = budget;
  }

  document(): JsonValue {
    this.#take(SPACE);
    const value = this.#value(0);
    this.#take(SPACE);
    if (this.#offset < this.#text.length) throw this.#malformed('something follows it');
    return value;
  }

  #value(depth: number): JsonValue {
    if (depth > JSON_NESTING_MAX) throw this.#malformed(`it is nested more than ${String(JSON_NESTING_MAX)} deep`);
    if (this.#budget.valuesLeft-- <= 0) throw this.#malformed('it holds too many values');
    if (this.#skip('"')) return this.#string();
    if (this.#skip('{')) return this.#object(depth);
    if (this.#skip('[')) return this.#array(depth);
    const number = this.#number();
    if (number !== undefined) return number;
    const word = words.find(([name]) => this.#skip(name));
    if (word === undefined) throw this.#malformed('a value is missing');
    return word[1];
  }

  #object(depth: number): JsonObject {
    const object = new Map<string, JsonValue>();
    this.#take(SPACE);
    if (this.#skip('}')) return object;
    for (;;) {
      this.#expect('"');
      const key = this.#string();
      this.#take(SPACE);
      this.#expect(':');
      this.#take(SPACE);
      object.set(key, this.#value(depth + 1));
      this.#take(SPACE);
      if (this.#skip('}')) return object;
      this.#expect(',');
      this.#take(SPACE);
    }
  }

  #array(depth: number): JsonValue[] {
    const array: JsonValue[] = [];
    this.#take(SPACE);
    if (this.#skip(']')) return array;
    for (;;) {
      array.push(this.#value(depth + 1));
      this.#take(SPACE);
      if (this.#skip(']')) return array;
      this.#expect(',');
      this.#take(SPACE);
    }
  }

  #number(): number | bigint | undefined {
    const [whole, integer = '', fraction, exponent] = this.#match(NUMBER) ?? [];
    if (whole === undefined) return undefined;
    if (fraction !== undefined || exponent !== undefined) return Number(whole);
    if (integer.replace('-', '').length > INTEGER_DIGITS_MAX) throw this.#malformed('a number has too many digits');
    return BigInt(integer);
  }

  /** Behind its first quotation mark. */
  #string(): string {
    let string = this.#take(PLAIN);
    while (!this.#skip('"')) {
      if (!this.#skip('\\')) throw this.#malformed('a string does not end');
      string += this.#escape() + this.#take(PLAIN);
    }
    return string;
  }

  #escape(): string {
    const letter = this.#text.charAt(this.#offset++);
    if (letter !== 'u') {
      const unit = escapes.get(letter);
      if (unit === undefined) throw this.#malformed('a backslash escapes nothing');
      return unit;
    }
    const digits = this.#take(UNICODE_ESCAPE);
    if (digits === '') throw this.#malformed('\\u stands without its four digits');
    return String.fromCharCode(Number.parseInt(digits, 16));
  }

  /** What the pattern matches here, whole and by groups. */
  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#offset;
    const match = pattern.exec(this.#text) ?? undefined;
    if (match !== undefined) this.#offset += match[0].length;
    return match;
  }

  /** What the pattern matches here; it leaves no array of groups behind. */
  #take(pattern: RegExp): string {
    const begin = this.#offset;
    pattern.lastIndex = begin;
    if (pattern.test(this.#text)) this.#offset = pattern.lastIndex;
    return this.#text.slice(begin, this.#offset);
  }

  #skip(word: string): boolean {
    const found = this.#text.startsWith(word, this.#offset);
    if (found) this.#offset += word.length;
    return found;
  }

  #expect(word: string): void {
    if (!this.#skip(word)) throw this.#malformed(`${word} is missing`);
  }

  #malformed(reason: string): TahoeError {
    return new TahoeError('ERR_JSON', { reason: `${reason} (at character ${String(this.#offset)})` });
  }
}
