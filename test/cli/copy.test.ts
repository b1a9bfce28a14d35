/** `cp`, `mv` and `ln` at our own gateway: what is where afterwards, and what is refused with nothing changed. */
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { localSource } from '#cli/copy/local-source.js';
import { writeLocalTree } from '#cli/copy/local-target.js';
import { planCopy } from '#cli/copy/plan.js';
import type { Source, SourceFile } from '#cli/copy/source.js';
import { allEnded, AT_ONCE, Lanes } from '#cli/parallel.js';
import { GatewayUser } from './fixtures/gateway-user.js';
import { temporaryDirectory } from './fixtures/program.js';

const long = (word: string): string => `${word} `.repeat(40);
const tree = {
  'tree/one.txt': long('one'),
  'tree/sub/two.txt': long('two'),
  'tree/sub/deep/three.txt': 'three',
  'tree/empty/.keep': '',
};

t.test('a tree goes up and comes down again, with one write for each directory', async (t) => {
  const user = await GatewayUser.make(t, tree);
  t.equal(await user.expect('cp', '-r', 'tree', 'A:'), 'Success: files copied');
  const kinds = user.requests
    .map((request) => request.replace(/ .*\?/, ' ?'))
    .filter((kind) => kind.startsWith('POST'));
  t.equal(kinds.filter((kind) => kind === 'POST ?t=mkdir-with-children').length, 4, 'four new directories');
  t.equal(kinds.filter((kind) => kind === 'POST ?t=set_children').length, 1, 'linked once');
  t.equal(await user.expect('ls', '-F', 'A:tree'), 'empty/\none.txt\nsub/');
  t.match(await user.expect('ls', '-l', 'A:tree'), /^-r-- +160 [A-Z][a-z]{2} /m, 'linked now');
  t.equal(await user.expect('cp', '-r', 'A:tree', 'down'), 'Success: files copied');
  t.strictSame(await user.names('down/tree'), await user.names('tree'));
  t.equal(await user.read('down/tree/sub/two.txt'), tree['tree/sub/two.txt']);
});

t.test('copying again replaces what has changed and keeps what is mutable', async (t) => {
  const user = await GatewayUser.make(t, tree);
  await user.expect('cp', '-r', 'tree', 'A:');
  await user.expect('put', '--format=SDMF', 'tree/one.txt', 'A:tree/kept.txt');
  const before = await user.expect('ls', '--uri', 'A:tree/kept.txt');
  await user.write('tree/one.txt', long('changed'));
  await user.write('tree/kept.txt', long('written over'));
  await user.write('tree/new/four.txt', long('four'));
  await user.expect('cp', '-r', 'tree', 'A:');
  t.equal(await user.expect('get', 'A:tree/one.txt'), long('changed').trimEnd());
  t.equal(await user.expect('get', 'A:tree/kept.txt'), long('written over').trimEnd());
  t.equal(await user.expect('ls', '--uri', 'A:tree/kept.txt'), before, 'the same mutable file');
  t.equal(await user.expect('ls', 'A:tree/new'), 'four.txt');
  t.equal(await user.expect('ls', 'A:tree/sub'), 'deep\ntwo.txt');
});

t.test('inside the grid files are linked, not stored again', async (t) => {
  const user = await GatewayUser.make(t, tree);
  await user.expect('cp', '-r', 'tree', 'A:');
  user.requests.length = 0;
  await user.expect('cp', '-r', 'A:tree', 'A:copy');
  t.equal(user.requests.filter((request) => request.startsWith('PUT /uri')).length, 1, 'the new directory is linked');
  t.equal(await user.expect('get', 'A:copy/tree/one.txt'), tree['tree/one.txt'].trimEnd());
});

t.test('as many mutable files as are copied at a time do not wait for each other', { timeout: 60_000 }, async (t) => {
  const names = Array.from({ length: AT_ONCE }, (_, i) => `from/${String(i)}`);
  const text = (name: string): string => `${name} is long `.repeat(100_000);
  const user = await GatewayUser.make(t, Object.fromEntries(names.map((name) => [name, text(name)])));
  await user.expect('mkdir', 'A:from');
  for (const name of names) await user.expect('put', '--format=MDMF', name, `A:${name}`);
  await user.expect('cp', '-r', 'A:from', 'A:to');
  await user.expect('cp', '-r', 'A:to', 'down');
  for (const name of names) t.equal(await user.read(`down/to/${name}`), text(name));
});

t.test('names that would lead out of the target, or that meet, are refused before anything is written', async (t) => {
  const file = (name: string): SourceFile => ({
    kind: 'file',
    name,
    linkable: undefined,
    open: () => Promise.reject(new Error('never opened')),
  });
  const directory = (name: string, ...children: Source[]): Source => ({
    kind: 'directory',
    name,
    children: () => Promise.resolve(children),
  });
  for (const sources of [
    [directory('d', file('..'))],
    [directory('d', file('a/../../b'))],
    [directory('..', file('x'))],
    [directory('d', file(''))],
    [file('a'), file('a')],
    [file('a'), directory('a', file('b'))],
    [file('e\u0301'), file('\u00e9')],
  ]) {
    await t.rejects(planCopy(sources), { code: 'ERR_USAGE' });
  }
  const merged = await planCopy([directory('d', file('a')), directory('d', file('b'))]);
  t.strictSame([...(merged.directories.get('d')?.files.keys() ?? [])], ['a', 'b']);
});

t.test('a link that leads back has no end and is refused', async (t) => {
  const root = await temporaryDirectory(t);
  await symlink('.', join(root, 'again'));
  await writeFile(join(root, 'file'), 'x');
  await t.rejects(planCopy([await localSource(root, 'root')]), { code: 'ERR_FILE' });
});

t.test('a copy that fails leaves no file under its name and begins nothing more', async (t) => {
  const root = await temporaryDirectory(t);
  let opened = 0;
  const failing = (name: string): SourceFile => ({
    kind: 'file',
    name,
    linkable: undefined,
    open: () => {
      opened++;
      const read = async function* (): AsyncGenerator<Uint8Array, void> {
        yield await Promise.resolve(Buffer.from('the beginning'));
        throw new Error('cut');
      };
      return Promise.resolve({ sizeBytes: 20, read, close: () => Promise.resolve() });
    },
  });
  const planned = await planCopy([...'abcdefgh'].map(failing));
  const lanes = new Lanes(2);
  await t.rejects(writeLocalTree(join(root, 'to'), planned, { lanes, done: () => t.fail('nothing is done') }), /cut/);
  t.equal(opened, 2);
  const { names } = GatewayUser.prototype;
  t.strictSame(await names.call({ directory: root }, 'to'), []);
});

t.test('lanes hold actions back and let them in one by one', async (t) => {
  const lanes = new Lanes(2);
  const releases: (() => void)[] = [];
  const run = () => lanes.run(() => new Promise<void>((resolve) => releases.push(resolve)));
  const all = allEnded([run(), run(), run()]);
  await Promise.resolve();
  t.equal(releases.length, 2);
  releases[0]?.();
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(releases.length, 3);
  for (const release of releases) release();
  await all;
});

t.test('mv and ln', async (t) => {
  const user = await GatewayUser.make(t, tree);
  await user.expect('put', 'tree/one.txt', 'A:a');
  await user.expect('mkdir', 'A:d');
  t.equal(await user.expect('mv', 'A:a', 'A:b'), 'OK');
  t.equal(await user.expect('ln', 'A:b', 'A:d/'), 'OK');
  t.equal(await user.expect('ls', 'A:'), 'b\nd');
  t.equal(await user.expect('ls', 'A:d'), 'b');
  const same = await user.run(['mv', 'A:b', 'A:b']);
  t.match(same, { status: 1, stderr: /same place; nothing was moved/ });
  t.equal(await user.expect('ls', 'A:b'), 'b', 'it is still there');
  const taken = await user.run(['mv', 'A:b', 'A:d']);
  t.match(taken, { status: 1, stderr: "Error: You can't overwrite a directory with a file\n" });
  t.match(await user.run(['ln', 'A:absent', 'A:x']), { status: 1, stdout: '' });
});
