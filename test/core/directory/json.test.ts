/** Metadata as text: what Python's json reads and writes, byte by byte. */
import t from 'tap';
import fc from 'fast-check';
import { utf8 } from '#core/bytes.js';
import { formatPythonFloat, formatIndentedJson, formatPythonJson } from '#core/directory/json-format.js';
import { parsePythonJson } from '#core/directory/json-parse.js';
import { isJsonObject, isTruthy, JSON_NESTING_MAX } from '#core/directory/json-value.js';
import type { JsonValue } from '#core/directory/json-value.js';
import { directoryVectors, jsonOf } from '../../fixtures/directory-vectors.js';
import { fromHex } from '../../fixtures/vectors.js';

t.test('every text is read and written as Python does it', async (t) => {
  const wrong: string[] = [];
  for (const { text, formatted, keys } of directoryVectors.json) {
    if (formatted === null) {
      t.throws(() => jsonOf(text), { code: 'ERR_JSON' });
      continue;
    }
    const value = jsonOf(text);
    const again = formatPythonJson(jsonOf(formatted));
    if (formatPythonJson(value) !== formatted || again !== formatted) wrong.push(text);
    if (isJsonObject(value)) t.same([...value.keys()], keys);
  }
  t.same(wrong, []);
});

t.test('every float has the digits of its repr', async (t) => {
  const wrong = directoryVectors.floats.filter(([hex, text]) => {
    const value = new DataView(fromHex(hex).buffer).getFloat64(0);
    return formatPythonFloat(value) !== text || jsonOf(text) !== value;
  });
  t.same(wrong, []);
  t.ok(directoryVectors.floats.length > 500);
});

const jsonValue = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, true, false, Infinity, -Infinity),
    fc.bigInt(),
    fc.double({ noNaN: true }),
    fc.string({ unit: 'binary' }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(fc.string(), tie('value')), { maxLength: 4 }).map((pairs) => new Map(pairs)),
  ),
})).value;

t.test('what is written is read again, in ASCII', async () => {
  fc.assert(
    fc.property(jsonValue, (value) => {
      const text = formatPythonJson(value);
      return /^[ -~]*$/.test(text) && formatPythonJson(jsonOf(text)) === text;
    }),
  );
});

t.test('half a surrogate pair and NaN come back as they were', async (t) => {
  t.equal(jsonOf(formatPythonJson('\ud83d')), '\ud83d');
  t.equal(formatPythonJson(jsonOf('NaN')), 'NaN');
});

t.test('only so deep, only so many, only UTF-8', async (t) => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  t.equal(formatPythonJson(jsonOf(nested(JSON_NESTING_MAX + 1))).length, 2 * (JSON_NESTING_MAX + 1));
  t.throws(() => jsonOf(nested(JSON_NESTING_MAX + 2)), { code: 'ERR_JSON', message: /500 deep/ });
  t.throws(() => jsonOf('['.repeat(1_000_000)), { code: 'ERR_JSON', message: /500 deep/ });
  let deep: JsonValue = null;
  for (let i = 0; i < 10_000; i++) deep = [deep];
  t.throws(() => formatPythonJson(deep), { code: 'ERR_JSON', message: /500 deep/ });

  const budget = { valuesLeft: 4 };
  parsePythonJson(utf8('[1, 2]'), budget);
  t.equal(budget.valuesLeft, 1);
  t.throws(() => parsePythonJson(utf8('[1]'), budget), { code: 'ERR_JSON', message: /too many values/ });
  for (const bytes of [
    [0x22, 0xff, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
    [0x7b, 0x00, 0x7d, 0x00],
  ]) {
    t.throws(() => parsePythonJson(new Uint8Array(bytes), { valuesLeft: 9 }), { code: 'ERR_JSON' });
  }
});

t.test("Python's idea of what is true", async (t) => {
  for (const value of ['true', '1', '-1', '0.1', 'NaN', '"0"', '[0]', '{"a": false}'])
    t.ok(isTruthy(jsonOf(value)), value);
  for (const value of ['null', 'false', '0', '0.0', '-0.0', '""', '[]', '{}']) t.notOk(isTruthy(jsonOf(value)), value);
  t.notOk(isTruthy(undefined));
});

t.test('with indentation it is what json.dumps(value, indent=1) gives', (t) => {
  const value = new Map<string, JsonValue>([
    ['b', [1n, 2.5, []]],
    ['a', new Map([['ä', null]])],
    ['c', new Map()],
  ]);
  t.equal(
    formatIndentedJson(value),
    '{\n "b": [\n  1,\n  2.5,\n  []\n ],\n "a": {\n  "\\u00e4": null\n },\n "c": {}\n}',
  );
  t.end();
});
