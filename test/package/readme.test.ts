/**
 * Every shell line of the README and CONTRIBUTING is run, with this machine's paths, names and ports in place of the
 * reader's. What .ci/run runs itself, or what needs Docker (rehearsed in rehearsal.test.ts), is listed by name: a new
 * line that is in neither list fails.
 */
import t from 'tap';
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { allocatePort } from '#node/endpoint.js';
import { parseCertificatePem } from '#node/certificate.js';
import { parseFurl } from '#node/furl.js';
import { root } from '../house/sources.js';

const run = promisify(execFile);
const START_TIMEOUT_MS = 30_000;
const runElsewhere = [
  'npm ci && npm run demo',
  'npm ci && npm test',
  'npm ci',
  'npm test',
  'docker build -t tallac .',
  'docker run -d --name storage -p 3457:3457 -v /mnt/volume/node:/data -e TALLAC_HOSTNAME=storage.example.org tallac',
];

async function shellLines(name: string): Promise<string[]> {
  const text = await readFile(join(root, name), 'utf8');
  return [...text.matchAll(/^```sh\n(.*?)^```/gms)].flatMap((match) => (match[1] ?? '').trim().split('\n'));
}

t.test('the README, line by line', { timeout: 120_000 }, async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'tallac-readme-'));
  const environment = { ...process.env, NODE_OPTIONS: '', HOME: home };
  const port = String(await allocatePort());
  const children: { kill: (signal: NodeJS.Signals) => boolean }[] = [];
  t.teardown(async () => {
    for (const child of children) child.kill('SIGKILL');
    await rm(home, { recursive: true, force: true });
  });
  const here = (text: string): string =>
    text
      .replaceAll('/mnt/volume', home)
      .replaceAll('~/', `${home}/`)
      .replaceAll('storage.example.org', '127.0.0.1')
      .replaceAll('3457', port);
  const readNode = async (name: string): Promise<string> => (await readFile(join(home, 'node', name), 'utf8')).trim();

  let capability = '';
  const plaintext = Buffer.alloc(5000, 'photo');
  await writeFile(join(home, 'photo.jpg'), plaintext);
  const main = join(root, 'dist/src/cli/main.js');
  const tallac = (line: string): string[] => [main, ...here(line).split(' ').slice(2)];

  for (const line of await shellLines('README.md')) {
    if (runElsewhere.includes(line)) continue;
    t.match(line, /^npx tallac /, `'${line}' can be run`);
    if (line.includes(' run ')) {
      const child = spawn(
        process.execPath,
        [...tallac(line).slice(0, 2), '--allow-stdin-close', ...tallac(line).slice(2)],
        {
          env: environment,
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      children.push(child);
      await new Promise<void>((resolve, reject) => {
        child.stdout.on('data', (chunk: Buffer) => {
          if (chunk.toString().includes('client running')) resolve();
        });
        setTimeout(() => reject(new Error(`'${line}' did not start`)), START_TIMEOUT_MS).unref();
      });
      t.pass(line);
      continue;
    }
    const args = tallac(line.replace('URI:CHK:…', capability));
    const { stdout } = await run(process.execPath, args, { cwd: home, env: environment });
    t.pass(line);
    if (line.includes('create-node')) {
      // The gateway of the storage node would take the client's port.
      const config = join(home, 'node/tahoe.cfg');
      await writeFile(config, (await readFile(config, 'utf8')).replace(/^web.port = .*$/m, 'web.port ='));
    }
    if (line.includes('create-client')) await joinGrid();
    if (line.includes(' put ')) {
      capability = stdout.trim();
      await rm(join(home, 'photo.jpg'));
    }
  }
  t.ok(plaintext.equals(await readFile(join(home, 'photo.jpg'))), 'the file came back');

  /** What the reader is told to do by hand between the lines. */
  async function joinGrid(): Promise<void> {
    const yaml = /```yaml\n(.*?)```/s.exec(await readFile(join(root, 'README.md'), 'utf8'))?.[1] ?? '';
    const furl = parseFurl(await readNode('private/storage.furl'));
    const { spkiHash } = parseCertificatePem(await readNode('private/node.pem'), 'node.pem');
    const filled = here(yaml)
      .replaceAll('v0-SERVERID', (await readNode('node.pubkey')).replace('pub-', ''))
      .replaceAll('TUBID', furl?.tubId ?? '')
      .replaceAll('SPKIHASH', spkiHash)
      .replaceAll('SWISSNUM', furl?.swissnum ?? '');
    await writeFile(join(home, '.tahoe/private/servers.yaml'), filled);
    const config = join(home, '.tahoe/tahoe.cfg');
    const text = (await readFile(config, 'utf8'))
      .replace(/^shares.needed = .*$/m, 'shares.needed = 1')
      .replace(/^shares.happy = .*$/m, 'shares.happy = 1')
      .replace(/^shares.total = .*$/m, 'shares.total = 1')
      .replace(/^web.port = .*$/m, 'web.port = tcp:0:interface=127.0.0.1');
    await writeFile(config, text);
  }
});

t.test('CONTRIBUTING names only commands that .ci/run runs', async (t) => {
  for (const line of await shellLines('CONTRIBUTING.md')) t.ok(runElsewhere.includes(line), line);
});
