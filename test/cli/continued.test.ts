/** `get --continue`: what was fetched stays, the rest is asked for, and only the same file is gone on with. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { openContinuedTarget } from '#cli/continued-file.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { startGateway } from './fixtures/fake-gateway.js';
import type { Answer } from './fixtures/fake-gateway.js';
import { runInPlace, temporaryDirectory } from './fixtures/program.js';

const STEP = 4 << 20;
const content = Buffer.from(seededBytes('continued', 2 * STEP + 1000));
const capability = (letter: string): string =>
  `URI:CHK:${letter.repeat(26)}:${'a'.repeat(52)}:3:10:${String(content.length)}`;

/** Serves the content, and breaks off after so many bytes of it. */
function breakingOff(cuts: number[]): Answer {
  return (request, response) => {
    if (request.url?.endsWith('t=json') === true) {
      const root = decodeURIComponent(/uri\/([^?]*)/.exec(request.url)?.[1] ?? '');
      const fields = { ro_uri: root, size: content.length, mutable: root.includes(':iii') };
      response.end(JSON.stringify(['filenode', fields]));
      return;
    }
    const from = Number(/bytes=([0-9]+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const body = content.subarray(from);
    response.writeHead(from === 0 ? 200 : 206, { 'content-length': String(body.length) });
    const cut = cuts.shift();
    if (cut === undefined) response.end(body);
    else response.write(body.subarray(0, cut), () => response.destroy());
  };
}

t.test('it goes on where it was cut', async (t) => {
  const directory = await temporaryDirectory(t);
  const { address, seen } = await startGateway(t, breakingOff([STEP + 500_000, 10]));
  const get = () => runInPlace(['get', '--continue', '-u', address, capability('a'), 'file'], directory);
  t.match(await get(), { status: 1, stderr: /broke off/ });
  t.match(await readdir(directory), [/^\.file\.[0-9a-f]{16}\.unfinished$/], 'nothing under its own name');
  t.match(await get(), { status: 1 });
  t.match(seen.at(-1)?.headers, { range: `bytes=${String(STEP)}-` });
  t.match(await get(), { status: 0 });
  t.match(seen.at(-1)?.headers, { range: `bytes=${String(STEP)}-` });
  t.ok((await readFile(join(directory, 'file'))).equals(content));
  t.strictSame(await readdir(directory), ['file']);
});

t.test('another file begins anew, and one that may change is refused', async (t) => {
  const directory = await temporaryDirectory(t);
  const { address, seen } = await startGateway(t, breakingOff([STEP + 5]));
  const get = (letter: string, ...more: string[]) =>
    runInPlace(['get', '-c', '-u', address, capability(letter), ...more], directory);
  t.match(await get('a', 'file'), { status: 1 });
  t.match(await get('e', 'file'), { status: 0 });
  t.equal(seen.at(-1)?.headers.range, undefined);
  t.match(await get('i', 'file'), { status: 1, stderr: /only an immutable file/ });
  t.match(await get('a'), { status: 1, stderr: /needs a LOCAL_FILE/ });
});

t.test('all but the last bytes is kept, and a complete file is only renamed', async (t) => {
  const directory = await temporaryDirectory(t);
  const path = join(directory, 'file');
  const first = await openContinuedTarget(path, 'x', content.length);
  t.equal(first.offset, 0);
  await first.write(content);
  await first.close();
  const second = await openContinuedTarget(path, 'x', content.length);
  t.equal(second.offset, content.length);
  await second.finish();
  t.ok((await readFile(path)).equals(content));
  await t.rejects(openContinuedTarget(join(directory, 'absent/file'), 'x', 1), { code: 'ERR_FILE' });
});
