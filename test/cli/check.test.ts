/** `check`: what it asks, the lines it prints, and how it fails. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import t from 'tap';
import { CAPABILITY, reply, startGateway } from './fixtures/fake-gateway.js';
import { runInPlace, temporaryDirectory } from './fixtures/program.js';

const path = `/uri/${encodeURIComponent(CAPABILITY)}`;
const results = {
  'count-shares-good': 9,
  'count-shares-needed': 3,
  'count-shares-expected': 10,
  'count-wrong-shares': 0,
  'list-corrupt-shares': [],
  healthy: false,
};
const unhealthy = { 'storage-index': 'abc', summary: 'Not Healthy: 9 shares (enc 3-of-10)', results };
const figures = ' storage index: abc\n good-shares: 9 (encoding is 3-of-10)\n wrong-shares: 0\n';

t.test('the lines of every kind of answer', async (t) => {
  const directory = await temporaryDirectory(t);
  const corrupt = { ...results, 'list-corrupt-shares': [['v0-x', 'abc', 4]] };
  const repaired = (isSuccess: boolean, healthy = false): object => ({
    'storage-index': 'abc',
    'repair-attempted': !healthy,
    'repair-successful': isSuccess,
    'pre-repair-results': { results: { ...corrupt, healthy } },
    'post-repair-results': { results },
  });
  const corruptLines = ' corrupt shares:\n  server v0-x, SI abc, shnum 4\n';
  const cases: [object, string][] = [
    [unhealthy, `Summary: Not Healthy: 9 shares (enc 3-of-10)\n${figures}`],
    [{ ...unhealthy, results: corrupt }, `Summary: Not Healthy: 9 shares (enc 3-of-10)\n${figures}${corruptLines}`],
    [{ 'storage-index': '', results: { healthy: true } }, 'Summary: Healthy (LIT)\n storage index: \n'],
    [repaired(true), `Summary: not healthy\n${figures}${corruptLines} repair successful\n`],
    [repaired(false), `Summary: not healthy\n${figures}${corruptLines} repair failed\n`],
    [repaired(false, true), `Summary: healthy\n${figures}${corruptLines}`],
    [{ ...unhealthy, summary: 'a\u001b[2Jb' }, `Summary: a?[2Jb\n${figures}`],
  ];
  for (const [answer, lines] of cases) {
    const { address } = await startGateway(t, reply(200, JSON.stringify(answer)));
    const { status, stdout, stderr } = await runInPlace(['check', '-u', address, CAPABILITY], directory);
    t.same({ status, stdout, stderr }, { status: 0, stdout: lines, stderr: '' });
  }
});

t.test('what is asked, from every place where a capability may come from', async (t) => {
  const directory = await temporaryDirectory(t);
  const text = `${JSON.stringify(unhealthy, null, 1)}\n`;
  const { address, seen } = await startGateway(t, reply(200, text));
  await writeFile(join(directory, 'cap'), ` ${CAPABILITY}\n`);
  const cases: [string[], string[]][] = [
    [[CAPABILITY], ['']],
    [['--verify', CAPABILITY], ['&verify=true']],
    [['--add-lease', '--repair', '--verify', CAPABILITY], ['&verify=true&repair=true&add-lease=true']],
    [['-'], ['']],
    [['--cap-file', 'cap'], ['']],
    [
      ['--repair', CAPABILITY, CAPABILITY],
      ['&repair=true', '&repair=true'],
    ],
  ];
  for (const [words, queries] of cases) {
    const stdin = Readable.from([Buffer.from(`${CAPABILITY}\n`)]);
    const outcome = await runInPlace(['check', '-u', address, ...words], directory, { stdin });
    t.match(outcome, { status: 0, stderr: '' }, words.join(' '));
    t.match(
      seen.splice(0),
      queries.map((query) => ({ method: 'POST', url: `${path}?t=check&output=JSON${query}` })),
    );
  }
  const raw = await runInPlace(['check', '--raw', '-u', address, CAPABILITY], directory);
  t.equal(raw.stdout, `${text}\n`);
});

t.test('failures are one sentence on standard error', async (t) => {
  const directory = await temporaryDirectory(t);
  const cases: [string, number, string[], RegExp][] = [
    ['nothing', 200, [], /No alias specified, and the default 'tahoe' alias doesn't exist/],
    ['nonsense', 200, ['nonsense'], /No alias specified, and the default 'tahoe' alias doesn't exist/],
    ['no JSON', 200, [CAPABILITY], /not the JSON of a check/],
    ['[]', 200, [CAPABILITY], /not the JSON of a check/],
    ['null', 200, [CAPABILITY], /not the JSON of a check/],
    ['{"results":{"list-corrupt-shares":4},"storage-index":""}', 200, [CAPABILITY], /not the JSON of a check/],
    ['{"results":{"count-shares-good":"x"},"storage-index":""}', 200, [CAPABILITY], /not the JSON of a check/],
    ['NoSharesError: URI:CHK:secret', 410, [CAPABILITY], /410.*NoSharesError: URI:\[hidden\]/],
  ];
  for (const [body, answer, words, sentence] of cases) {
    const { address } = await startGateway(t, reply(answer, body));
    const { status, stdout, stderr } = await runInPlace(['check', '-u', address, ...words], directory);
    t.match({ status, stdout }, { status: 1, stdout: '' }, body);
    t.match(stderr, sentence);
    t.notMatch(stderr, /secret/);
  }
});
