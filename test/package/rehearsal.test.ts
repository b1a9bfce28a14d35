/**
 * The Docker image's steps without Docker: the package is packed, installed into an empty folder without development
 * dependencies, and a node is made, run, asked and stopped from there by the image's own entry point.
 */
import t from 'tap';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { allocatePort } from '#node/endpoint.js';
import { root } from '../house/sources.js';

const run = promisify(execFile);
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 10_000;

t.test('packed, installed, made, run, asked, stopped', { timeout: 300_000 }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tallac-package-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const environment = { ...process.env, NODE_OPTIONS: '', NODE_ENV: 'production' };

  const { stdout: packed } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
    cwd: root,
  });
  const [{ filename, files }] = JSON.parse(packed) as [{ filename: string; files: { path: string }[] }];
  t.notOk(
    files.some(({ path }) => /^dist\/(test|bench|scripts)\//.test(path)),
    'only the product is packed',
  );
  t.ok(files.some(({ path }) => path === 'LICENSE'));

  await writeFile(join(folder, 'package.json'), '{"private": true}');
  await run('npm', ['install', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', join(folder, filename)], {
    cwd: folder,
    env: environment,
  });
  const installed = await readdir(join(folder, 'node_modules'));
  t.notOk(installed.includes('typescript') || installed.includes('tap'), 'no development dependency came along');

  const bin = join(folder, 'node_modules/.bin');
  const path = `${bin}:${process.env.PATH ?? ''}`;
  const directory = join(folder, 'data');
  const port = String(await allocatePort());
  const nodeEnvironment = {
    ...environment,
    PATH: path,
    TALLAC_DIRECTORY: directory,
    TALLAC_HOSTNAME: '127.0.0.1',
    TALLAC_PORT: port,
    TAHOE_NODE_WEB_PORT: 'tcp:0:interface=127.0.0.1',
    TAHOE_CLIENT_SHARES_NEEDED: '1',
    TAHOE_CLIENT_SHARES_HAPPY: '1',
    TAHOE_CLIENT_SHARES_TOTAL: '1',
  };
  t.match((await run(join(bin, 'tahoe'), ['--version'])).stdout, /^tahoe-lafs\/1\.20\.0/);

  for (const start of ['first', 'second']) {
    const child = spawn('sh', [join(root, 'deploy/entrypoint.sh')], {
      env: nodeEnvironment,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    let output = '';
    const running = new Promise<void>((resolve, reject) => {
      child.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes('client running')) resolve();
      });
      child.once('exit', () => reject(new Error(output)));
      setTimeout(() => reject(new Error(output)), START_TIMEOUT_MS).unref();
    });
    await running;

    const tallac = (...args: string[]): Promise<{ stdout: string }> =>
      run(join(bin, 'tallac'), ['-d', directory, ...args], { env: environment });
    t.equal((await tallac('-q', 'health')).stdout, '', `the health check passes at the ${start} start`);
    const file = join(folder, 'file');
    await writeFile(file, 'some text');
    t.match((await tallac('put', file)).stdout, /^URI:LIT:[a-z2-7]+\n$/);

    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    const [status] = (await exited) as [number | null];
    clearTimeout(timer);
    t.equal(status, 0, 'SIGTERM ends it in good order');
  }
  t.match(await readFile(join(directory, 'tahoe.cfg'), 'utf8'), `tub.port = tcp:${port}`);
});
