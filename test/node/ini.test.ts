/**
 * The INI syntax against Python's own parser over a fixed corpus, and against itself under edits.
 * The corpus was written by Python 3.11: test/vectors/configparser.json.
 */
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { isTahoeError } from '#core/errors.js';
import { setOption } from '#node/config/ini-edit.js';
import { parseIni, strip } from '#node/config/ini.js';
import type { Ini } from '#node/config/ini.js';

type Option = [name: string, raw: string, value: string | null];
interface Case {
  readonly text: string;
  readonly sections: [section: string, options: Option[]][] | null;
}

const vectorFile = new URL('../../../test/vectors/configparser.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(vectorFile, 'utf8')) as { cases: Case[] };

function valueOrNull(ini: Ini, section: string, option: string): string | null {
  try {
    return ini.get(section, option) ?? 'undefined';
  } catch (error) {
    if (isTahoeError(error, 'ERR_CONFIG') && error.message.includes(`[${section}]${option}: `)) return null;
    throw error;
  }
}

function dump(ini: Ini): Case['sections'] {
  return ini
    .sections()
    .map((section) => [
      section,
      ini
        .options(section)
        .map((option): Option => [option, ini.raw(section, option) ?? '', valueOrNull(ini, section, option)]),
    ]);
}

function parseOrNull(text: string): Ini | null {
  try {
    return parseIni(text, 'tahoe.cfg');
  } catch (error) {
    if (isTahoeError(error, 'ERR_CONFIG')) return null;
    throw error;
  }
}

t.test('every file of the corpus reads as Python reads it', (t) => {
  t.ok(cases.length > 400);
  // Their texts hold control characters, unfit for names of assertions: the numbers of those that differ are compared.
  const different = cases.flatMap(({ text, sections }, number) => {
    const ini = parseOrNull(text);
    return isDeepStrictEqual(ini === null ? null : dump(ini), sections) ? [] : [number];
  });
  t.strictSame(different, []);
  t.end();
});

t.test('errors name the file, the line or the option, and never a value', (t) => {
  const refused: [text: string, message: string][] = [
    ['nickname = secret-word', 'tahoe.cfg: line 1 stands before the first [section]'],
    ['[node]\n\nsecret-word', 'tahoe.cfg: line 3 is neither a [section], nor name = value, nor a # comment'],
  ];
  for (const [text, message] of refused) t.throws(() => parseIni(text, 'tahoe.cfg'), { code: 'ERR_CONFIG', message });
  const options: [value: string, message: string][] = [
    ['secret-word 50%', "tahoe.cfg: [node]nickname: a '%' must be doubled ('%%') or begin a reference '%(name)s'"],
    ['%(secret)s', "tahoe.cfg: [node]nickname: it refers to 'secret', which is not set"],
    ['%(nickname)s', 'tahoe.cfg: [node]nickname: its %(name)s references go round or too deep'],
  ];
  for (const [value, message] of options) {
    const ini = parseIni(`[node]\nnickname = ${value}\n`, 'tahoe.cfg');
    t.throws(() => ini.get('node', 'nickname'), { code: 'ERR_CONFIG', message });
  }
  t.end();
});

t.test('references that fan out are cut off', (t) => {
  const lines = ['[a]', `x0 = ${'x'.repeat(1000)}`];
  for (let i = 1; i < 10; i++) lines.push(`x${String(i)} = ${`%(x${String(i - 1)})s`.repeat(20)}`);
  const ini = parseIni(lines.join('\n'), 'tahoe.cfg');
  t.equal(ini.get('a', 'x1')?.length, 20_000);
  t.throws(() => ini.get('a', 'x9'), { code: 'ERR_CONFIG', message: 'tahoe.cfg: [a]x9: it grows too long' });
  t.end();
});

t.test('names of the language are ordinary names', (t) => {
  const ini = parseIni('[__proto__]\nconstructor = 1\n[toString]\n__proto__ = 2\n', 'tahoe.cfg');
  t.equal(ini.get('__proto__', 'constructor'), '1');
  t.equal(ini.get('toString', '__proto__'), '2');
  t.equal(ini.get('hasOwnProperty', 'x'), undefined);
  t.equal(ini.get('toString', 'valueOf'), undefined);
  t.end();
});

const parsable = cases.filter(({ sections }) => sections !== null).map(({ text }) => text);
const line = fc
  .string({ unit: fc.constantFrom(...'ab%=:#;[] ü(s)\r') })
  .map((text) => strip(text))
  .filter((text) => !/^[#;]/.test(text));
const value = fc
  .array(line, { minLength: 1, maxLength: 3 })
  .map((lines) => (lines.at(-1) === '' ? [...lines.slice(0, -1), 'end'] : lines).join('\n'))
  .map((text) => (text === 'end' ? '' : text));

t.test('setOption sets that one option and nothing else', (t) => {
  const change = fc.record({
    section: fc.constantFrom('node', 'client', 'a]b', 'new section'),
    option: fc.constantFrom('nickname', 'Web.Port', 'a', 'fresh'),
    value,
  });
  t.doesNotThrow(() => {
    fc.assert(
      fc.property(fc.constantFrom(...parsable), change, (text, change) => {
        const before = parseIni(text, 'before');
        const after = parseIni(setOption(text, change), 'after');
        if (after.get(change.section, change.option) !== change.value) return false;
        const others = (ini: Ini, section: string) =>
          ini.options(section).filter((option) => section !== change.section || option !== change.option.toLowerCase());
        // A section that is new shows the options of [DEFAULT] too.
        const known = before.sections();
        return [...known, 'DEFAULT'].every(
          (section) =>
            JSON.stringify(others(before, section)) === JSON.stringify(others(after, section)) &&
            others(before, section).every((option) => before.raw(section, option) === after.raw(section, option)),
        );
      }),
      { numRuns: 2000 },
    );
  });
  t.end();
});

t.test('setOption keeps comments, order and line ends', (t) => {
  const text = '# head\r\n[node]\r\n# who\r\nnickname : old\r\n  old too\r\n# after\r\n\r\n[client]\r\n';
  t.equal(
    setOption(text, { section: 'node', option: 'NickName', value: 'new 100%' }),
    '# head\r\n[node]\r\n# who\r\nnickname : new 100%%\r\n# after\r\n\r\n[client]\r\n',
  );
  t.equal(
    setOption(text, { section: 'node', option: 'tempdir', value: 'x\ny' }),
    '# head\r\n[node]\r\n# who\r\nnickname : old\r\n  old too\r\ntempdir = x\r\n\ty\r\n# after\r\n\r\n[client]\r\n',
  );
  t.equal(setOption('\ufeff[node]', { section: 'node', option: 'nickname', value: '' }), '\ufeff[node]\nnickname =');
  t.equal(setOption('', { section: 'node', option: 'a', value: 'b' }), '[node]\na = b\n');
  t.equal(
    setOption('[node]\na = 1\nA = 2', { section: 'client', option: 'a', value: 'b' }),
    '[node]\na = 1\nA = 2\n\n[client]\na = b\n',
  );
  t.end();
});

t.test('setOption refuses what the syntax cannot write', (t) => {
  const refused = [
    { section: 'node', option: '', value: 'x' },
    { section: 'node', option: 'a=b', value: 'x' },
    { section: 'node', option: '#a', value: 'x' },
    { section: 'node', option: ' a', value: 'x' },
    { section: '', option: 'a', value: 'x' },
    { section: 'a\nb', option: 'a', value: 'x' },
    { section: 'node', option: 'a', value: ' x' },
    { section: 'node', option: 'a', value: 'x\u00a0' },
    { section: 'node', option: 'a', value: 'x\n# y' },
    { section: 'node', option: 'a', value: 'x\n' },
  ];
  for (const change of refused) {
    t.throws(
      () => setOption('[node]\n', change),
      { code: 'ERR_USAGE', message: /^cannot set \[/ },
      JSON.stringify(change),
    );
  }
  t.throws(() => setOption('nonsense', { section: 'node', option: 'a', value: 'x' }), { code: 'ERR_CONFIG' });
  t.end();
});
