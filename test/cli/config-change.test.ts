/** `config set` and `config unset`: what becomes of the files, and what is refused. */
import { chmod, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import t from 'tap';
import type { Test } from 'tap';
import { runInPlace, temporaryDirectory } from './fixtures/program.js';

const TEXT = `# mine
[node]
; a name
nickname = old

[client]
peers.preferred = a,
    b
shares.needed = 3
# between
shares.needed = 4
`;

async function nodeWith(t: Test, text = TEXT, marker = 'tahoe-client.tac') {
  const directory = await temporaryDirectory(t);
  await mkdir(join(directory, 'node'));
  await writeFile(join(directory, 'node', marker), '');
  const path = join(directory, 'node/tahoe.cfg');
  await writeFile(path, text);
  const run = (...words: string[]) => runInPlace(['-d', 'node', 'config', ...words], directory);
  return { directory, path, run, text: () => readFile(path, 'utf8'), own: join(directory, 'node/tallac.cfg') };
}

t.test('an option is set, and all else stays', async (t) => {
  const { own, path, run, text } = await nodeWith(t);
  await chmod(path, 0o640);
  t.match(await run('set', 'node.nickname', '50% of me'), {
    status: 0,
    stdout: '[node]nickname: old -> 50% of me (takes effect at the next start)\n',
    stderr: '',
  });
  t.equal(await text(), TEXT.replace('nickname = old', 'nickname = 50%% of me'));
  t.equal((await stat(path)).mode & 0o777, 0o640);
  t.match(await run('set', '[client]SHARES.needed', '2'), { stdout: '[client]shares.needed: 4 -> 2\n' });
  t.match(await text(), /shares\.needed = 3\n# between\nshares\.needed = 2\n/, 'where it counts');
  t.match(await run('set', 'shares.needed', '2'), { status: 0, stdout: 'nothing has changed\n' });
  t.match(await run('set', 'log.level', 'debug'), { stdout: '[log]level: info (default) -> debug\n' });
  t.equal(await readFile(own, 'utf8'), '[log]\nlevel = debug\n', 'one of our own goes into tallac.cfg');
  t.match(await run('set', 'grid_manager_certificates.friends', 'friends.cert'), {
    stdout: '[grid_manager_certificates]friends: (not set) -> friends.cert (takes effect at the next start)\n',
  });
});

t.test('an option is unset, wherever it stands', async (t) => {
  const { run, text } = await nodeWith(t);
  t.match(await run('unset', 'peers.preferred'), {
    status: 0,
    stdout: '[client]peers.preferred: a,\nb -> (not set) (takes effect at the next start)\n',
  });
  t.match(await run('unset', 'shares.needed'), { stdout: '[client]shares.needed: 4 -> 3 (default)\n' });
  t.equal(await text(), '# mine\n[node]\n; a name\nnickname = old\n\n[client]\n# between\n');
  t.match(await run('unset', 'shares.needed'), { status: 0, stdout: 'nothing has changed\n' });
});

t.test('what is wrong is not written', async (t) => {
  const { run, text } = await nodeWith(t);
  for (const [words, reason] of [
    [['set', 'share.needed', '2'], /no option share\.needed; did you mean shares\.needed\?/],
    [['unset', 'nickname.x'], /no option nickname\.x/],
    [['set', 'enabled', 'true'], /several options; say which: .*storage\.enabled/],
    [['set', 'shares.needed', 'many'], /\[client\]shares\.needed: 'many' is not an integer/],
    [['set', 'shares.needed', '11'], /11 shares cannot be needed of 10/],
    [['set', 'client.storage.plugins', 'zkap'], /no storage plugin 'zkap'/],
    [['set', 'nickname', 'a\n# b'], /begins with #/],
    [['set', 'helper.furl', 'pb://secret'], /is a secret: write - in its place/],
  ] as const) {
    const outcome = await run(...words);
    t.match(outcome, { status: 1, stdout: '', stderr: reason }, words.join(' '));
    t.notMatch(outcome.stderr, 'pb://secret');
  }
  t.equal(await text(), TEXT);
  t.match(await run('set', '--dry-run', 'nickname', 'new'), { status: 0, stdout: /old -> new/ });
  t.equal(await text(), TEXT);
});

t.test('a secret comes from standard input and is not printed', async (t) => {
  const { directory, text } = await nodeWith(t);
  const words = ['-d', 'node', 'config', 'set', 'helper.furl', '-'];
  const furl = `pb://${'a'.repeat(32)}@tcp:127.0.0.1:1/secret`;
  const stdin = Readable.from([Buffer.from(furl.slice(0, 8)), Buffer.from(`${furl.slice(8)}\n`)]);
  const { status, stdout } = await runInPlace(words, directory, { stdin });
  t.match({ status, stdout }, { status: 0, stdout: /^\[client\]helper\.furl: \(not set\) -> \[hidden\]/ });
  t.match(await text(), `\nhelper.furl = ${furl}\n`);
  const endless = Readable.from(Array.from({ length: 100 }, () => Buffer.alloc(1000, 'x')));
  t.match(await runInPlace(words, directory, { stdin: endless }), { status: 1, stderr: /too large|65536|64/i });
});

t.test('what was wrong before can be mended one by one', async (t) => {
  const { run, text } = await nodeWith(t, '[client]\nshares.needed = many\nshares.total = lots\n');
  t.match(await run('set', 'shares.total', 'heaps'), { status: 1, stderr: /'heaps' is not an integer/ });
  t.match(await run('set', 'shares.total', '10'), { status: 0 });
  t.match(await run('set', 'shares.needed', '3'), { status: 0 });
  t.equal(await text(), '[client]\nshares.needed = 3\nshares.total = 10\n');
});

t.test('links, introducers, and what is no node', async (t) => {
  const { directory, path, run } = await nodeWith(t, '[node]\ntub.port = tcp:1\n', 'tahoe-introducer.tac');
  t.match(await run('set', 'shares.needed', '2'), { status: 1, stderr: /unknown section \[client\]/ });
  t.match(await run('set', 'tub.port', 'disabled'), { status: 1, stderr: /introduces nobody/ });
  await writeFile(join(directory, 'elsewhere'), await readFile(path));
  await symlink(join(directory, 'elsewhere'), join(directory, 'node/tallac.cfg'));
  await writeFile(join(directory, 'elsewhere'), '# ours\n');
  t.match(await run('set', 'log.level', 'warn'), { status: 0 });
  t.equal(await readFile(join(directory, 'elsewhere'), 'utf8'), '# ours\n\n[log]\nlevel = warn\n');
  t.match(await runInPlace(['-d', 'absent', 'config', 'set', 'nickname', 'x'], directory), {
    status: 1,
    stderr: /is not a node directory/,
  });
});
