/**
 * Directories packed here and unpacked by the reference's own code, and the other way round; changes done by both, byte for
 * byte; and damaged directories, which both must read alike where both read them.
 */
import t from 'tap';
import fc from 'fast-check';
import { describing, linking, unlinking } from '#core/directory/changes.js';
import type { DirectoryChange } from '#core/directory/changes.js';
import { childOfSlots } from '#core/directory/child.js';
import { DirectoryEdit } from '#core/directory/edit.js';
import { packDirectory } from '#core/directory/entries.js';
import type { NewEntry } from '#core/directory/entries.js';
import { formatPythonJson } from '#core/directory/json-format.js';
import { isTahoeError } from '#core/errors.js';
import { Chance } from '#test/fixtures/chance.js';
import { crypto } from '#test/fixtures/crypto.js';
import { damagedDirectory } from '#test/fixtures/directory-damage.js';
import { directoryVectors, metadataOf, newEntry } from '#test/fixtures/directory-vectors.js';
import { hasReference } from '#test/fixtures/process-grid.js';
import { askReference, childTask, listed, toBase64, writeKey } from './reference-directories.js';
import type { Answer, ChangeTask, Task } from './reference-directories.js';

const seed = Number(process.env.TALLAC_DIRECTORY_SEED ?? '1');
const count = Number(process.env.TALLAC_DIRECTORY_COUNT ?? '400');
const writing = { kind: 'write', writeKey } as const;
const skip = hasReference ? false : 'no reference';

const known = directoryVectors.directories.flatMap(({ children }) => children.map(newEntry));
const jsonLeaf = fc.oneof(
  fc.constantFrom('null', 'true', 'NaN', '-Infinity', '1e16', '-0.0'),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => String(value)),
  fc.bigInt().map(String),
  fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
);
const metadata = fc
  .array(fc.tuple(fc.constantFrom('a', 'b', 'ctime', '2', '1', 'no-write', 'é', '\u{1f600}'), jsonLeaf), {
    maxLength: 5,
  })
  .map((pairs) => metadataOf(`{${pairs.map(([key, value]) => `${JSON.stringify(key)}: ${value}`).join(', ')}}`));
/** Names as Python can have them: without halves of surrogate pairs, and without what its older Unicode does not know. */
const name = fc.oneof(
  fc.string({ unit: 'grapheme-ascii', maxLength: 20 }),
  fc.array(fc.constantFrom(...directoryVectors.names.given), { maxLength: 3 }).map((parts) => parts.join('')),
  fc.string({ unit: 'grapheme', maxLength: 10 }),
);
const child = fc.constantFrom(...known.map((entry) => entry.child));
const entry: fc.Arbitrary<NewEntry> = fc.record({ name, child, metadata });
/** Few enough that changes meet entries. */
const commonName = fc.constantFrom('a', 'b', '\u00ea', 'e\u0302', '\u{1f600}', '\uff21');
const smallDirectory = fc.uniqueArray(fc.record({ name: commonName, child, metadata }), {
  selector: (each) => each.name.normalize('NFC'),
});
const directory = fc.uniqueArray(entry, { selector: (each) => each.name.normalize('NFC'), maxLength: 15 });

function sampled<Value>(arbitrary: fc.Arbitrary<Value>, numRuns = count): Value[] {
  return fc.sample(arbitrary, { seed, numRuns });
}

t.test(`directories, seed ${String(seed)}`, { skip, timeout: 600_000 }, async (t) => {
  await t.test('packed here, unpacked there; packed there, unpacked here', async (t) => {
    const directories = sampled(directory);
    const packed = directories.map((entries) => packDirectory(crypto, writing, entries));
    const packing = directories.map((entries): Task => ({
      task: 'pack',
      children: entries.map(childTask),
      immutable: false,
    }));
    const unpacking = packed.flatMap((contents): Task[] =>
      (['write', 'read'] as const).map((kind) => ({ task: 'unpack', contents: toBase64(contents), kind })),
    );
    const answers = askReference([...packing, ...unpacking]);
    let wrong = 0;
    for (const [i, contents] of packed.entries()) {
      const [theirs, asWriter, asReader] = [answers[i], answers[count + 2 * i], answers[count + 2 * i + 1]];
      if (theirs?.contents !== toBase64(contents)) wrong++;
      if (JSON.stringify(asWriter?.listing) !== JSON.stringify(listed('write', contents))) wrong++;
      if (JSON.stringify(asReader?.listing) !== JSON.stringify(listed('read', contents))) wrong++;
    }
    t.equal(wrong, 0, `${String(packed.length)} directories, ${String(known.length)} kinds of entries`);
  });

  await t.test('immutable ones', async (t) => {
    const fitting = known.filter((each) => canBeImmutable(each));
    const directories = sampled(
      fc.uniqueArray(fc.record({ name, child: fc.constantFrom(...fitting.map((each) => each.child)), metadata }), {
        selector: (each) => each.name.normalize('NFC'),
        maxLength: 10,
      }),
    );
    const packed = directories.map((entries) => packDirectory(crypto, { kind: 'immutable' }, entries));
    const answers = askReference(
      directories.flatMap((entries, i): Task[] => [
        { task: 'pack', children: entries.map(childTask), immutable: true },
        { task: 'unpack', contents: toBase64(packed[i] ?? new Uint8Array(0)), kind: 'immutable' },
      ]),
    );
    const wrong = packed.filter((contents, i) => {
      const listing = JSON.stringify(answers[2 * i + 1]?.listing);
      return (
        answers[2 * i]?.contents !== toBase64(contents) || listing !== JSON.stringify(listed('immutable', contents))
      );
    });
    t.equal(wrong.length, 0, `${String(packed.length)} directories of ${String(fitting.length)} kinds of entries`);
  });

  await t.test('changes', async (t) => {
    const changes = sampled(
      fc.tuple(smallDirectory, changeTask, fc.boolean(), fc.constantFrom(1_700_000_000, 1_700_000_000.123, 1.5)),
    );
    const tasks = changes.map(([entries, change, first, now]): Task => {
      return { task: 'change', contents: toBase64(packDirectory(crypto, writing, entries)), now, change, first };
    });
    const wrong: unknown[] = [];
    const outcomes = new Map<string, number>();
    for (const [i, answer] of askReference(tasks).entries()) {
      const [entries, change, first, now] = changes[i] ?? [];
      if (entries === undefined || change === undefined) throw new Error('there are as many answers');
      const ours = doneHere(packDirectory(crypto, writing, entries), change, first === true, now ?? 0);
      const outcome = ours.error ?? change.kind;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (JSON.stringify(ours) !== JSON.stringify(answer)) wrong.push([change, ours, answer]);
    }
    t.same(wrong.slice(0, 3), [], JSON.stringify(Object.fromEntries(outcomes)));
  });

  await t.test('damage', async (t) => {
    const kinds = ['write', 'read', 'immutable'] as const;
    const damaged = Array.from({ length: 5 * count }, (_, i) => ({
      contents: damagedDirectory(new Chance(seed * 1_000_000 + i)),
      kind: kinds[i % 3] ?? 'read',
    }));
    const answers = askReference(
      damaged.map(({ contents, kind }): Task => ({ task: 'unpack', contents: toBase64(contents), kind })),
    );
    const sums = { alike: 0, bothRefuse: 0, onlyWe: 0, onlyThey: 0 };
    const wrong: unknown[] = [];
    for (const [i, { contents, kind }] of damaged.entries()) {
      const ours = listedOrError(kind, contents);
      const theirs = answers[i];
      if (ours === undefined && theirs?.listing === undefined) sums.bothRefuse++;
      else if (ours === undefined) sums.onlyThey++;
      else if (theirs?.listing === undefined) sums.onlyWe++;
      else if (JSON.stringify(ours) === JSON.stringify(theirs.listing)) sums.alike++;
      else wrong.push([kind, toBase64(contents), ours, theirs.listing]);
    }
    t.same(wrong.slice(0, 3), [], JSON.stringify(sums));
    t.ok(sums.alike > damaged.length / 20 && sums.bothRefuse > damaged.length / 20, JSON.stringify(sums));
    // We read what is odd in a capability's place; they read lengths that Python's int takes, and JSON in UTF-16.
    t.ok(sums.onlyThey < damaged.length / 50 && sums.onlyWe < damaged.length / 50, JSON.stringify(sums));
  });
});

function canBeImmutable(entry: NewEntry): boolean {
  try {
    packDirectory(crypto, { kind: 'immutable' }, [entry]);
    return true;
  } catch (error) {
    if (isTahoeError(error, 'ERR_CHILD_CAPABILITY')) return false;
    throw error;
  }
}

const link = fc.record({ name: commonName, child, metadata: fc.option(metadata) }).map(({ metadata, ...rest }) => ({
  ...childTask({ ...rest, metadata: metadata ?? new Map() }),
  metadata: metadata === null ? null : formatPythonJson(metadata),
}));
const changeTask: fc.Arbitrary<ChangeTask> = fc.oneof(
  fc.record({
    kind: fc.constant('link' as const),
    links: fc.uniqueArray(link, { selector: (each) => each.name.normalize('NFC'), maxLength: 3 }),
    overwrite: fc.constantFrom('anything' as const, 'files' as const, 'nothing' as const),
  }),
  fc.record({
    kind: fc.constant('unlink' as const),
    name: commonName,
    mustExist: fc.boolean(),
    mustBe: fc.constantFrom(null, 'file' as const, 'directory' as const),
  }),
  fc.record({ kind: fc.constant('describe' as const), name: commonName, metadata: metadata.map(formatPythonJson) }),
);

const errorNames: Readonly<Record<string, string>> = {
  ERR_CHILD_EXISTS: 'ExistingChildError',
  ERR_NO_SUCH_CHILD: 'NoSuchChildError',
  ERR_CHILD_TYPE: 'ChildOfWrongTypeError',
};

function bytesOf(text: string | null): Uint8Array {
  return new Uint8Array(Buffer.from(text ?? '', 'base64'));
}

/** The same change by our code, in the words of an answer. */
function doneHere(contents: Uint8Array, change: ChangeTask, isFirst: boolean, now: number): Answer {
  const context = { crypto, nowSeconds: () => now };
  const edit = new DirectoryEdit(crypto, writing, contents);
  try {
    changeOf(context, change)(edit, isFirst);
  } catch (error) {
    if (isTahoeError(error)) return { error: errorNames[error.code] ?? error.code };
    throw error;
  }
  // A link of nothing packs the same entries again there.
  return { contents: toBase64(edit.finish() ?? contents) };
}

function changeOf(
  context: { crypto: typeof crypto; nowSeconds: () => number },
  change: ChangeTask,
): DirectoryChange<unknown> {
  switch (change.kind) {
    case 'link': {
      const links = change.links.map(({ name, write, read, metadata }) => {
        const child = childOfSlots({ write: bytesOf(write), read: bytesOf(read) }, { deepImmutable: false });
        if (child.kind === 'refused') throw new Error(child.reason);
        return { name, child, metadata: metadata === null ? undefined : metadataOf(metadata) };
      });
      return linking(context, links, change.overwrite);
    }
    case 'unlink':
      return unlinking(context, change.name, {
        mustExist: change.mustExist,
        ...(change.mustBe && { mustBe: change.mustBe }),
      });
    case 'describe':
      return describing(context, change.name, metadataOf(change.metadata));
  }
}

function listedOrError(
  kind: 'write' | 'read' | 'immutable',
  contents: Uint8Array,
): ReturnType<typeof listed> | undefined {
  try {
    return listed(kind, contents);
  } catch (error) {
    if (isTahoeError(error, 'ERR_DIRECTORY')) return undefined;
    throw error;
  }
}
