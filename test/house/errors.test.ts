/** Every error code is thrown somewhere, tested somewhere, and its sentence stands by itself. */
import t from 'tap';
import { errorCodes } from '#core/errors.js';
import { productSources, readSources } from './sources.js';

const product = productSources
  .filter(({ path }) => path !== 'src/core/errors.ts')
  .map(({ text }) => text)
  .join('\n');
const tests = readSources('test')
  .filter(({ path }) => !path.startsWith('test/house/'))
  .map(({ text }) => text)
  .join('\n');

t.test('no code is only in the catalogue', async (t) => {
  for (const code of errorCodes) t.ok(product.includes(`'${code}'`), `${code} is thrown`);
});

t.test('every code is expected by a test', async (t) => {
  for (const code of errorCodes) t.match(tests, new RegExp(`\\b${code}\\b`), `${code} is tested`);
});

t.test('only catalogue errors are thrown for what people can mend', async (t) => {
  for (const { path, text } of productSources) t.notMatch(text, /throw ['"`]/, path);
});
