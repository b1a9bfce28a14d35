/**
 * A node in a container on mounted volumes, without a container: the image's entry point on two directories that stand
 * for volumes, started, killed, started again, with its volume swapped.
 */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rename, symlink, utimes, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Test } from 'tap';
import { allocatePort } from '#node/endpoint.js';
import { createTimeOf } from '#node/process-identity.js';
import { formatOwnerRecord, parseOwnerRecord } from '#node/volume/owner-record.js';
import { parseMarker } from '#node/volume/marker.js';
import { root } from '../house/sources.js';
import { temporaryDirectory } from '../node/fixtures/temporary-directory.js';

const main = fileURLToPath(import.meta.resolve('#cli/main.js'));
const EXIT_TIMEOUT_MS = 60_000;

interface Container {
  readonly node: string;
  readonly shares: string;
  readonly environment: NodeJS.ProcessEnv;
}

async function container(t: Test, changes: NodeJS.ProcessEnv = {}): Promise<Container> {
  const base = await temporaryDirectory(t);
  const [bin, node, shares] = [join(base, 'bin'), join(base, 'node'), join(base, 'shares')];
  await mkdir(bin);
  for (const volume of [node, shares]) await mkdir(join(volume, 'lost+found'), { recursive: true });
  // The file itself is made executable only where the package is installed.
  await writeFile(join(bin, 'tallac'), `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`, { mode: 0o755 });
  await symlink(process.execPath, join(bin, 'node'));
  const environment = {
    PATH: [bin, ...(process.env['PATH'] ?? '').split(delimiter)].join(delimiter),
    TALLAC_DIRECTORY: node,
    TALLAC_STORAGE: shares,
    TALLAC_HOSTNAME: '127.0.0.1',
    TALLAC_PORT: String(await allocatePort()),
    TAHOE_NODE_WEB_PORT: '',
    ...changes,
  };
  return { node, shares, environment };
}

interface Outcome {
  readonly child: ChildProcess;
  readonly output: string;
  readonly status: number | null;
}

/** Starts the entry point. @returns when the node runs, or has ended instead. */
async function start(t: Test, { environment }: Container): Promise<Outcome> {
  const child = spawn('sh', [join(root, 'deploy/entrypoint.sh')], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let output = '';
  const running = new Promise<void>((resolve) => {
    const listen = (piece: Buffer): void => {
      output += piece.toString();
      if (output.includes('client running')) resolve();
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
  });
  await Promise.race([running, once(child, 'close')]);
  return { child, output, status: child.exitCode };
}

async function end({ child }: Outcome, signal: NodeJS.Signals): Promise<void> {
  const exited = once(child, 'exit');
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), EXIT_TIMEOUT_MS);
  await exited;
  clearTimeout(timer);
}

t.test('a node on mounted volumes', { timeout: 90_000 }, async (t) => {
  const here = await container(t);
  const ownerFile = (epoch: number): string => join(here.shares, 'tallac/owner', String(epoch));

  let run = await start(t, here);
  t.match(run.output, /client running/, 'lost+found is no obstacle to making a node');
  t.match(await readFile(join(here.node, 'tahoe.cfg'), 'utf8'), `storage_dir = ${here.shares}`);
  const nodeId = (await readFile(join(here.node, 'my_nodeid'), 'utf8')).trim();
  const marker = parseMarker(await readFile(join(here.shares, 'tallac/volume.json'), 'utf8'));
  t.equal(marker?.node, nodeId, 'the volume is marked as the node’s');

  await end(run, 'SIGKILL');
  run = await start(t, here);
  t.match(run.output, /its PID file is replaced[^]*client running/, 'killed, and started again at once');
  t.match(parseOwnerRecord(await readFile(ownerFile(2), 'utf8')), { node: nodeId, released: false });
  await end(run, 'SIGTERM');
  t.match(parseOwnerRecord(await readFile(ownerFile(2), 'utf8')), { released: true }, 'SIGTERM lets go of the store');

  // What a container that was killed has left: its numbers mean other processes here.
  const createTime = Number(await createTimeOf(process.pid)) - 3_600;
  await writeFile(join(here.node, 'running.process'), `${String(process.pid)} ${String(createTime)}\n`);
  const stranger = { pid: 1, startTicks: 1, bootId: 'other', pidNamespace: 'pid:[1]', host: 'c0ffee', heartbeatMs: 1 };
  await writeFile(ownerFile(2), formatOwnerRecord({ ...stranger, node: nodeId, released: false }));
  await utimes(ownerFile(2), 1_700_000_000, 1_700_000_000);
  run = await start(t, here);
  t.match(run.output, /its PID file is replaced[^]*client running/, 'files of another container are understood');
  t.notMatch(run.output, /owner-awaited/);
  const second = await start(t, here);
  t.equal(second.status, 1);
  t.match(second.output, /is already running as process/, 'a second node is kept out while it runs');
  await end(run, 'SIGTERM');

  await rename(here.shares, `${here.shares}-real`);
  await mkdir(join(here.shares, 'lost+found'), { recursive: true });
  const refused = await start(t, here);
  t.equal(refused.status, 1);
  const sentence = `'${here.shares}' is not the store of this node: it is empty. Mount the right volume there; or, if this is to be its store from now on, say so with: tallac storage adopt '${here.node}'`;
  t.ok(refused.output.includes(sentence), refused.output);

  const adopt = (...words: string[]): Promise<{ stdout: string }> =>
    promisify(execFile)(join(dirname(here.node), 'bin/tallac'), ['storage', 'adopt', ...words], {
      env: here.environment,
    });
  const { stdout } = await adopt(here.node);
  t.equal(
    stdout,
    `'${here.shares}' belonged to no node and holds no shares.\nIt is the store of node ${nodeId} from now on.\n`,
  );
  run = await start(t, here);
  t.match(run.output, /client running/, 'adopted, it starts');
  await t.rejects(adopt(here.node), { message: /is already running as process/ });
  await end(run, 'SIGTERM');
  t.match(JSON.parse((await adopt('--json', here.node)).stdout), {
    storageDirectory: here.shares,
    node: nodeId,
    formerNode: nodeId,
    indexCount: 0,
  });
});

t.test('where no new node is wanted none is made', async (t) => {
  const here = await container(t, { TALLAC_NEW_NODE: 'refuse' });
  const { status, output } = await start(t, here);
  t.equal(status, 1);
  t.match(output, `there is no node in '${here.node}': mount its volume, or unset TALLAC_NEW_NODE to make a new node`);
});

t.test('a node without a store has none to adopt', async (t) => {
  const here = await container(t);
  const tallac = join(dirname(here.node), 'bin/tallac');
  const run = (...words: string[]): Promise<unknown> => promisify(execFile)(tallac, words, { env: here.environment });
  await run('create-client', here.node);
  await t.rejects(run('storage', 'adopt', here.node), { message: /stores nothing for others/ });
});
