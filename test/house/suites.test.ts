/** Every test file is run by something: by a suite, or by the script of its folder. */
import t from 'tap';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../../test/', import.meta.url));
/** Folders that have a script of their own, or hold no tests. */
const scripts = ['system', 'crash', 'package', 'interop', 'house', 'suites'];
const withoutTests = ['conformance', 'fixtures', 'torture', 'vectors'];

t.test('each folder has its suite, of all its parts', (t) => {
  const suites = readdirSync(`${folder}suites`).map((name) => readFileSync(`${folder}suites/${name}`, 'utf8'));
  const called = suites.map((text) => /importTests\('([a-z]+)', (\d+), (\d+)\)/.exec(text)?.slice(1).join(' '));
  for (const name of readdirSync(folder)) {
    if (scripts.includes(name) || withoutTests.includes(name)) continue;
    const tests = readdirSync(folder + name, { recursive: true, encoding: 'utf8' });
    if (!tests.some((file) => file.endsWith('.test.ts'))) continue;
    const parts = called.filter((call) => call?.startsWith(`${name} `) === true);
    t.ok(parts.length > 0, `${name} has a suite`);
    for (let part = 1; part <= parts.length; part++) {
      t.ok(parts.includes(`${name} ${String(part)} ${String(parts.length)}`), `${name}, part ${String(part)}`);
    }
  }
  t.end();
});
