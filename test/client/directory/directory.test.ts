/** Directories of every kind on a grid in memory: listing, changing, meeting others, moving, following paths. */
import t from 'tap';
import { readCapabilityOf, verifyCapabilityOf } from '#core/capability/attenuate.js';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { parseCapability, requireCapability } from '#core/capability/parse.js';
import type { ChkReadCapability, DirectoryCapability, KnownCapability } from '#core/capability/types.js';
import { concealed } from '#core/capability/types.js';
import { dangerouslyFormatChild } from '#core/directory/child.js';
import { DIRECTORY_SIZE_MAX, packDirectory } from '#core/directory/entries.js';
import type { NewEntry } from '#core/directory/entries.js';
import { formatPythonJson } from '#core/directory/json-format.js';
import { newDirectoryContents, openDirectory } from '#client/directory/directory.js';
import type { Directory, DirectoryContext } from '#client/directory/directory.js';
import { makeImmutableDirectory } from '#client/directory/immutable-directory.js';
import { followPath, PATH_LENGTH_MAX } from '#client/directory/path.js';
import { crypto } from '../../fixtures/crypto.js';
import { childOf, directoryVectors, newEntry } from '../../fixtures/directory-vectors.js';
import { MemoryGrid } from '../../fixtures/memory-grid.js';
import { directoryCapability, MemoryMutables, mutableDirectory } from '../../fixtures/memory-mutable.js';
import { fromHex } from '../../fixtures/vectors.js';

const file = childOf('URI:LIT:me', null);
const body = 'aaaqeayeaudaocajbifqydiob4:mrswmz3infvgw3dnnzxxa4lson2hk5txpb4xu634pv7h7aebqkbq';
const writeable = childOf(`URI:MDMF:${body}`, null);
const metadata = new Map();

interface World {
  readonly context: DirectoryContext;
  readonly mutables: MemoryMutables;
  readonly grid: MemoryGrid;
}

function makeWorld(): World {
  const grid = new MemoryGrid(10, {}, fromHex(directoryVectors.immutable.convergence));
  const mutables = new MemoryMutables();
  return { grid, mutables, context: { ...grid.context, openMutable: mutables.open } };
}

function readOnly(capability: DirectoryCapability): DirectoryCapability {
  return directoryCapability(dangerouslyFormatCapability(readCapabilityOf(crypto, capability) ?? capability));
}

async function names(directory: Directory): Promise<string[]> {
  return [...(await directory.list()).entries.keys()];
}

t.test('immutable directories get the capabilities that the reference gives them', async (t) => {
  const { grid, context } = makeWorld();
  for (const { children, capability, listing } of directoryVectors.immutable.made) {
    const made = await makeImmutableDirectory(grid.context, children.map(newEntry));
    t.equal(dangerouslyFormatCapability(made), capability);
    const directory = openDirectory(context, requireCapability(capability));
    const { entries, sizeBytes } = await directory.list();
    const listed = [...entries.values()].map(({ name, child, metadata }) => {
      const { write = null, read = null } = dangerouslyFormatChild(crypto, child);
      return { name, write, read, metadata: formatPythonJson(metadata) };
    });
    t.same(listed, listing);
    t.equal(sizeBytes, packDirectory(crypto, { kind: 'immutable' }, children.map(newEntry)).length);
    t.notOk(directory.isMutable || directory.isWriteable);
    await t.rejects(directory.link([{ name: 'x', child: file }]), { code: 'ERR_DIRECTORY_READ_ONLY' });
  }
  for (const text of directoryVectors.immutable.refused) {
    const entries: NewEntry[] = [{ name: 'x', child: childOf(text, null), metadata }];
    await t.rejects(makeImmutableDirectory(grid.context, entries), { code: 'ERR_CHILD_CAPABILITY' });
  }
});

t.test('a mutable directory is filled, read and emptied', async (t) => {
  const { context } = makeWorld();
  for (const format of ['sdmf', 'mdmf'] as const) {
    const directory = openDirectory(context, mutableDirectory(1, format));
    t.ok(directory.isMutable && directory.isWriteable);
    t.same(await names(directory), []);
    await directory.link([
      { name: 'b', child: file },
      { name: 'a', child: writeable },
    ]);
    t.same(await names(directory), ['a', 'b']);
    t.match(await directory.entry('a'), { name: 'a', child: writeable });
    t.equal(await directory.entry('absent'), undefined);
    await directory.describe('a', new Map([['x', 1n]]));
    t.equal(
      formatPythonJson((await directory.entry('a'))?.metadata ?? null),
      '{"x": 1, "tahoe": {"linkcrtime": 1700000000.0, "linkmotime": 1700000000.0}}',
    );
    await directory.rename('a', 'c');
    t.match(await directory.unlink('b'), { name: 'b', child: file });
    t.same(await names(directory), ['c']);
    await t.rejects(directory.unlink('b'), { code: 'ERR_NO_SUCH_CHILD' });
    await t.rejects(directory.link([{ name: 'c', child: file }], 'nothing'), { code: 'ERR_CHILD_EXISTS' });
    await t.rejects(directory.link([{ name: '\ud800', child: file }]), { code: 'ERR_CHILD_NAME' });
    await t.rejects(directory.unlink('c', { mustBe: 'directory' }), { code: 'ERR_CHILD_TYPE' });
    t.equal(await directory.unlink('absent', { mustExist: false }), undefined);
    await directory.unlink('c');
    t.same(await names(directory), []);
  }
});

t.test('who only reads changes nothing and sees nothing that writes', async (t) => {
  const { context, mutables } = makeWorld();
  const capability = mutableDirectory(1);
  await openDirectory(context, capability).link([{ name: 'a', child: writeable }]);
  const reader = openDirectory(context, readOnly(capability));
  t.ok(reader.isMutable && !reader.isWriteable);
  const entry = await reader.entry('a');
  t.same(entry && dangerouslyFormatChild(crypto, entry.child), {
    write: undefined,
    read: dangerouslyFormatChild(crypto, writeable).read,
  });
  const before = mutables.contentsOf(capability);
  const writer = openDirectory(context, mutableDirectory(2));
  const attempts: (() => Promise<unknown>)[] = [
    () => reader.link([{ name: 'b', child: file }]),
    () => reader.unlink('a'),
    () => reader.describe('a', metadata),
    () => reader.rename('a', 'b'),
    () => reader.move('a', writer),
    () => writer.move('a', reader),
  ];
  await writer.link([{ name: 'a', child: file }]);
  for (const attempt of attempts) await t.rejects(attempt(), { code: 'ERR_DIRECTORY_READ_ONLY' });
  t.equal(mutables.contentsOf(capability), before);
  t.same(await names(writer), ['a']);
});

t.test('what is no directory, or only verifies one, is refused with a sentence', async (t) => {
  const { context } = makeWorld();
  for (const text of [`URI:SSK:${body}`, 'URI:LIT:', `URI:CHK:${body}:3:10:5`]) {
    t.throws(() => openDirectory(context, requireCapability(text)), {
      code: 'ERR_NOT_A_DIRECTORY',
      message: /names a file/,
    });
  }
  for (const text of [`URI:DIR2:${body}`, `URI:DIR2-MDMF:${body}`, `URI:DIR2-CHK:${body}:3:10:5`]) {
    const verifier = verifyCapabilityOf(crypto, requireCapability(text));
    if (verifier === undefined) throw new Error('there is a verify capability');
    t.throws(() => openDirectory(context, verifier), { code: 'ERR_NOT_A_DIRECTORY', message: /only verifies/ });
  }
});

t.test("writers that meet keep each other's changes", async (t) => {
  for (const writerCount of [2, 4, 8]) {
    const { context, mutables } = makeWorld();
    mutables.beforeWrite = () => new Promise((resolve) => setImmediate(resolve));
    const capability = mutableDirectory(writerCount);
    const expected: string[] = [];
    const write = async (writer: number): Promise<void> => {
      const directory = openDirectory(context, capability);
      for (let i = 0; i < 12; i++) {
        const name = `${String(writer)} ${String(i).padStart(2, '0')}`;
        await directory.link([{ name, child: file }], 'nothing');
        if (i % 3 === 1) await directory.rename(name, `${name} renamed`);
        if (i % 3 === 2) await directory.unlink(name);
        if (i % 3 !== 2) expected.push(i % 3 === 1 ? `${name} renamed` : name);
      }
    };
    await Promise.all(Array.from({ length: writerCount }, (_, writer) => write(writer)));
    t.same(await names(openDirectory(context, capability)), expected.sort());
    t.ok(mutables.collisions > 0, `${String(writerCount)} writers met ${String(mutables.collisions)} times`);
  }
});

t.test('of those who link one name and replace nothing, one wins', async (t) => {
  const { context, mutables } = makeWorld();
  mutables.beforeWrite = () => new Promise((resolve) => setImmediate(resolve));
  const capability = mutableDirectory(1);
  const outcomes = await Promise.allSettled(
    Array.from({ length: 8 }, (_, i) =>
      openDirectory(context, capability).link([{ name: 'lock', child: childOf(mutableText(i), null) }], 'nothing'),
    ),
  );
  t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
  for (const outcome of outcomes)
    if (outcome.status === 'rejected') t.match(outcome.reason, { code: 'ERR_CHILD_EXISTS' });
});

function mutableText(number: number): string {
  return dangerouslyFormatCapability(mutableDirectory(number));
}

t.test('moving', async (t) => {
  const { context, mutables } = makeWorld();
  const [here, there] = [mutableDirectory(1), mutableDirectory(2)].map((each) => openDirectory(context, each));
  if (here === undefined || there === undefined) throw new Error('there are two');
  await here.link([
    { name: 'a', child: writeable, metadata: new Map([['x', 1n]]) },
    { name: 'b', child: file },
  ]);
  await here.move('a', there);
  await here.move('b', there, 'c');
  t.same([await names(here), await names(there)], [[], ['a', 'c']]);
  t.match(await there.entry('a'), { child: writeable });
  await there.move('a', openDirectory(context, mutableDirectory(2)), 'd');
  t.same(await names(there), ['c', 'd']);
  await there.move('d', there);
  t.same(await names(there), ['c', 'd'], 'onto itself is nothing');
  await t.rejects(here.move('absent', there), { code: 'ERR_NO_SUCH_CHILD' });
  await here.link([{ name: 'c', child: writeable }]);
  await t.rejects(here.move('c', there, 'c', 'nothing'), { code: 'ERR_CHILD_EXISTS' });
  t.same(await names(here), ['c'], 'and it is still there');

  mutables.beforeWrite = async () => {
    mutables.beforeWrite = () => Promise.resolve();
    await here.link([{ name: 'c', child: file }]);
  };
  await here.move('c', there, 'e');
  t.match(await there.entry('e'), { child: writeable });
  t.match(await here.entry('c'), { child: file }, 'what took its name in the meantime stays');
});

t.test('a new directory is packed with its own write key, and its metadata as they are', async (t) => {
  const { context, mutables } = makeWorld();
  const capability = mutableDirectory(7);
  if (capability.file.kind !== 'ssk') throw new Error('it is mutable');
  const pack = newDirectoryContents(crypto, [{ name: 'a', child: writeable, metadata: new Map([['x', 1n]]) }]);
  mutables.setContents(capability, pack(capability.file.writeKey));
  const entry = await openDirectory(context, capability).entry('a');
  t.match(entry, { child: writeable });
  t.equal(formatPythonJson(entry?.metadata ?? null), '{"x": 1}');
});

t.test('contents that are damaged, too large or not there', async (t) => {
  const { context, mutables, grid } = makeWorld();
  const capability = mutableDirectory(1);
  const directory = openDirectory(context, capability);
  mutables.setContents(capability, new Uint8Array([1, 2, 3]));
  const acts: (() => Promise<unknown>)[] = [
    () => directory.list(),
    () => directory.entry('a'),
    () => directory.link([{ name: 'a', child: file }]),
  ];
  for (const act of acts) {
    await t.rejects(act(), { code: 'ERR_DIRECTORY' });
  }
  const huge = parseCapability(`URI:DIR2-CHK:${body}:3:10:${String(DIRECTORY_SIZE_MAX + 1)}`) as KnownCapability;
  await t.rejects(openDirectory(context, huge).list(), { code: 'ERR_TOO_LARGE' });
  const chk: ChkReadCapability = await grid.uploadChk(new Uint8Array(100));
  const noDirectory = openDirectory(context, concealed({ kind: 'directory', file: chk }));
  await t.rejects(noDirectory.list(), { code: 'ERR_DIRECTORY' });
  await t.rejects(noDirectory.list({ signal: AbortSignal.abort() }), { code: 'ERR_CANCELLED' });
  for (const server of grid.servers) server.shares.clear();
  await t.rejects(noDirectory.list(), { code: 'ERR_NO_SHARES' });
});

t.test('paths', async (t) => {
  const { context, grid } = makeWorld();
  const [root, inner] = [mutableDirectory(1), mutableDirectory(2)];
  const immutable = await makeImmutableDirectory(grid.context, [
    { name: 'x/y', child: file, metadata: new Map([['m', 1n]]) },
  ]);
  await openDirectory(context, inner).link([{ name: '\u00ea', child: immutable }]);
  await openDirectory(context, root).link([
    { name: 'inner', child: inner },
    { name: 'file', child: file },
    { name: 'future', child: childOf(null, 'URI:FUTURE:1') },
  ]);
  t.match(await followPath(context, root, []), { kind: 'found', child: root, metadata: undefined, parent: undefined });
  const found = await followPath(context, root, ['inner', 'e\u0302', 'x/y']);
  t.match(found, { kind: 'found', child: file, parent: { capability: immutable } });
  t.equal(found.kind === 'found' && formatPythonJson(found.metadata ?? null), '{"m": 1}');
  t.match(await followPath(context, root, ['inner', 'no', 'such']), {
    kind: 'missing',
    rest: ['no', 'such'],
    parent: { capability: inner },
  });
  t.match(await followPath(context, root, ['..']), { kind: 'missing', rest: ['..'] });
  const through = { file: /"file".*it is a file/, future: /"future".*not known here/ };
  for (const [name, message] of Object.entries(through)) {
    await t.rejects(followPath(context, root, [name, 'x']), { code: 'ERR_NOT_A_DIRECTORY', message });
  }
  await t.rejects(followPath(context, root, Array<string>(PATH_LENGTH_MAX + 1).fill('a')), { code: 'ERR_TOO_MANY' });
  const weaker = await followPath(context, readOnly(root), ['inner']);
  t.same(weaker.kind === 'found' && weaker.child, readOnly(inner), 'through a reader everything is read-only');
});
