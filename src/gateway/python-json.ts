/** Plain values as the JSON that the reference's clients read: Python's spaces, its escapes, its numbers. */
import { formatIndentedJson, formatPythonJson } from '#core/directory/json-format.js';
import type { JsonValue } from '#core/directory/json-value.js';

/** On one line. Whole numbers are written as whole ones. */
export function jsonLine(value: unknown): string {
  return formatPythonJson(jsonValueOf(value));
}

/** Over many lines, indented by one. */
export function jsonPage(value: unknown): string {
  return formatIndentedJson(jsonValueOf(value));
}

function jsonValueOf(value: unknown): JsonValue {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || typeof value === 'bigint')
    return value;
  if (Array.isArray(value)) return value.map(jsonValueOf);
  if (typeof value !== 'object') throw new RangeError('no JSON has this');
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return new Map(fields.map(([name, field]): [string, JsonValue] => [name, jsonValueOf(field)]));
}
