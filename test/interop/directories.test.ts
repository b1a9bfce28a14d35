/**
 * Directories on a grid of the reference, made and changed by its gateway and by our code. Until our client writes mutable
 * files itself, their contents come and go through the reference's gateway as the files that they are.
 */
import t from 'tap';
import { dangerouslyFormatCapability } from '#core/capability/format.js';
import { requireCapability } from '#core/capability/parse.js';
import { readCapabilityOf } from '#core/capability/attenuate.js';
import type { DirectoryCapability, KnownCapability } from '#core/capability/types.js';
import { dangerouslyFormatChild } from '#core/directory/child.js';
import type { NewEntry } from '#core/directory/entries.js';
import { packDirectory } from '#core/directory/entries.js';
import { formatPythonJson } from '#core/directory/json-format.js';
import { newDirectoryContents, openDirectory } from '#client/directory/directory.js';
import type { DirectoryContext } from '#client/directory/directory.js';
import { makeImmutableDirectory } from '#client/directory/immutable-directory.js';
import { DeepStatsCounter } from '#client/traversal/deep-stats.js';
import { dangerouslyDescribeNode } from '#client/traversal/manifest.js';
import { walk } from '#client/traversal/walk.js';
import { crypto, seededBytes } from '#test/fixtures/crypto.js';
import { childOf, metadataOf } from '#test/fixtures/directory-vectors.js';
import { MemoryGrid } from '#test/fixtures/memory-grid.js';
import { hasReference, ProcessGrid } from '#test/fixtures/process-grid.js';
import type { GridNode } from '#test/fixtures/process-grid.js';
import { ask, makeDirectory, pathOf, putFile } from './gateway-talk.js';

const encoding = { needed: 1, happy: 1, total: 2 };
const convergenceSecret = seededBytes('convergence', 32);
const NAMES = ['plain', '\u00ea', '\u4e2d\u6587', '\u{1f600}', '\uff21', '%2F?#&', '"quoted"'];

/** A child as the reference's `?t=json` shows it. */
interface ShownChild {
  readonly rw_uri?: string;
  readonly ro_uri?: string;
  readonly metadata?: unknown;
}

/** Sends a request that must succeed. @returns the body. */
async function told(
  gateway: GridNode,
  path: string,
  method: 'GET' | 'POST' | 'PUT' = 'GET',
  body?: Uint8Array,
): Promise<Buffer> {
  const reply = await ask(gateway, path, { method, ...(body && { body }) });
  if (reply.status !== 200 && reply.status !== 201) {
    throw new Error(`${method}: ${String(reply.status)} ${reply.body.toString().slice(0, 300)}`);
  }
  return reply.body;
}

/** Our code, with the mutable files behind the reference's gateway. */
function contextOver(gateway: GridNode): DirectoryContext {
  const { context } = new MemoryGrid(1);
  return {
    ...context,
    openMutable: (capability) => {
      const path = pathOf(dangerouslyFormatCapability(capability));
      const read = async (): Promise<Uint8Array> => new Uint8Array(await told(gateway, path));
      return {
        read,
        modify: async (change) => {
          const changed = change(await read(), true);
          if (changed !== undefined) await told(gateway, path, 'PUT', changed);
        },
      };
    },
  };
}

function directoryOf(text: string): DirectoryCapability {
  const capability = requireCapability(text);
  if (capability.kind !== 'directory') throw new Error('it names a directory');
  return capability;
}

/** The reference's listing: name → capabilities and metadata in JSON as it was sent. */
async function shownBy(gateway: GridNode, capability: KnownCapability): Promise<Record<string, unknown>> {
  const body = await told(gateway, `${pathOf(dangerouslyFormatCapability(capability))}?t=json`);
  const [, { children }] = JSON.parse(body.toString()) as [string, { children: Record<string, [string, ShownChild]> }];
  return Object.fromEntries(
    Object.entries(children).map(([name, [, { rw_uri: write, ro_uri: read, metadata }]]) => [
      name,
      { write, read, metadata },
    ]),
  );
}

/** Our listing in the same form. */
async function shownHere(context: DirectoryContext, capability: KnownCapability): Promise<Record<string, unknown>> {
  const { entries } = await openDirectory(context, capability).list();
  return Object.fromEntries(
    [...entries.values()].map(({ name, child, metadata }) => {
      const { write, read } = dangerouslyFormatChild(crypto, child);
      return [name, { write, read, metadata: JSON.parse(formatPythonJson(metadata)) as unknown }];
    }),
  );
}

t.test('directories', { skip: hasReference ? false : 'no reference', timeout: 300_000 }, async (t) => {
  const grid = await ProcessGrid.start({
    storage: ['reference', 'reference'],
    gateways: ['reference'],
    encoding,
    convergenceSecret,
  });
  t.teardown(() => grid.stop());
  const gateway = grid.gateway('reference');
  const context = contextOver(gateway);
  const files = await Promise.all([10, 200, 5000].map((size) => putFile(gateway, seededBytes(String(size), size))));
  const mutableFile = (await told(gateway, 'uri?format=MDMF', 'PUT', seededBytes('mutable', 300))).toString();

  const entries: NewEntry[] = [
    ...NAMES.map((name, i) => ({
      name,
      child: childOf(files[i % files.length] ?? '', null),
      metadata: metadataOf(`{"n": ${String(i)}, "f": 1e${String(i)}, "${name.replaceAll('"', '\\"')}": null}`),
    })),
    { name: 'future', child: childOf(null, 'URI:FUTURE:1'), metadata: new Map() },
  ];
  const childrenJson = (given: readonly NewEntry[]): Buffer => {
    const parts = given.map(({ name, child, metadata }) => {
      const { write, read } = dangerouslyFormatChild(crypto, child);
      const fields = `{"rw_uri": ${JSON.stringify(write ?? null)}, "ro_uri": ${JSON.stringify(read ?? null)}, "metadata": ${formatPythonJson(metadata)}}`;
      return `${JSON.stringify(name)}: ["filenode", ${fields}]`;
    });
    return Buffer.from(`{${parts.join(', ')}}`);
  };

  await t.test('immutable directories of equal content get equal capabilities', async (t) => {
    const { context: local } = new MemoryGrid(2, encoding, convergenceSecret);
    const small = [{ name: 'a', child: childOf('URI:LIT:me', null), metadata: new Map() }];
    for (const given of [[], small, entries.slice(0, 1), entries, [...entries].reverse()]) {
      const theirs = (await told(gateway, 'uri?t=mkdir-immutable', 'POST', childrenJson(given))).toString();
      const ours = await makeImmutableDirectory(local, given);
      t.equal(dangerouslyFormatCapability(ours), theirs);
      if (ours.file.kind === 'chk') {
        const stored = await putFile(gateway, packDirectory(crypto, { kind: 'immutable' }, given));
        t.equal(stored.replace('URI:CHK:', 'URI:DIR2-CHK:'), theirs, 'its gateway stores our bytes under it');
      }
      t.same(Object.keys(await shownBy(gateway, ours)).sort(), given.map(({ name }) => name).sort());
    }
  });

  for (const format of ['sdmf', 'mdmf'] as const) {
    await t.test(`${format}: made there, read and changed here, and back`, async (t) => {
      const body = childrenJson([
        ...entries,
        { name: 'mutable', child: childOf(mutableFile, null), metadata: new Map() },
      ]);
      const text = (await told(gateway, `uri?t=mkdir-with-children&format=${format}`, 'POST', body)).toString();
      const writer = directoryOf(text);
      const reader = directoryOf(dangerouslyFormatCapability(readCapabilityOf(crypto, writer) ?? writer));
      const same = async (what: string): Promise<void> => {
        t.same(await shownHere(context, writer), await shownBy(gateway, writer), what);
        t.same(await shownHere(context, reader), await shownBy(gateway, reader), `${what}, read only`);
      };
      await same('as it was made');
      const directory = openDirectory(context, writer);
      await directory.link([
        { name: 'ours \u{1f600}', child: childOf(mutableFile, null), metadata: metadataOf('{"x": 1e16}') },
      ]);
      await directory.unlink('plain');
      await directory.rename('\u00ea', 'renamed');
      await directory.describe('\uff21', metadataOf('{"y": [1, 2.5]}'));
      await same('after our changes');
      const child = (await told(gateway, `${pathOf(text)}?t=mkdir&name=theirs`, 'POST')).toString();
      await told(
        gateway,
        `${pathOf(text)}?t=rename&from_name=renamed&to_name=${encodeURIComponent('re\u0302named')}`,
        'POST',
      );
      await told(gateway, `${pathOf(text)}?t=unlink&name=future`, 'POST');
      await same('after its changes');
      t.match(await directory.entry('theirs'), { child: directoryOf(child) });
      t.ok(await directory.entry('r\u00eanamed'));
      await directory.move('theirs', directory, 'moved');
      await openDirectory(context, directoryOf(child)).link([{ name: 'up', child: writer }]);
      t.same(Object.keys(await shownBy(gateway, directoryOf(child))), ['up']);
    });
  }

  await t.test('contents made here for a directory made there', async (t) => {
    const text = await makeDirectory(gateway, 'sdmf');
    const { file } = directoryOf(text);
    if (file.kind !== 'ssk') throw new Error('it is mutable');
    const contents = newDirectoryContents(crypto, entries)(file.writeKey);
    await told(gateway, pathOf(dangerouslyFormatCapability(file)), 'PUT', contents);
    t.same(await shownBy(gateway, directoryOf(text)), await shownHere(context, directoryOf(text)));
    t.equal(Object.keys(await shownBy(gateway, directoryOf(text))).length, entries.length);
  });

  await t.test('a manifest and its sums', async (t) => {
    const root = directoryOf(await makeDirectory(gateway, 'sdmf'));
    const inner = await makeDirectory(gateway, 'sdmf');
    const literal = (await told(gateway, 'uri?t=mkdir-immutable', 'POST', Buffer.from('{}'))).toString();
    await openDirectory(context, directoryOf(inner)).link([
      { name: 'root', child: root },
      { name: 'b', child: childOf(files[1] ?? '', null) },
      { name: 'a', child: childOf(files[2] ?? '', null) },
    ]);
    await openDirectory(context, root).link([
      ...entries,
      { name: 'inner', child: directoryOf(inner) },
      { name: 'again', child: directoryOf(inner) },
      { name: 'literal', child: directoryOf(literal) },
      { name: 'mutable', child: childOf(mutableFile, null) },
    ]);
    const stream = await told(gateway, `${pathOf(dangerouslyFormatCapability(root))}?t=stream-manifest`, 'POST');
    const theirs = stream
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    const counter = new DeepStatsCounter();
    const ours: unknown[] = [];
    for await (const step of walk(context, root)) {
      counter.add(step);
      if (step.kind === 'node') ours.push(dangerouslyDescribeNode(crypto, step));
    }
    t.same([...ours, { type: 'stats', stats: counter.stats() }], theirs);
    t.ok(ours.length >= 10, `${String(ours.length)} objects`);
  });
});
