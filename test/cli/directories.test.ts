/** `mkdir`, `ls`, `unlink` and the aliases: what is asked of the gateway, what is printed, and how they fail. */
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import t from 'tap';
import { listingLines, parseListing } from '#cli/listing.js';
import { reply, startGateway } from './fixtures/fake-gateway.js';
import { runInPlace, temporaryDirectory } from './fixtures/program.js';

const body = `${'a'.repeat(26)}:${'a'.repeat(52)}`;
const DIRECTORY = `URI:DIR2:${body}`;
const encoded = encodeURIComponent(DIRECTORY);

async function nodeDirectory(directory: string, aliases: string): Promise<string> {
  const node = join(directory, 'node');
  await mkdir(join(node, 'private'), { recursive: true });
  await writeFile(join(node, 'private', 'aliases'), aliases);
  return node;
}

t.test('mkdir asks for a directory and prints its capability', async (t) => {
  const directory = await temporaryDirectory(t);
  const { address, seen } = await startGateway(t, reply(200, DIRECTORY));
  for (const [words, url] of [
    [[], '/uri?t=mkdir'],
    [['--format=mdmf'], '/uri?t=mkdir&format=mdmf'],
    [[DIRECTORY], '/uri?t=mkdir'],
    [[`${DIRECTORY}/a/ü/`], `/uri/${encoded}/a/%C3%BC?t=mkdir`],
  ] as const) {
    const outcome = await runInPlace(['mkdir', '-u', address, ...words], directory);
    t.match(outcome, { status: 0, stdout: `${DIRECTORY}\n`, stderr: '' }, words.join(' '));
    t.match(seen.pop(), { method: 'POST', url });
  }
  t.match(await runInPlace(['mkdir', '-u', address, '--format=CHK'], directory), {
    status: 1,
    stderr: 'tallac: CHK is an invalid format\n',
  });
  const { address: refusing } = await startGateway(t, reply(409, 'a file was in the way\n'));
  const refused = await runInPlace(['mkdir', '-u', refusing, `${DIRECTORY}/x`], directory);
  t.match(refused, { status: 1, stdout: '', stderr: /answered 409: a file was in the way/ });
});

t.test('unlink and rm remove a name', async (t) => {
  const directory = await temporaryDirectory(t);
  const { address, seen } = await startGateway(t, reply(200, 'URI:LIT:ge'));
  for (const name of ['unlink', 'rm']) {
    const outcome = await runInPlace([name, '-u', address, `${DIRECTORY}/a%2Fb/c`], directory);
    t.match(outcome, { status: 0, stdout: '200 OK\n', stderr: '' });
    t.match(seen.pop(), { method: 'DELETE', url: `/uri/${encoded}/a%252Fb/c` });
    const bare = await runInPlace([name, '-u', address, DIRECTORY], directory);
    t.match(bare, {
      status: 1,
      stderr: `tallac: '${name}' can only unlink directory entries, so a path must be given.\n`,
    });
  }
  const { address: refusing } = await startGateway(t, reply(404, 'No such child: x\n'));
  t.match(await runInPlace(['unlink', '-u', refusing, `${DIRECTORY}/x`], directory), { status: 1, stdout: '' });
});

const json = `["dirnode", {"mutable": true, "children": {
  "photos": ["dirnode", {"mutable": true, "rw_uri": "URI:DIR2:x", "ro_uri": "URI:DIR2-RO:x", "metadata": {"tahoe": {"linkcrtime": 1700000000.5}}}],
  "b.txt": ["filenode", {"mutable": false, "format": "CHK", "size": 12345, "ro_uri": "URI:CHK:x", "metadata": {"ctime": 1}}],
  "ä": ["filenode", {"mutable": true, "format": "SDMF", "rw_uri": "URI:SSK:x", "ro_uri": "URI:SSK-RO:x", "metadata": {"nan": NaN}}],
  "z\\u001b[31m": ["unknown", {"metadata": {}}]
}}]`;

t.test('ls prints names, and in columns what is asked for', async (t) => {
  const directory = await temporaryDirectory(t);
  const { address, seen } = await startGateway(t, reply(200, json));
  const hint =
    '\nThis listing included unknown objects. Using a webapi server that supports\na later version of Tahoe may help.\n';
  const ls = (...words: readonly string[]) => runInPlace(['ls', '-u', address, ...words], directory);
  const named = await ls(`${DIRECTORY}/sub/`);
  t.match(named, { status: 0, stdout: 'b.txt\nphotos\nz\\x1b[31m\nä\n', stderr: hint });
  t.match(seen.pop(), { method: 'GET', url: `/uri/${encoded}/sub?t=json` });
  t.equal((await ls('-F', DIRECTORY)).stdout, 'b.txt\nphotos/\nz\\x1b[31m?\nä*\n');
  t.equal(
    (await ls('--uri', DIRECTORY)).stdout,
    '    b.txt URI:CHK:x\n   photos URI:DIR2:x\nz\\x1b[31m -\n        ä URI:SSK:x\n',
  );
  t.equal((await ls('--json', DIRECTORY)).stdout, `${json}\n`);
  const [first = ''] = listingLines(parseListing(json, ''), { long: true }, 0);
  t.match(first, /^-r-- 12345 .* +b\.txt$/);
});

t.test('ls of a file is the file, and statuses are those that scripts know', async (t) => {
  const directory = await temporaryDirectory(t);
  const file = await startGateway(t, reply(200, '["filenode", {"format": "CHK", "size": 5, "ro_uri": "URI:CHK:x"}]'));
  const outcome = await runInPlace(['ls', '-l', '-u', file.address, `${DIRECTORY}/a/f.txt`], directory);
  t.match(outcome, { status: 0, stdout: '-r-- 5 - f.txt\n' });
  const empty = await startGateway(t, reply(200, '["dirnode", {"children": {}}]'));
  t.match(await runInPlace(['ls', '-u', empty.address, DIRECTORY], directory), { status: 0, stdout: '', stderr: '' });
  for (const [status, ended, stderr] of [
    [404, 2, /^No such file or directory\n$/],
    [410, 410 % 256, /answered 410/],
    [500, 500 % 256, /answered 500/],
    [512, 1, /answered 512/],
  ] as const) {
    const { address } = await startGateway(t, reply(status, 'no'));
    t.match(await runInPlace(['ls', '-u', address, DIRECTORY], directory), { status: ended, stdout: '', stderr });
  }
  for (const nonsense of ['', '{', '[]', '["dirnode", {}]', '["dirnode", {"children": {"x": 1}}]']) {
    const { address } = await startGateway(t, reply(200, nonsense));
    const failed = await runInPlace(['ls', '-u', address, DIRECTORY], directory);
    t.match(failed, { status: 1, stderr: /not the JSON of a file or a directory/ }, nonsense);
  }
});

t.test('paths begin at aliases, a capability, or the default', async (t) => {
  const directory = await temporaryDirectory(t);
  const other = `URI:DIR2-RO:${body}`;
  const node = await nodeDirectory(directory, `# a comment\n\nwork: ${DIRECTORY}\nfile:URI:LIT:ge\n ro : ignored\n`);
  await writeFile(join(node, 'private', 'root_dir.cap'), `${other}\n`);
  const { address, seen } = await startGateway(t, reply(200, '["dirnode", {"children": {}}]'));
  const ls = (...words: readonly string[]) => runInPlace(['-d', node, 'ls', '-u', address, ...words], directory);
  for (const [words, url] of [
    [['work:a/b'], `/uri/${encoded}/a/b?t=json`],
    [['work:'], `/uri/${encoded}?t=json`],
    [['x/y:z'], `/uri/${encodeURIComponent(other)}/x/y%3Az?t=json`],
    [[], `/uri/${encodeURIComponent(other)}?t=json`],
    [['tahoe:x'], `/uri/${encodeURIComponent(other)}/x?t=json`],
    [['--dir-cap', DIRECTORY, 'x'], `/uri/${encoded}/x?t=json`],
    [[`${DIRECTORY}:./x`], `/uri/${encoded}/x?t=json`],
  ] as const) {
    t.match(await ls(...words), { status: 0, stderr: '' }, words.join(' '));
    t.match(seen.pop(), { url }, words.join(' '));
  }
  for (const [word, stderr] of [
    [
      'absent:x',
      "tallac: error: Unknown alias 'absent', please create it with 'tahoe add-alias' or 'tahoe create-alias'.\n",
    ],
    ['file:x', "tallac: what the alias 'file' holds is no capability of a directory (URI:DIR2…)\n"],
    ['URI:DIR2:short/x', /^tallac: the capability is not valid: /],
  ] as const) {
    t.match(await ls(word), { status: 1, stdout: '', stderr }, word);
  }
  const none = await runInPlace(['-d', 'absent', 'ls', '-u', address, 'x'], directory);
  t.match(none, { status: 1, stderr: /error: No alias specified, and the default 'tahoe' alias doesn't exist/ });
});

t.test('aliases are made, added and listed', async (t) => {
  const directory = await temporaryDirectory(t);
  const node = await nodeDirectory(directory, `old: ${DIRECTORY}`);
  const file = join(node, 'private', 'aliases');
  const { address } = await startGateway(t, reply(200, `${DIRECTORY}\n`));
  const run = (...words: readonly string[]) => runInPlace(['-d', node, ...words], directory);
  t.match(await run('create-alias', '-u', address, 'new:'), { status: 0, stdout: "Alias 'new' created\n", stderr: '' });
  t.match(await run('add-alias', 'lit', 'URI:DIR2-LIT:'), { status: 0, stdout: "Alias 'lit' added\n", stderr: '' });
  t.equal(await readFile(file, 'utf8'), `old: ${DIRECTORY}\nnew: ${DIRECTORY}\nlit: URI:DIR2-LIT:\n`);
  t.equal((await stat(file)).mode & 0o777, 0o600);
  t.equal((await run('list-aliases')).stdout, `  lit: URI:DIR2-LIT:\n  new: ${DIRECTORY}\n  old: ${DIRECTORY}\n`);
  t.match((await run('list-aliases', '--readonly-uri')).stdout, /^ {2}lit: URI:DIR2-LIT:\n {2}new: URI:DIR2-RO:/);
  t.match(JSON.parse((await run('list-aliases', '--json')).stdout), {
    lit: { readwrite: 'URI:DIR2-LIT:', readonly: 'URI:DIR2-LIT:' },
    new: { readwrite: DIRECTORY, readonly: /^URI:DIR2-RO:/ },
  });
  for (const [words, stderr] of [
    [['add-alias', 'new', DIRECTORY], "tallac: Alias 'new' already exists!\n"],
    [['add-alias', 'a:b', DIRECTORY], 'tallac: Alias names cannot contain colons.\n'],
    [['add-alias', 'a b', DIRECTORY], 'tallac: Alias names cannot contain spaces.\n'],
    [['add-alias', 'x', 'URI:LIT:ge'], /no capability of a directory/],
    [['add-alias', '#x', DIRECTORY], /does not begin with #/],
  ] as const) {
    t.match(await run(...words), { status: 1, stdout: '', stderr }, words.join(' '));
  }
});

t.test('a capability can come from standard input or a file', async (t) => {
  const directory = await temporaryDirectory(t);
  const { address, seen } = await startGateway(t, reply(200, json));
  await nodeDirectory(directory, '');
  const stdin = () => Readable.from([Buffer.from(`${DIRECTORY}\n`)]);
  t.match(await runInPlace(['-d', 'node', 'add-alias', 'x', '-'], directory, { stdin: stdin() }), { status: 0 });
  t.equal(await readFile(join(directory, 'node/private/aliases'), 'utf8'), `x: ${DIRECTORY}\n`);
  await writeFile(join(directory, 'cap'), `${DIRECTORY}\n`);
  for (const file of ['cap', '-']) {
    const words = ['ls', '-u', address, '--cap-file', file];
    t.match(await runInPlace(words, directory, { stdin: stdin() }), { status: 0, stdout: /^b\.txt$/m });
    t.match(seen.pop(), { url: `/uri/${encoded}?t=json` });
  }
});
