/** Which introducers a node knows, and what it says of a file that is none. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { INTRODUCERS_MAX, loadIntroducers, parseIntroducers } from '#node/introducers-file.js';
import { NodeDirectory } from '#node/node-directory.js';
import { temporaryDirectory } from './fixtures/temporary-directory.js';

const FURL = `pb://${'a'.repeat(32)}@tcp:127.0.0.1:1/s3cret`;
const NURL = `pb://${'A'.repeat(43)}@127.0.0.1:1/s3cret#v=1`;

t.test('furls and NURLs, several at once', async (t) => {
  const text = `introducers:\n  one: {furl: "${FURL}"}\n  two: {furl: "${NURL}"}\n  three: {furl: "${FURL}", nurl: "${NURL}"}\n`;
  t.same(
    parseIntroducers(text, 'f').map(({ name, furl, nurl }) => [name, furl, nurl?.dangerouslyFormat()]),
    [
      ['one', FURL, undefined],
      ['two', undefined, NURL],
      ['three', FURL, NURL],
    ],
  );
  for (const empty of ['', '# nothing\n', 'introducers:\n', 'introducers: {}\n'])
    t.same(parseIntroducers(empty, 'f'), []);
});

t.test('what is none is refused, and no address repeated', async (t) => {
  const many = Array.from({ length: INTRODUCERS_MAX + 1 }, (_, i) => `  n${String(i)}: {furl: "${FURL}"}`).join('\n');
  const cases: [string, RegExp][] = [
    ['introducers: [\n', /it is not YAML/],
    ['- a\n', /a map "introducers" is expected/],
    ['introducers: [a]\n', /a map "introducers"/],
    ['introducers: {a: b}\n', /'a' is no map/],
    ['introducers: {a: {}}\n', /'a': a furl or a NURL is expected/],
    [`introducers: {a: {furl: "pb://nonsense/s3cret"}}\n`, /a furl or a NURL is expected/],
    [`introducers: {a: {furl: "${NURL.replace(':1/', ':0/')}"}}\n`, /the port is not in 1 to 65535/],
    [`introducers: {"../a": {furl: "${FURL}"}}\n`, /cannot be part of the name of a file/],
    [`introducers:\n${many}\n`, /names more than 64 introducers/],
    [`a: ${'x'.repeat(1 << 20)}`, /too large/],
  ];
  for (const [text, message] of cases) {
    t.throws(() => parseIntroducers(text, 'f'), { code: 'ERR_YAML', message });
    try {
      parseIntroducers(text, 'f');
    } catch (error) {
      t.notMatch(String(error), /s3cret/);
    }
  }
});

t.test('the option is one more, by the name default', async (t) => {
  const path = await temporaryDirectory(t);
  const directory = new NodeDirectory(path);
  t.same(await loadIntroducers(directory), []);
  t.match(await loadIntroducers(directory, NURL), [{ name: 'default', furl: undefined }]);
  await mkdir(join(path, 'private'));
  await writeFile(join(path, 'private/introducers.yaml'), `introducers: {default: {furl: "${FURL}"}}\n`);
  await t.rejects(loadIntroducers(directory, NURL), {
    code: 'ERR_YAML',
    message: /and so does \[client\]introducer\.furl/,
  });
});
