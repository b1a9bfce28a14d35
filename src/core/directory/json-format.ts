/**
 * JSON text exactly as Python's `json.dumps` writes it: ASCII only, `", "` and `": "` between, floats by their repr.
 * The capability of an immutable directory is a hash over these bytes, so every character counts.
 * @see Tahoe-LAFS docs/specifications/dirnodes.rst, on the metadata of an entry
 */
import { TahoeError } from '../errors.js';
import { isJsonObject, JSON_NESTING_MAX } from './json-value.js';
import type { JsonObject, JsonValue } from './json-value.js';

/** From this power of ten on, and below the other, Python writes a float with an exponent. */
const EXPONENT_FROM = 16;
const EXPONENT_BELOW = -4;

/** Floats between these have no exponent in either language. */
const PLAIN_FROM = 1e-4;
const PLAIN_BELOW = 1e16;
/** Text without anything to escape. */
const PLAIN_TEXT = /^[ !#-[\]-~]*$/;

const shortEscapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/**
 * The text of `value`.
 * @throws ERR_JSON when it is nested deeper than JSON_NESTING_MAX.
 */
export function formatPythonJson(value: JsonValue): string {
  return new JsonWriter(onOneLine).write(value);
}

/**
 * The same with a line for each item, as `json.dumps(value, indent=1)` has it.
 * @throws ERR_JSON when it is nested deeper than JSON_NESTING_MAX.
 */
export function formatIndentedJson(value: JsonValue): string {
  return new JsonWriter(indented).write(value);
}

/** A float as Python's repr writes it: the fewest digits that give it back. */
export function formatPythonFloat(value: number): string {
  const size = Math.abs(value);
  // Where neither language writes an exponent they write the same, but for the zero behind a whole number.
  if (size >= PLAIN_FROM && size < PLAIN_BELOW) return Number.isInteger(value) ? `${String(value)}.0` : String(value);
  return formatRareFloat(value);
}

function formatRareFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const [mantissa = '', exponentText] = Math.abs(value).toExponential().split('e');
  const digits = mantissa.replace('.', '');
  const exponent = Number(exponentText);
  if (exponent < EXPONENT_BELOW || exponent >= EXPONENT_FROM) {
    const power = String(Math.abs(exponent)).padStart(2, '0');
    return `${sign}${mantissa}e${exponent < 0 ? '-' : '+'}${power}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`;
}

/** What stands before the first item of an array or object, between two, and behind the last. */
interface Layout {
  before(depth: number): string;
  between(depth: number): string;
  after(depth: number): string;
}

const onOneLine: Layout = { before: () => '', between: () => ', ', after: () => '' };

const lineBreaks = Array.from({ length: JSON_NESTING_MAX + 2 }, (_, depth) => `\n${' '.repeat(depth)}`);
const indented: Layout = {
  before: (depth) => lineBreaks[depth + 1] ?? '',
  between: (depth) => `,${lineBreaks[depth + 1] ?? ''}`,
  after: (depth) => lineBreaks[depth] ?? '',
};

/** Writes one value from its beginning to its end: a directory may be a hundred thousand lines. */
class JsonWriter {
  readonly #layout: Layout;
  #text = '';

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  write(value: JsonValue): string {
    this.#value(value, 0);
    return this.#text;
  }

  #value(value: JsonValue, depth: number): void {
    if (depth > JSON_NESTING_MAX) {
      throw new TahoeError('ERR_JSON', { reason: `it is nested more than ${String(JSON_NESTING_MAX)} deep` });
    }
    if (typeof value === 'string') this.#text += formatString(value);
    else if (typeof value === 'number') this.#text += formatPythonFloat(value);
    else if (value === null || typeof value !== 'object') this.#text += String(value);
    else if (isJsonObject(value)) this.#object(value, depth);
    else this.#array(value, depth);
  }

  #array(values: readonly JsonValue[], depth: number): void {
    let separator = this.#layout.before(depth);
    this.#text += '[';
    for (const value of values) {
      this.#text += separator;
      this.#value(value, depth + 1);
      separator = this.#layout.between(depth);
    }
    this.#text += values.length === 0 ? ']' : `${this.#layout.after(depth)}]`;
  }

  #object(object: JsonObject, depth: number): void {
    let separator = this.#layout.before(depth);
    this.#text += '{';
    for (const [key, value] of object) {
      this.#text += `${separator}${formatString(key)}: `;
      this.#value(value, depth + 1);
      separator = this.#layout.between(depth);
    }
    this.#text += object.size === 0 ? '}' : `${this.#layout.after(depth)}}`;
  }
}

function formatString(text: string): string {
  if (PLAIN_TEXT.test(text)) return `"${text}"`;
  const escaped = text.replaceAll(/["\\]|[^ -~]/g, (unit) => shortEscapes[unit] ?? unicodeEscape(unit));
  return `"${escaped}"`;
}

/** Of one UTF-16 unit; what lies beyond the first plane becomes two of them. */
function unicodeEscape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
