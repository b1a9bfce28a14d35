/**
 * A JSON value as Python holds one, so that what is read and written again comes out as the same text.
 *
 * Python keeps whole numbers apart from floats, both of any size it can hold, and the order in which an object's keys
 * came; a JavaScript object keeps neither (its keys `"2"` and `"1"` come out as 1, 2). So:
 *
 *   bigint   a whole number          number   a float, with NaN and the infinities
 *   Map      an object, in order     string   UTF-16, surrogates without partner included
 */

/** One value. */
export type JsonValue = null | boolean | number | bigint | string | readonly JsonValue[] | JsonObject;
/** Keys in the order in which they came. */
export type JsonObject = ReadonlyMap<string, JsonValue>;

/** How deep arrays and objects may stand in each other, where they are read and where they are written. */
export const JSON_NESTING_MAX = 500;

/** Whether it is an object. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return value instanceof Map;
}

/** Whether Python takes the value for true: all but null, false, zero and what is empty. */
export function isTruthy(value: JsonValue | undefined): boolean {
  if (isJsonObject(value)) return value.size > 0;
  if (typeof value === 'object' && value !== null) return value.length > 0;
  return Number.isNaN(value) || Boolean(value);
}
