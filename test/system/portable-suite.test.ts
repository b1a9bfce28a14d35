/** Every test of core that takes the shared provider, once more over the portable one; but see portable-chk-vectors. */
import t from 'tap';
import { readdirSync, readFileSync } from 'node:fs';
import { usePortableCrypto } from '../fixtures/crypto.js';

const folder = new URL('../core/', import.meta.url);
const suite = readdirSync(folder).filter((name) => {
  if (!name.endsWith('.test.js') || name.startsWith('portable-') || name === 'chk-vectors.test.js') return false;
  return readFileSync(new URL(name, folder), 'utf8').includes('fixtures/crypto.js');
});

await usePortableCrypto();
t.ok(suite.includes('crypto.test.js') && suite.includes('rsa.test.js'), `the suite is ${suite.join(' ')}`);
for (const name of suite) await import(new URL(name, folder).href);
