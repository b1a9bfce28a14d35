/** `run`, as programs start it: which words it takes, what it prints, when it ends. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import {
  outcomeOf,
  printed,
  runInPlace,
  runProgram,
  startProgram,
  temporaryDirectory,
} from '../cli/fixtures/program.js';

t.test('what is no node directory is said so, after the first line', async (t) => {
  const directory = await temporaryDirectory(t);
  await mkdir(join(directory, 'empty'));
  await writeFile(join(directory, 'file'), '');
  const stdout = (name: string): string => `'tallac run' in '${directory}/${name}'\n`;
  const cases: readonly [words: string[], name: string, reason: RegExp][] = [
    [['run', 'absent'], 'absent', /does not look like a directory at all/],
    [['run', '-C', 'file'], 'file', /does not look like a directory at all/],
    [['-d', 'empty', 'run'], 'empty', /is not a recognizable node directory/],
    [['run'], 'home/.tahoe', /does not look like a directory at all/],
  ];
  for (const [words, name, reason] of cases) {
    const outcome = await runInPlace(words, directory);
    t.match(outcome, { status: 1, stdout: stdout(name), stderr: reason });
    t.match(outcome.stderr, /^tallac: '.*' is not a node directory: .*; make one with tallac create-node\n$/);
  }
  t.match(await runInPlace(['-q', 'run', 'absent'], directory), { status: 1, stdout: '' });
  t.match(await runInPlace(['run', '--nope', 'empty'], directory), { status: 1, stderr: /unknown option '--nope'/ });
  t.match(await runInPlace(['-d', 'empty', 'run', 'empty'], directory), { status: 1, stderr: /cannot both be used/ });
});

t.test('a node runs until standard input ends; put and get find it', async (t) => {
  const directory = await temporaryDirectory(t);
  await runInPlace(['create-client', '--webport=tcp:0:interface=127.0.0.1', 'node'], directory);
  // The words behind the directory are those of an old service file.
  const child = startProgram(['run', 'node', '-n', '-l-', '--pidfile=x'], { directory });
  t.teardown(() => child.kill('SIGKILL'));
  const ended = outcomeOf(child);
  const text = await printed(child, /^client running$/m);
  t.match(text, new RegExp(`^'tallac run' in '${directory}/node'\n`));
  t.match(await readFile(join(directory, 'node', 'node.url'), 'utf8'), /^http:\/\/127\.0\.0\.1:[0-9]+\/\n$/);

  await writeFile(join(directory, 'empty'), '');
  const small = await runInPlace(['-d', 'node', 'put', 'empty'], directory);
  t.match(small, { status: 0, stdout: 'URI:LIT:\n', stderr: /^20[01] / });
  t.match(await runInPlace(['-d', 'node', 'get', 'URI:LIT:nbuq'], directory), { status: 0, stdout: 'hi', stderr: '' });
  await writeFile(join(directory, 'file'), Buffer.alloc(1000));
  const large = await runInPlace(['-d', 'node', 'put', 'file'], directory);
  t.match(large, { status: 1, stdout: '', stderr: /^tallac: the gateway answered 500: .*servers/ });
  const again = await runProgram(['run', 'node'], { directory });
  t.match(again, { status: 1, stderr: new RegExp(`already running as process ${String(child.pid)}`) });

  child.stdin?.end();
  t.match(await ended, { status: 0, stderr: '' });
  t.match(await runInPlace(['-d', 'node', 'put', 'file'], directory), { status: 1, stderr: /is the node running\?/ });
});

t.test('with --allow-stdin-close it goes on until it is told to stop', async (t) => {
  const directory = await temporaryDirectory(t);
  await runInPlace(['create-client', '--webport=none', 'node'], directory);
  const child = startProgram(['-d', 'node', 'run', '--allow-stdin-close'], { directory });
  t.teardown(() => child.kill('SIGKILL'));
  const ended = outcomeOf(child);
  child.stdin?.end();
  await printed(child, /^client running$/m);
  child.kill('SIGTERM');
  t.match(await ended, { status: 0 });
});

t.test('the log goes into the files that are named, without what opens a gatherer', async (t) => {
  const directory = await temporaryDirectory(t);
  await runInPlace(['create-client', '--webport=none', 'node'], directory);
  const path = join(directory, 'node/tahoe.cfg');
  const text = await readFile(path, 'utf8');
  await writeFile(
    path,
    text.replace('[node]', `[node]\nlog_gatherer.furl = pb://${'a'.repeat(32)}@tcp:127.0.0.1:1/swissnum`),
  );
  await writeFile(join(directory, 'node/tallac.cfg'), '[log]\nfile = logs/own.log\n');
  const words = ['--eliot-destination=file:logs/eliot,rotate_length=1000', '-d', 'node', 'run', '--allow-stdin-close'];
  const child = startProgram(words, { directory });
  t.teardown(() => child.kill('SIGKILL'));
  const ended = outcomeOf(child);
  await printed(child, /^client running$/m);
  t.match(await readFile(join(directory, 'node/private/logport.furl'), 'utf8'), /^pb:.*@tcp:127\.0\.0\.1:/);
  child.kill('SIGTERM');
  const { status, stderr } = await ended;
  t.equal(status, 0);
  t.equal(stderr, '');
  for (const file of ['logs/eliot', 'node/logs/own.log']) {
    const logged = await readFile(join(directory, file), 'utf8');
    t.notMatch(logged, 'swissnum');
    const lines = logged.trim().split('\n');
    t.match(JSON.parse(lines.at(-1) ?? ''), { message_type: 'node stops', reason: 'SIGTERM', log_level: 'info' }, file);
  }
  const refused = await runInPlace(['--eliot-destination=file:node/tahoe.cfg/x', '-d', 'node', 'run'], directory);
  t.match(refused, { status: 1, stderr: /tahoe\.cfg/ });
});

t.test('a server of storage plugins alone is shown as unsupported, one that is anonymous too is used', async (t) => {
  const directory = await temporaryDirectory(t);
  await runInPlace(['create-client', '--webport=tcp:0:interface=127.0.0.1', 'node'], directory);
  const furl = 'pb://yyqljot5wrgnka4323b2f6ok5biqtkyi@tcp:127.0.0.1:1/swissnum';
  const plugin = `      nickname: N\n      storage-options: [{name: zkap-v2, storage-server-FURL: "${furl}"}]\n`;
  const yaml = `storage:\n  only:\n    ann:\n${plugin}  both:\n    ann:\n      anonymous-storage-FURL: ${furl}\n${plugin}`;
  await writeFile(join(directory, 'node/private/servers.yaml'), yaml);
  const child = startProgram(['run', '--allow-stdin-close', 'node'], { directory });
  t.teardown(() => child.kill('SIGKILL'));
  await printed(child, /^client running$/m);
  const url = (await readFile(join(directory, 'node/node.url'), 'utf8')).trim();
  const { servers } = (await (await fetch(`${url}?t=json`)).json()) as { servers: object[] };
  t.match(servers, [
    { nodeid: 'only', connection_status: /^unsupported: .*storage plugins \(zkap-v2\)/ },
    { nodeid: 'both', connection_status: /^(?!unsupported)/ },
  ]);
  t.match(await (await fetch(url)).text(), /unsupported: it is offered only by storage plugins \(zkap-v2\)/);
  const { stdout } = await runInPlace(['-d', 'node', 'grid', 'servers'], directory);
  t.match(stdout, /^only .*no usable address {2}unsupported.*not supported: storage plugin zkap-v2/m);
  t.match(stdout, /^both .* {2}foolscap {2}.*not supported: storage plugin zkap-v2/m);
});
