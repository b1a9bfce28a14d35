/**
 * JSON text exactly as Python's `json.dumps` writes it: ASCII only, `", "` and `": "` between, floats by their repr.
 * The capability of an immutable directory is a hash over these bytes, so every character counts.
 * @see Tahoe-LAFS docs/specifications/dirnodes.rst, on the metadata of an entry
 */
import { TahoeError } from '../errors.js';
import { isJsonObject, JSON_NESTING_MAX } from './json-value.js';
import type { JsonValue } from './json-value.js';

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
  return format(value, 0);
}

/**
 * The same with a line for each item, as `json.dumps(value, indent=1)` has it.
 * @throws ERR_JSON when it is nested deeper than JSON_NESTING_MAX.
 */
export function formatIndentedJson(value: JsonValue): string {
  return format(value, 0, (items, depth, [open, close]) => {
    if (items.length === 0) return `${open}${close}`;
    const line = `\n${' '.repeat(depth + 1)}`;
    return `${open}${line}${items.join(`,${line}`)}\n${' '.repeat(depth)}${close}`;
  });
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

/** Puts the items of an array or object together. */
type Layout = (items: readonly string[], depth: number, brackets: readonly [string, string]) => string;

const onOneLine: Layout = (items, _depth, [open, close]) => `${open}${items.join(', ')}${close}`;

function format(value: JsonValue, depth: number, layout = onOneLine): string {
  if (depth > JSON_NESTING_MAX) {
    throw new TahoeError('ERR_JSON', { reason: `it is nested more than ${String(JSON_NESTING_MAX)} deep` });
  }
  if (typeof value === 'string') return formatString(value);
  if (typeof value === 'number') return formatPythonFloat(value);
  if (value === null || typeof value !== 'object') return String(value);
  const item = (inner: JsonValue): string => format(inner, depth + 1, layout);
  if (!isJsonObject(value)) return layout(value.map(item), depth, ['[', ']']);
  const pairs = [...value].map(([key, inner]) => `${formatString(key)}: ${item(inner)}`);
  return layout(pairs, depth, ['{', '}']);
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
