/** The blocks of docs/storage-api.md are one script: it is run against a node, in an empty folder. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { allocatePorts, writeNodeDirectory } from '#test/fixtures/grid-node-directory.js';
import { GridNode } from '#test/fixtures/process-grid.js';
import { root } from '../house/sources.js';

const run = promisify(execFile);

/** What must be read in what the script prints, without the blanks and numbers that `od` adds. */
const EXPECTED = [
  'application-v',
  'allocated331001002201\\0',
  'required201',
  'required200',
  'success365ddata240',
  'success364ddata241\\0201Efirst',
  'firstwords',
  'id:',
];

t.test('every line of the page', { timeout: 60_000 }, async (t) => {
  const tools = run('sh', ['-c', 'command -v curl && command -v openssl && command -v od']);
  if ((await tools.catch(() => undefined)) === undefined) {
    t.comment('not run: curl, openssl or od is not installed');
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'tallac-api-'));
  const node = new GridNode('ours', 'node', join(folder, 'node'), await allocatePorts('storage'));
  t.teardown(async () => {
    await node.stop('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });
  await writeNodeDirectory(node, { needed: 1, happy: 1, total: 1 });
  await node.start();
  const page = await readFile(join(root, 'docs/storage-api.md'), 'utf8');
  const script = [...page.matchAll(/^```sh\n(.*?)^```/gms)]
    .map(([, block]) => block)
    .join('')
    .replaceAll('3457', String(node.ports.tub ?? 0))
    .replaceAll('--max-time 5', '--max-time 1');
  t.notMatch(script, /--header "?(Authorization|X-Tahoe-Authorization|\$\()/, 'no secret is an argument');
  const { stdout } = await run('sh', ['-e', '-c', script], { cwd: folder });
  const text = stdout.replaceAll(/^[0-9]{7}/gm, '').replaceAll(/\s/g, '');
  let position = -1;
  for (const expected of EXPECTED) {
    const next = text.indexOf(expected, position + 1);
    t.ok(next > position, `'${expected}' comes in its turn`);
    position = next;
  }
});
