/** `start`, `stop`, `restart`, `reload` and `config`: a node in the background, as scripts drive it. */
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import t from 'tap';
import { systemClock } from '#node/clock.js';
import { backgroundLog, runningPid, startInBackground } from '#node/node-process.js';
import { runNode } from '#node/run.js';
import { Collector, runInPlace, temporaryDirectory } from '../cli/fixtures/program.js';

t.test('a node in the background: started, reloaded, restarted, stopped', async (t) => {
  const directory = await temporaryDirectory(t);
  const run = (...words: string[]) => runInPlace(['-d', 'node', ...words], directory);
  await runInPlace(['create-client', '--webport=tcp:0:interface=127.0.0.1', '--nickname=a', 'node'], directory);
  const node = join(directory, 'node');
  t.match(await run('stop'), { status: 2, stderr: /no node runs in/ });
  t.match(await run('reload'), { status: 1, stderr: /no node runs in/ });
  t.teardown(() => run('stop'));
  const started = await run('start');
  const pid = await runningPid(node);
  t.match(started, { status: 0, stdout: `the node in '${node}' runs as process ${String(pid)}\n`, stderr: '' });
  t.match(await run('start'), { status: 1, stderr: /is already running as process/ });
  t.match(await run('health'), { status: 0 });

  const path = join(node, 'tahoe.cfg');
  const text = await readFile(path, 'utf8');
  t.match(await run('reload'), { status: 0, stdout: 'nothing has changed\n' });
  await writeFile(path, text.replace('shares.needed = 3', 'shares.needed = 2').replace('nickname = a', 'nickname = b'));
  t.match(await run('reload'), {
    status: 0,
    stdout: '[node]nickname: a -> b (takes effect at the next start)\n[client]shares.needed: 3 -> 2\n',
  });
  await writeFile(path, text.replace('shares.needed = 3', 'shares.needed = many'));
  t.match(await run('reload'), { status: 1, stdout: '', stderr: /nothing was changed: .*shares.needed/ });
  t.match(await run('start'), { status: 1 }, 'it still runs');
  t.match(await run('restart'), { status: 1, stderr: /did not start: .*shares.needed/ });
  t.equal(await runningPid(node), undefined);
  await writeFile(path, text);
  t.match(await run('restart'), { status: 0, stderr: /no node runs/ });
  t.match(await run('stop'), { status: 0, stdout: /has stopped/ });
  t.match(await runInPlace(['start', 'absent'], directory), { status: 1, stderr: /is not a node directory/ });
});

t.test('the log of a node in the background does not grow for ever', async (t) => {
  const directory = await temporaryDirectory(t);
  const run = (...words: string[]) => runInPlace(['-d', 'node', ...words], directory);
  await runInPlace(['create-client', '--webport=none', 'node'], directory);
  const log = join(directory, 'node/logs/node.log');
  await mkdir(join(directory, 'node/logs'));
  await writeFile(log, Buffer.alloc(backgroundLog.rotateLengthBytes - 200, 'x'));
  t.teardown(() => run('stop'));
  t.match(await run('start'), { status: 0 });
  t.equal((await stat(`${log}.1`)).size, backgroundLog.rotateLengthBytes - 200, 'what was there is put aside');
  t.match(await run('stop'), { status: 0 });
  const text = await readFile(log, 'utf8');
  t.match(text, /^client running$/m);
  t.match(text, /"reason":"SIGTERM"/, 'its log is in the same file');
});

t.test('a node logs where it is told instead of standard output, within a limit', async (t) => {
  const directory = await temporaryDirectory(t);
  await runInPlace(['create-client', '--webport=none', 'node'], directory);
  const [stdin, stdout, stderr] = [new PassThrough(), new Collector(), new Collector()];
  const mainLog = { path: join(directory, 'main.log'), rotateLengthBytes: 80, rotatedFilesMax: 2 };
  stdin.end();
  const streams = { stdin, stdout, stderr };
  const node = join(directory, 'node');
  t.equal(await runNode({ directory: node, environment: {}, allowStdinClose: false, mainLog, ...streams }), 0);
  t.equal(stdout.text, 'client running\n');
  const [line = '', ...more] = (await readFile(mainLog.path, 'utf8')).split('\n');
  t.match(JSON.parse(line), { event: 'node stops', reason: 'standard input was closed' });
  t.strictSame(more, [''], 'what was logged before it was put aside');
});

t.test('a pid that was given to another process is not told to stop', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, 'running.process'), `${String(process.pid)} 5.0\n`);
  t.equal(await runningPid(directory), undefined);
  t.match(await runInPlace(['-d', directory, 'stop'], directory), { status: 2 });
});

t.test('what ends before it is up is told, with what it said last', async (t) => {
  const directory = await temporaryDirectory(t);
  const command = [process.execPath, '-e', 'console.log("one"); console.error("the reason"); process.exit(1)'] as const;
  const starting = startInBackground(directory, command, { clock: systemClock, timeoutMs: 60_000 });
  await t.rejects(starting, { code: 'ERR_NOT_STARTED', facts: { reason: 'the reason' } });
});

t.test('config explain and config render', async (t) => {
  const directory = await temporaryDirectory(t);
  await mkdir(join(directory, 'node'));
  await writeFile(join(directory, 'node/tahoe-client.tac'), '');
  await writeFile(
    join(directory, 'node/tahoe.cfg'),
    '[node]\nnickname = 50%% of me\n[client]\nhelper.furl = pb://secret\n',
  );
  const environment = { TAHOE_CLIENT_SHARES_NEEDED: '7' };
  const run = (...words: string[]) => runInPlace(['-d', 'node', 'config', ...words], directory, { environment });
  const explained = await run('explain', 'client.shares.needed');
  t.match(explained, { status: 0, stdout: /^\[client\]shares\.needed in tahoe\.cfg\n {2}This many shares/ });
  t.match(explained.stdout, /^ {2}default: 3$/m);
  t.match(explained.stdout, /^ {2}now: 7, set by environment variable TAHOE_CLIENT_SHARES_NEEDED$/m);
  t.match(await run('explain', '[node]NICKNAME'), { stdout: /now: 50% of me, set by .*tahoe\.cfg$/m });
  t.match(await run('explain', 'helper.furl'), { stdout: /now: \[hidden\], set by .* \(a secret\)$/m });
  t.match((await run('explain', 'enabled')).stdout, /\[tor\]enabled[^]*\[sftpd\]enabled/, 'all of that name');
  t.match(await run('explain', 'share.needed'), {
    status: 1,
    stderr: /no option share.needed; did you mean shares.needed\?/,
  });
  t.match(await runInPlace(['config', 'explain', 'web.port'], directory), { status: 0, stdout: /now: not known/ });
  const { stdout } = await run('render', '--set');
  t.match(stdout, /^# tahoe\.cfg\n\[node\]\n# .*\/tahoe\.cfg\nnickname = 50%% of me\n/);
  t.match(stdout, /^helper\.furl = \[hidden\]$/m);
  t.notMatch(stdout, /secret|web\.port/);
  t.match((await run('render')).stdout, /^#web\.port = /m);
});
