/** Changes to a directory: their rules, their retries after somebody else wrote, and what they cost. */
import t from 'tap';
import fc from 'fast-check';
import { equalBytes, utf8 } from '#core/bytes.js';
import { describing, linking, renaming, unlinking } from '#core/directory/changes.js';
import type { ChangeContext, DirectoryChange, Overwrite } from '#core/directory/changes.js';
import { dangerouslyFormatChild, equalChildren } from '#core/directory/child.js';
import type { Child } from '#core/directory/child.js';
import { DirectoryEdit } from '#core/directory/edit.js';
import { packDirectory, splitDirectory, unpackDirectory } from '#core/directory/entries.js';
import { formatPythonJson } from '#core/directory/json-format.js';
import type { Metadata } from '#core/directory/metadata.js';
import { isTahoeError } from '#core/errors.js';
import { encodeNetstring } from '#core/netstring.js';
import { countingCrypto } from '../../fixtures/counting-crypto.js';
import { crypto } from '../../fixtures/crypto.js';
import { childOf, directoryVectors, metadataOf } from '../../fixtures/directory-vectors.js';
import { fromText } from '../../fixtures/mutable-vectors.js';

const access = { kind: 'write', writeKey: new Uint8Array(16).fill(3) } as const;
const body = 'aaaqeayeaudaocajbifqydiob4:mrswmz3infvgw3dnnzxxa4lson2hk5txpb4xu634pv7h7aebqkbq';
const file = childOf(`URI:SSK:${body}`, null);
const otherFile = childOf('URI:LIT:me', null);
const directory = childOf(`URI:DIR2:${body}`, null);
const unknown = childOf(null, 'URI:FUTURE:1');
const empty = new Uint8Array(0);

function at(seconds: number): ChangeContext {
  return { crypto, nowSeconds: () => seconds };
}

/** Does a change. @returns the new contents, the old where nothing changed. */
function done<Result>(contents: Uint8Array, change: DirectoryChange<Result>, isFirst = true): Uint8Array {
  const edit = new DirectoryEdit(crypto, access, contents);
  change(edit, isFirst);
  return edit.finish() ?? contents;
}

function shown(contents: Uint8Array): Record<string, string> {
  const { entries } = unpackDirectory(crypto, access, contents);
  return Object.fromEntries([...entries.values()].map(({ name, metadata }) => [name, formatPythonJson(metadata)]));
}

function childIn(contents: Uint8Array, name: string): Child | undefined {
  return unpackDirectory(crypto, access, contents).entries.get(name)?.child;
}

const start = done(
  empty,
  linking(at(100), [
    { name: 'file', child: file, metadata: metadataOf('{"a": 1}') },
    { name: 'directory', child: directory },
    { name: 'unknown', child: unknown },
  ]),
);

t.test('linking', async (t) => {
  t.same(shown(start), {
    directory: '{"tahoe": {"linkcrtime": 100, "linkmotime": 100}}'.replaceAll('100', '100.0'),
    file: '{"a": 1, "tahoe": {"linkcrtime": 100.0, "linkmotime": 100.0}}',
    unknown: '{"tahoe": {"linkcrtime": 100.0, "linkmotime": 100.0}}',
  });
  const again = done(start, linking(at(200.5), [{ name: 'file', child: otherFile }]));
  t.equal(shown(again).file, '{"a": 1, "tahoe": {"linkcrtime": 100.0, "linkmotime": 200.5}}');
  t.same(childIn(again, 'file'), otherFile);
  const forged = metadataOf('{"tahoe": {"linkcrtime": 1}, "b": 2}');
  const replaced = done(start, linking(at(200), [{ name: 'file', child: file, metadata: forged }]));
  t.equal(shown(replaced).file, '{"b": 2, "tahoe": {"linkcrtime": 100.0, "linkmotime": 200.0}}');
});

t.test('what may be replaced', async (t) => {
  const allowed: Record<Overwrite, string[]> = {
    anything: ['file', 'directory', 'unknown'],
    files: ['file', 'unknown'],
    nothing: [],
  };
  for (const overwrite of ['anything', 'files', 'nothing'] as const) {
    for (const name of ['file', 'directory', 'unknown']) {
      const links = [
        { name: 'new', child: file },
        { name, child: otherFile },
      ];
      const act = (): Uint8Array => done(start, linking(at(1), links, overwrite));
      if (allowed[overwrite].includes(name)) t.same(childIn(act(), name), otherFile, `${overwrite} ${name}`);
      else t.throws(act, { code: 'ERR_CHILD_EXISTS', facts: { name } }, `${overwrite} ${name}`);
    }
  }
});

t.test('names are one in every form of Unicode', async (t) => {
  const contents = done(empty, linking(at(1), [{ name: 'e\u0302', child: file }]));
  t.same(Object.keys(shown(contents)), ['\u00ea']);
  t.throws(() => done(contents, linking(at(1), [{ name: '\u00ea', child: file }], 'nothing')), {
    code: 'ERR_CHILD_EXISTS',
  });
  t.same(shown(done(contents, unlinking(at(1), 'e\u0302'))), {});
});

t.test('no-write keeps a child read-only', async (t) => {
  for (const [text, write] of [
    ['{"no-write": true}', false],
    ['{"no-write": false}', true],
    ['{"no-write": "x"}', false],
    ['{}', true],
  ] as const) {
    const linked = done(start, linking(at(1), [{ name: 'new', child: file, metadata: metadataOf(text) }]));
    const described = done(start, describing(at(1), 'file', metadataOf(text)));
    for (const child of [childIn(linked, 'new'), childIn(described, 'file')]) {
      t.equal(child && dangerouslyFormatChild(crypto, child).write !== undefined, write, text);
    }
  }
});

t.test('unlinking', async (t) => {
  t.same(Object.keys(shown(done(start, unlinking(at(1), 'file')))), ['directory', 'unknown']);
  t.throws(() => done(start, unlinking(at(1), 'absent')), {
    code: 'ERR_NO_SUCH_CHILD',
    message: 'No such child: absent',
  });
  t.same(done(start, unlinking(at(1), 'absent', { mustExist: false })), start);
  t.throws(() => done(start, unlinking(at(1), 'file', { mustBe: 'directory' })), { code: 'ERR_CHILD_TYPE' });
  t.throws(() => done(start, unlinking(at(1), 'directory', { mustBe: 'file' })), { code: 'ERR_CHILD_TYPE' });
  for (const mustBe of ['file', 'directory'] as const) {
    t.same(Object.keys(shown(done(start, unlinking(at(1), 'unknown', { mustBe })))), ['directory', 'file']);
  }
  t.same(done(start, unlinking(at(1), 'file', { onlyChild: otherFile })), start, 'another child is left alone');
  t.notOk(childIn(done(start, unlinking(at(1), 'file', { onlyChild: file })), 'file'));
  const edit = new DirectoryEdit(crypto, access, start);
  t.match(unlinking(at(1), 'file')(edit, true), { name: 'file', child: { kind: 'ssk' } }, 'it gives what was there');
  t.same(done(start, unlinking(at(1), 'absent'), false), start, 'on a retry it may have gone already');
});

t.test('renaming', async (t) => {
  const renamed = done(start, renaming(at(200), 'file', 'other'));
  t.same(Object.keys(shown(renamed)), ['directory', 'other', 'unknown']);
  t.equal(shown(renamed).other, '{"a": 1, "tahoe": {"linkcrtime": 200.0, "linkmotime": 200.0}}');
  t.same(childIn(renamed, 'other'), file);
  t.same(done(start, renaming(at(200), 'file', 'file')), start);
  t.same(done(start, renaming(at(200), 'absent', 'absent')), start, 'to its own name is nothing, as in the reference');
  t.throws(() => done(start, renaming(at(1), 'absent', 'x')), { code: 'ERR_NO_SUCH_CHILD' });
  t.throws(() => done(start, renaming(at(1), 'file', 'directory', 'files')), { code: 'ERR_CHILD_EXISTS' });
  t.throws(() => done(start, renaming(at(1), 'file', 'unknown', 'nothing')), { code: 'ERR_CHILD_EXISTS' });
  t.same(childIn(done(start, renaming(at(1), 'file', 'directory')), 'directory'), file);
});

t.test('describing', async (t) => {
  const described = done(start, describing(at(200), 'file', metadataOf('{"b": 2}')));
  t.equal(shown(described).file, '{"b": 2, "tahoe": {"linkcrtime": 100.0, "linkmotime": 200.0}}');
  t.throws(() => done(start, describing(at(1), 'absent', new Map())), { code: 'ERR_NO_SUCH_CHILD' });
});

t.test('what changes nothing makes no new contents', async (t) => {
  const edit = new DirectoryEdit(crypto, access, start);
  unlinking(at(1), 'absent', { mustExist: false })(edit, true);
  t.equal(edit.finish(), undefined);
});

t.test("a retry knows its own work, and nobody else's", async (t) => {
  const links = [{ name: 'new', child: file }];
  let clock = 300;
  const context = { crypto, nowSeconds: () => clock++ };

  const first = linking(context, links, 'nothing');
  const came = done(start, first);
  t.same(childIn(done(came, first, false), 'new'), file, 'its first attempt came through');

  const second = linking(context, links, 'nothing');
  done(start, second);
  t.throws(() => done(came, second, false), { code: 'ERR_CHILD_EXISTS' }, 'somebody else linked the same child');

  const renamer = renaming(context, 'file', 'new', 'nothing');
  const renamed = done(start, renamer);
  t.same(done(renamed, renamer, false), renamed);
  t.throws(() => done(came, renaming(context, 'absent', 'new'), false), { code: 'ERR_NO_SUCH_CHILD' });
});

t.test('entries that are not understood are carried along', async (t) => {
  const odd = utf8('1:z,9:URI:FUTUR,0:,8:not JSON,');
  const contents = Buffer.concat([start, encodeNetstring(odd)]);
  const changed = done(contents, linking(at(1), [{ name: 'new', child: file }]));
  t.same(splitDirectory(changed).get('z')?.packed, odd);
  t.throws(() => done(contents, describing(at(1), 'z', new Map())), { code: 'ERR_DIRECTORY' });
  t.notOk(splitDirectory(done(contents, linking(at(1), [{ name: 'new', child: file }]))).has('absent'));
});

t.test('a change leaves the bytes of all other entries', async (t) => {
  for (const { packed, children } of directoryVectors.directories) {
    const before = splitDirectory(fromText(packed));
    const after = splitDirectory(done(fromText(packed), linking(at(1), [{ name: 'new one', child: file }])));
    t.equal(after.size, before.size + 1, String(children.length));
    t.ok([...before].every(([name, stored]) => equalBytes(stored.packed, after.get(name)?.packed ?? empty)));
  }
});

type Step =
  | { readonly kind: 'link'; readonly name: string; readonly child: number; readonly overwrite: Overwrite }
  | { readonly kind: 'unlink'; readonly name: string }
  | { readonly kind: 'rename'; readonly name: string; readonly to: string }
  | { readonly kind: 'describe'; readonly name: string; readonly value: number };

const choices = [file, otherFile, directory, unknown];
const name = fc.constantFrom('a', 'b', 'c', '\u{1f600}', '\uff21');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('link' as const),
    name,
    child: fc.nat(3),
    overwrite: fc.constantFrom<Overwrite>('anything', 'files', 'nothing'),
  }),
  fc.record({ kind: fc.constant('unlink' as const), name }),
  fc.record({ kind: fc.constant('rename' as const), name, to: name }),
  fc.record({ kind: fc.constant('describe' as const), name, value: fc.nat(5) }),
);
/** `lost`: how often a step finds, after its run, that somebody else wrote. `came`: whether its own bytes came through then. */
const attempt = fc.record({ step, lost: fc.nat(2), came: fc.boolean() });

function changeOf(context: ChangeContext, step: Step): DirectoryChange<unknown> {
  switch (step.kind) {
    case 'link':
      return linking(context, [{ name: step.name, child: choices[step.child] ?? file }], step.overwrite);
    case 'unlink':
      return unlinking(context, step.name, { mustExist: false });
    case 'rename':
      return renaming(context, step.name, step.to);
    case 'describe':
      return describing(context, step.name, valued(step.value));
  }
}

function valued(value: number): Metadata {
  return new Map([['v', BigInt(value)]]);
}

type Model = Map<string, { readonly child: Child; readonly value: number | undefined }>;

/** Does the step on a model. @returns whether it was done. */
function doneInModel(model: Model, step: Step): boolean {
  const old = model.get(step.name);
  switch (step.kind) {
    case 'link': {
      const isKept = step.overwrite === 'nothing' || (step.overwrite === 'files' && old?.child === directory);
      if (old !== undefined && isKept) return false;
      model.set(step.name, { child: choices[step.child] ?? file, value: old?.value });
      return true;
    }
    case 'unlink':
      model.delete(step.name);
      return true;
    case 'rename':
      if (step.name === step.to) return true;
      if (old === undefined) return false;
      model.set(step.to, old);
      model.delete(step.name);
      return true;
    case 'describe':
      if (old === undefined) return false;
      model.set(step.name, { child: old.child, value: step.value });
      return true;
  }
}

function isAsModelled(contents: Uint8Array, model: Model): boolean {
  const { entries } = unpackDirectory(crypto, access, contents);
  return (
    entries.size === model.size &&
    [...model].every(([name, { child, value }]) => {
      const entry = entries.get(name);
      if (entry === undefined || !equalChildren(crypto, entry.child, child)) return false;
      return entry.metadata.get('v') === (value === undefined ? undefined : BigInt(value));
    })
  );
}

t.test('changes that met are all there, as if they had been done one after the other', async (t) => {
  fc.assert(
    fc.property(fc.array(attempt, { maxLength: 12 }), fc.array(step, { maxLength: 24 }), (attempts, others) => {
      let clock = 0;
      let contents: Uint8Array = empty;
      const context = { crypto, nowSeconds: () => ++clock };
      const model: Model = new Map();
      const doneByOther = (): void => {
        const other = others.pop();
        if (other !== undefined && doneInModel(model, other)) contents = done(contents, changeOf(context, other));
      };
      for (const { step, lost, came } of attempts) {
        const change = changeOf(context, step);
        const attempt = (isFirst: boolean): Uint8Array | undefined => {
          try {
            return done(contents, change, isFirst);
          } catch (error) {
            if (isTahoeError(error, 'ERR_CHILD_EXISTS', 'ERR_NO_SUCH_CHILD')) return undefined;
            throw error;
          }
        };
        const commit = (made: Uint8Array): void => {
          contents = made;
          doneInModel(model, step);
        };
        let made = attempt(true);
        for (let i = 0; i < lost && made !== undefined; i++) {
          if (came && i === 0) commit(made);
          else doneByOther();
          made = attempt(false);
        }
        if (made !== undefined) commit(made);
      }
      return isAsModelled(contents, model);
    }),
  );
  t.pass();
});

t.test('a change costs what it touches, not what is there', async (t) => {
  const costs = [100, 10_000].map((count) => {
    const entries = Array.from({ length: count }, (_, i) => ({
      name: `entry ${String(i)}`,
      child: i % 10 === 0 ? file : otherFile,
      metadata: new Map(),
    }));
    const contents = packDirectory(crypto, access, entries);
    const counting = countingCrypto();
    const edit = new DirectoryEdit(counting, access, contents);
    const context = { crypto: counting, nowSeconds: () => 1 };
    linking(context, [
      { name: 'new', child: file },
      { name: 'entry 50', child: otherFile },
    ])(edit, true);
    unlinking(context, 'entry 7')(edit, true);
    t.equal(splitDirectory(edit.finish() ?? empty).size, count);
    const changing = counting.count;
    unpackDirectory(counting, access, contents);
    return { changing, listingEach: (counting.count - changing) / count };
  });
  t.same(costs[0], costs[1]);
  t.ok((costs[1]?.changing ?? 99) < 60, JSON.stringify(costs[1]));
  t.ok((costs[1]?.listingEach ?? 99) < 10);
});
