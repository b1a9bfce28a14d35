/** `create-node` and `create-client`: which directory, which options arrive, what is printed and how it fails. */
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { chooseDirectory, resolveLocal } from '#cli/directory-choice.js';
import { commandContext, runInPlace, temporaryDirectory } from './fixtures/program.js';

t.test('the directory is NODEDIR, --basedir, --node-directory or ~/.tahoe, and no two of them', async (t) => {
  const context = commandContext('/work', { homeDirectory: '/home/me' });
  const global = { ...context, nodeDirectory: 'global' };
  t.equal(chooseDirectory({}, context), '/home/me/.tahoe');
  t.equal(chooseDirectory({}, global), '/work/global');
  t.equal(chooseDirectory({ argument: 'argument' }, context), '/work/argument');
  t.equal(chooseDirectory({ basedir: '~/based' }, context), '/home/me/based');
  const cannot = { code: 'ERR_USAGE' };
  t.throws(() => chooseDirectory({ basedir: 'b' }, global), {
    ...cannot,
    message: 'The --node-directory (or -d) and --basedir (or -C) options cannot both be used.',
  });
  t.throws(() => chooseDirectory({ argument: 'a' }, global), {
    ...cannot,
    message: 'The --node-directory (or -d) option and a basedir argument cannot both be used.',
  });
  t.throws(() => chooseDirectory({ argument: 'a', basedir: 'b' }, context), {
    ...cannot,
    message: 'The --basedir (or -C) option and a basedir argument cannot both be used.',
  });
  t.equal(resolveLocal('~', context), '/home/me');
  t.equal(resolveLocal('~other', context), '/work/~other');
  t.equal(resolveLocal('/absolute/../path', context), '/path');
});

t.test('create-node with the options of Gridsync', async (t) => {
  const directory = await temporaryDirectory(t);
  const words = ['-d', 'node', 'create-node', '--webport=tcp:0:interface=127.0.0.1'];
  const options = {
    nickname: 'my node',
    'shares-needed': '1',
    'shares-happy': '2',
    'shares-total': '3',
    listen: 'none',
  };
  for (const [name, value] of Object.entries(options)) words.push(`--${name}`, value);
  const { status, stdout, stderr } = await runInPlace([...words, '--no-storage'], directory);
  t.match({ status, stdout, stderr }, { status: 0, stdout: `Node created in '${directory}/node'\n`, stderr: '' });
  const text = await readFile(join(directory, 'node', 'tahoe.cfg'), 'utf8');
  for (const line of [
    'nickname = my node',
    'web.port = tcp:0:interface=127.0.0.1',
    'shares.needed = 1',
    'shares.happy = 2',
    'shares.total = 3',
    'tub.port = disabled',
  ]) {
    t.ok(text.split('\n').includes(line), line);
  }
  t.match(text, /\[storage\][^[]*\nenabled = false\n/);
});

t.test('shares are made to fit the servers that there are', async (t) => {
  const directory = await temporaryDirectory(t);
  const sharesOf = async (name: string): Promise<string[]> => {
    const text = await readFile(join(directory, name, 'tahoe.cfg'), 'utf8');
    return [...text.matchAll(/^shares\.[a-z]+ = ([0-9]+)$/gm)].map(([, count = '']) => count);
  };
  const five = await runInPlace(['create-client', '--servers=5', 'five'], directory);
  t.match(five, {
    status: 0,
    stdout: /^ For 5 servers: 5 shares of a file, any 2 give it back, over at least 4 servers\.$/m,
  });
  t.strictSame(await sharesOf('five'), ['2', '4', '5']);
  const mixed = ['create-node', '--listen=none', '--servers=5', '--shares-happy=3', 'mixed'];
  t.match(await runInPlace(mixed, directory), { status: 0, stdout: /any 2 give it back, over at least 3 servers/ });
  t.strictSame(await sharesOf('mixed'), ['2', '3', '5'], 'what is said counts');
  await runInPlace(['create-client', 'plain'], directory);
  t.strictSame(await sharesOf('plain'), ['3', '7', '10'], 'as the reference, where nobody says');
  for (const count of ['0', 'many', '-1', '1.5', '99999'])
    t.match(await runInPlace(['create-client', `--servers=${count}`, 'none'], directory), {
      status: 1,
      stderr: /--servers must be the number of storage servers/,
    });
});

t.test('create-node with the options of the test-suites', async (t) => {
  const directory = await temporaryDirectory(t);
  const furl = `pb://${'a'.repeat(32)}@tcp:127.0.0.1:1/introducer`;
  const words = ['create-node', '-n', 'alice', '-i', furl, '--hostname', 'localhost', '--listen', 'tcp', '-p', 'none'];
  t.match(await runInPlace([...words, '--helper', '--storage-dir', 'shares', '-C', 'node'], directory), { status: 0 });
  const text = await readFile(join(directory, 'node', 'tahoe.cfg'), 'utf8');
  t.match(text, /\ntub\.location = tcp:localhost:[0-9]+\n/);
  t.match(text, /\nweb\.port = *\n/);
  t.match(text, /\nstorage_dir = shares\n/);
  t.match(text, /\[storage\][^[]*\nenabled = true\n/);
  t.match(text, /\[helper\][^[]*\nenabled = true\n/);
  t.match(await readFile(join(directory, 'node', 'private', 'introducers.yaml'), 'utf8'), furl);
});

t.test('create-client makes ~/.tahoe', async (t) => {
  const directory = await temporaryDirectory(t);
  t.match(await runInPlace(['create-client', '--nickname', 'git-annex'], directory), { status: 0, stderr: '' });
  t.match(await readdir(join(directory, 'home', '.tahoe')), ['private', 'tahoe-client.tac', 'tahoe.cfg']);
  t.match(await runInPlace(['-q', 'create-client', 'quiet'], directory), { status: 0, stdout: '', stderr: '' });
});

t.test('a directory that is not empty is left alone, with status 255', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, 'mine'), '');
  for (const words of [
    ['create-client', '.'],
    ['create-node', '--listen=none', '.'],
  ]) {
    const { status, stdout, stderr } = await runInPlace(words, directory);
    t.same({ status, stdout }, { status: 255, stdout: '' });
    t.match(stderr, /^The base directory '.*' is not empty\.\n.*\n.*\n$/);
    t.same(await readdir(directory), ['mine']);
  }
});

t.test('options that do not go together are refused before anything is made', async (t) => {
  const directory = await temporaryDirectory(t);
  const cases: readonly [words: string[], sentence: RegExp][] = [
    [['create-node', 'x'], /^tallac: --listen=tcp requires --hostname=\n$/],
    [['create-node', '--listen=none', '--shares-needed=three', 'x'], /^tallac: --shares-needed must be an integer\n$/],
    [['create-client', '--webport=nonsense', 'x'], /^tallac: --webport: /],
    [['create-client', '--join=purple', 'x'], /is not the code of an invitation/],
    [['--wormhole-server=relay', 'create-client', '--join=1-a', 'x'], /--wormhole-server: an address like wss:/],
    [
      ['create-node', '--listen=tor', '--tor-control-port=9051', 'x'],
      /^tallac: --tor-control-port: '9051' is no place/,
    ],
    [['create-node', '--listen=none', '--tor-launch', 'x'], /^tallac: --tor-launch requires --listen=tor\n$/],
    [
      ['create-node', '--listen=none', '--i2p-sam-port=tcp:1', 'x'],
      /^tallac: --i2p-sam-port= requires --listen=i2p\n$/,
    ],
    [['-d', 'y', 'create-node', 'x'], /^tallac: The --node-directory \(or -d\) option and a basedir argument cannot/],
    [['create-node', 'x', 'y'], /tallac: too many arguments for 'create-node'/],
    [['create-client', '--port=tcp:1', 'x'], /tallac: unknown option '--port=tcp:1'/],
  ];
  for (const [words, sentence] of cases) {
    const { status, stdout, stderr } = await runInPlace(words, directory);
    t.same({ status, stdout }, { status: 1, stdout: '' }, words.join(' '));
    t.match(stderr, sentence);
  }
  t.same(await readdir(directory), []);
});

t.test('the same command again changes nothing and ends well; any other is refused', async (t) => {
  const directory = await temporaryDirectory(t);
  const made: readonly string[][] = [
    ['create-client', '--nickname=a', '--introducer=pb://x@tcp:h:1/y', 'client'],
    ['create-node', '--hostname=127.0.0.1', '--helper', 'node'],
  ];
  for (const words of made) {
    const path = join(directory, words.at(-1) ?? '');
    t.match(await runInPlace(words, directory), { status: 0, stdout: /^Node created in/ });
    const text = await readFile(join(path, 'tahoe.cfg'), 'utf8');
    const again = await runInPlace(words, directory);
    t.match(again, { status: 0, stdout: `Node already exists in '${path}'; nothing was changed\n`, stderr: '' });
    t.equal(await readFile(join(path, 'tahoe.cfg'), 'utf8'), text);
    t.match(await runInPlace([...words.slice(0, -1), '--shares-needed=2', path], directory), { status: 255 });
    t.match(await runInPlace([...words.slice(0, -1), '--introducer=pb://z@tcp:h:1/y', path], directory), {
      status: 255,
    });
    await writeFile(join(path, 'tahoe.cfg'), `${text}\n# mine\n`);
    t.match(await runInPlace(words, directory), { status: 255, stderr: /is not empty/ });
  }
});
