/** `manifest`, `deep-check`, `stats`, `status` and `webopen`: what is asked of the gateway and what is printed. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { abbreviateBoth, abbreviateSeconds } from '#cli/abbreviate.js';
import { linesOf } from '#cli/line-stream.js';
import { reply, startGateway } from './fixtures/fake-gateway.js';
import type { Answer } from './fixtures/fake-gateway.js';
import { runInPlace, temporaryDirectory } from './fixtures/program.js';

const DIRECTORY = `URI:DIR2:${'a'.repeat(26)}:${'a'.repeat(52)}`;
const encoded = encodeURIComponent(DIRECTORY);
const check = (healthy: boolean, more: object = {}) => ({
  results: { healthy, ...more },
  summary: healthy ? 'Healthy' : 'Ill',
});
const repaired = (before: boolean, after: boolean) => ({
  'pre-repair-results': check(before),
  'post-repair-results': check(after),
  'repair-attempted': !before,
  'repair-successful': after,
});
const stream = (...objects: object[]): string => `${objects.map((object) => JSON.stringify(object)).join('\n')}\n`;
const root = {
  type: 'directory',
  path: [],
  cap: 'URI:DIR2:x',
  'storage-index': 'si0',
  verifycap: 'V0',
  repaircap: 'R0',
};
const file = {
  type: 'file',
  path: ['a', "it's"],
  cap: 'URI:CHK:y',
  'storage-index': 'si1',
  verifycap: 'V1',
  repaircap: 'R1',
};
const literal = { type: 'file', path: ['b'], cap: 'URI:LIT:ge', 'storage-index': '', verifycap: '', repaircap: '' };
const end = { type: 'stats', stats: {} };

t.test('manifest prints a line for each thing', async (t) => {
  const directory = await temporaryDirectory(t);
  const text = stream(root, file, literal, { type: 'unknown', path: ['?'] }, end);
  const { address, seen } = await startGateway(t, reply(200, text));
  const run = (...words: string[]) => runInPlace(['manifest', '-u', address, ...words, DIRECTORY], directory);
  t.match(await run(), { status: 0, stdout: `URI:DIR2:x \nURI:CHK:y "a/it's"\nURI:LIT:ge b\n`, stderr: '' });
  t.match(seen.pop(), { method: 'POST', url: `/uri/${encoded}?t=stream-manifest` });
  t.match(await run('-s'), { stdout: 'si0\nsi1\n' });
  t.match(await run('--verify-cap'), { stdout: 'V0\nV1\n' });
  t.match(await run('--repair-cap'), { stdout: 'R0\nR1\n' });
  t.match(await run('--raw'), { stdout: text });
});

t.test('what the gateway breaks off with is told without capabilities, and the status is 1', async (t) => {
  const directory = await temporaryDirectory(t);
  const text = `${stream(root)}ERROR: UnrecoverableFileError(URI:CHK:secret)\ntraceback\n`;
  const { address } = await startGateway(t, reply(200, text));
  for (const command of ['manifest', 'deep-check']) {
    const body =
      command === 'manifest' ? text : text.replace('{"type"', '{"check-results":{"results":{"healthy":true}},"type"');
    const { address } = await startGateway(t, reply(200, body));
    const { status, stderr } = await runInPlace([command, '-u', address, DIRECTORY], directory);
    t.equal(status, 1);
    t.equal(stderr, 'ERROR: UnrecoverableFileError(URI:[hidden]\ntraceback\n');
  }
  const nonsense = await startGateway(t, reply(200, 'nonsense\n'));
  t.match(await runInPlace(['manifest', '-u', nonsense.address, DIRECTORY], directory), {
    status: 1,
    stderr: /not JSON/,
  });
  t.match(await runInPlace(['manifest', '-u', address, '--cap-file', 'absent'], directory), { status: 1 });
});

t.test('deep-check counts', async (t) => {
  const directory = await temporaryDirectory(t);
  const corrupt = { 'list-corrupt-shares': [['srv', 'si1', 3]] };
  const plain = stream(
    { ...root, 'check-results': check(true) },
    { ...file, 'check-results': check(false, corrupt) },
    { ...literal, 'check-results': { results: { healthy: true } } },
    end,
  );
  const { address, seen } = await startGateway(t, reply(200, plain));
  const run = (...words: string[]) => runInPlace(['deep-check', '-u', address, ...words, DIRECTORY], directory);
  const summary = 'done: 3 objects checked, 2 healthy, 1 unhealthy\n';
  t.match(await run('--verify', '--add-lease'), {
    status: 0,
    stdout: ` corrupt: server srv, SI si1, shnum 3\n${summary}`,
  });
  t.match(seen.pop(), { url: `/uri/${encoded}?t=stream-deep-check&verify=true&add-lease=true` });
  t.match(await run('-v'), {
    stdout: `'<root>': Healthy\n"a/it's": Ill\n corrupt: server srv, SI si1, shnum 3\n'b': Healthy (LIT)\n${summary}`,
  });
  const crr = (results: object) => ({ 'check-and-repair-results': results });
  const mended = stream(
    { ...root, ...crr(repaired(true, true)) },
    { ...file, ...crr(repaired(false, true)) },
    { ...file, ...crr(repaired(false, false)) },
    { ...literal, ...crr({ 'repair-attempted': false }) },
    end,
  );
  const repairing = await startGateway(t, reply(200, mended));
  t.match(await runInPlace(['deep-check', '--repair', '-u', repairing.address, DIRECTORY], directory), {
    status: 0,
    stdout:
      ' repair successful\n repair failed\ndone: 4 objects checked\n pre-repair: 2 healthy, 2 unhealthy\n' +
      ' 2 repairs attempted, 1 successful, 1 failed\n post-repair: 3 healthy, 1 unhealthy\n',
  });
  const many = stream(...Array.from({ length: 250 }, () => ({ ...root, 'check-results': check(true) })));
  const large = await startGateway(t, reply(200, many));
  t.match(await runInPlace(['deep-check', '-u', large.address, DIRECTORY], directory), {
    stdout: '100 objects checked..\n200 objects checked..\ndone: 250 objects checked, 250 healthy, 0 unhealthy\n',
  });
});

t.test('stats asks until the gateway is through', async (t) => {
  const directory = await temporaryDirectory(t);
  let asked = 0;
  const statistics = {
    'count-files': 3,
    'size-immutable-files': 123_456,
    'largest-directory': 900,
    'size-files-histogram': [[1, 3, 2], [32, 100, 12]], // prettier-ignore
  };
  const answer: Answer = (request, response) => {
    const started = reply(302, '', { location: '/operations/x' });
    const told =
      request.method === 'POST' ? started : reply(200, JSON.stringify({ ...statistics, finished: asked++ > 0 }));
    told(request, response);
  };
  const { address, seen } = await startGateway(t, answer);
  t.match(await runInPlace(['stats', '-u', address, DIRECTORY], directory), {
    status: 0,
    stdout: [
      'Counts and Total Sizes:',
      '           count-files: 3',
      '  size-immutable-files: 123456    (123.46 kB, 120.56 kiB)',
      '     largest-directory: 900',
      'Size Histogram:',
      '  1-3   : 2     (3 B, 3 B)',
      '  ...',
      ' 32-100 : 12    (100 B, 100 B)\n',
    ].join('\n'),
  });
  const handles = seen.map(({ url }) => /(?:ophandle=|operations\/)([a-z2-7]{26})/.exec(url ?? '')?.[1]);
  t.equal(handles.length, 3);
  t.equal(new Set(handles).size, 1);
});

t.test('status prints tables', async (t) => {
  const directory = await temporaryDirectory(t);
  const operation = (type: string, more: object) => ({
    type,
    'storage-index-string': 's'.repeat(26),
    status: 'Busy',
    ...more,
  });
  const upload = { 'progress-hash': 1, 'progress-ciphertext': 0.5, 'progress-encode-push': 0 };
  const status = {
    active: [operation('upload', upload), operation('download', { progress: 1 }), operation('publish', {})],
    recent: [operation('upload', { 'total-size': 2048 }), operation('mapupdate', { mode: 'MODE_READ' })],
  };
  const counters = { 'uploader.bytes_uploaded': 5_000_000, 'uploader.files_uploaded': 2 };
  const { address, seen } = await startGateway(t, (request, response) => {
    const answer = request.url?.startsWith('/status') === true ? status : { counters, stats: { 'node.uptime': 7200 } };
    reply(200, JSON.stringify(answer))(request, response);
  });
  await mkdir(join(directory, 'node/private'), { recursive: true });
  await writeFile(join(directory, 'node/node.url'), address);
  t.match(await runInPlace(['-d', 'node', 'status'], directory), { status: 1, stderr: /api_auth_token/ });
  await writeFile(join(directory, 'node/private/api_auth_token'), 'tok/en\n');
  const { stdout } = await runInPlace(['-d', 'node', 'status'], directory);
  t.match(seen.pop(), { method: 'POST', body: Buffer.from('t=json&token=tok%2Fen') });
  t.match(
    stdout,
    /^Statistics \(for last 120 minutes\):\n {4}uploaded 5\.00 MB in 2 files\n {2}downloaded 0 B in 0 files\n\nActive/,
  );
  t.match(stdout, new RegExp(`^║ {2}put {2}║ ${'s'.repeat(26)} ║ ███████. {7} \\( 50%\\) ║ Busy$`, 'm'));
  t.match(stdout, /^║ {2}put {2}║ s{26} ║ 2\.05 kB {4}║ Busy$/m);
  t.match(stdout, /Skipped 1 non-upload/);
  t.match((await runInPlace(['-d', 'node', 'status', '-v'], directory)).stdout, /mapup ║ s{26} ║ MODE_READ/);
  const broken = await startGateway(t, reply(200, 'x'));
  await writeFile(join(directory, 'node/node.url'), broken.address);
  t.match(await runInPlace(['-d', 'node', 'status'], directory), { status: 2, stderr: /^failed to retrieve data: / });
});

t.test('webopen hands the address to the browser', async (t) => {
  const directory = await temporaryDirectory(t);
  const { address } = await startGateway(t, reply(200, ''));
  const browser = join(directory, 'browser');
  await writeFile(browser, '#!/bin/sh\necho "$1" > "$0.part" && mv "$0.part" "$0.seen"\n', { mode: 0o755 });
  const run = (...words: string[]) =>
    runInPlace(['webopen', '-u', address, ...words], directory, { environment: { BROWSER: browser } });
  t.match(await run('-i', `${DIRECTORY}/x`), { status: 0 });
  const seen = async (): Promise<string> => readFile(`${browser}.seen`, 'utf8').catch(() => seen());
  t.equal(await seen(), `${address}uri/${encoded}/x?t=info\n`);
  const absent = await runInPlace(['webopen', '-u', address], directory, { environment: { BROWSER: '/absent/x' } });
  t.match(absent, { status: 1, stderr: /set BROWSER/ });
});

t.test('lines come out whole, however they arrive', async (t) => {
  const text = Buffer.from('one\n\nzwei ü\nlast');
  for (let size = 1; size <= text.length; size++) {
    const pieces = async function* (): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < text.length; at += size) yield await Promise.resolve(text.subarray(at, at + size));
    };
    const lines: string[] = [];
    for await (const line of linesOf(pieces())) lines.push(line);
    t.strictSame(lines, ['one', '', 'zwei ü', 'last']);
  }
});

t.test('short forms', (t) => {
  t.equal(abbreviateBoth(1023), '(1023 B, 1023 B)');
  t.equal(abbreviateBoth(1024), '(1.02 kB, 1.00 kiB)');
  t.equal(abbreviateBoth(3.2e9), '(3.20 GB, 2.98 GiB)');
  for (const [seconds, text] of [
    [1, '1 second'],
    [119.9, '119 seconds'],
    [7200, '120 minutes'],
    [86_400 * 3, '3 days'],
  ] as const) {
    // prettier-ignore
    t.equal(abbreviateSeconds(seconds), text);
  }
  t.end();
});
