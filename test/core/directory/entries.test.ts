/** Entries, names, capabilities in slots: the reference's bytes both ways, then what must be refused. */
import t from 'tap';
import fc from 'fast-check';
import { inspect } from 'node:util';
import { concat, equalBytes, fromUtf8, toHex, utf8 } from '#core/bytes.js';
import {
  childOfSlots,
  childOfText,
  dangerouslyFormatChild,
  equalChildren,
  objectionToImmutable,
  readOnlyChild,
  storedReadSlot,
  typeOfChild,
} from '#core/directory/child.js';
import {
  DIRECTORY_SIZE_MAX,
  ENTRY_COUNT_MAX,
  joinEntries,
  openEntry,
  packDirectory,
  packEntry,
  splitDirectory,
  unpackDirectory,
  writeSlotOf,
} from '#core/directory/entries.js';
import type { DirectoryAccess, DirectoryEntry, NewEntry, StoredEntry } from '#core/directory/entries.js';
import { formatPythonJson } from '#core/directory/json-format.js';
import { updateMetadata } from '#core/directory/metadata.js';
import { compareNames, decodeName, NAME_SIZE_MAX, normalizeName } from '#core/directory/names.js';
import { isWriteSlotGenuine, openWriteSlot, sealWriteSlot } from '#core/directory/write-slot.js';
import { encodeNetstring } from '#core/netstring.js';
import { crypto } from '../../fixtures/crypto.js';
import { childOf, directoryVectors, metadataOf, newEntry } from '../../fixtures/directory-vectors.js';
import type { EntryText, SlotAnswer } from '../../fixtures/directory-vectors.js';
import { fromText } from '../../fixtures/mutable-vectors.js';
import { fromHex } from '../../fixtures/vectors.js';

const writeKey = Uint8Array.from({ length: 16 }, (_, i) => i);
const writing = { kind: 'write', writeKey } as const;
const reading = { kind: 'read' } as const;
const immutable = { kind: 'immutable' } as const;
const metadata = new Map();

function textOf({ name, child, metadata }: NewEntry): EntryText {
  const { write = null, read = null } = dangerouslyFormatChild(crypto, child);
  return { name, write, read, metadata: formatPythonJson(metadata) };
}

function listing(access: DirectoryAccess, contents: Uint8Array): EntryText[] {
  return [...unpackDirectory(crypto, access, contents).entries.values()].map(textOf);
}

t.test('names are sorted by code point in normal form C', async (t) => {
  const { given, order } = directoryVectors.names;
  const sorted = [...new Set(given.map(normalizeName))].sort(compareNames);
  t.same(
    sorted.map((name) => toHex(utf8(name))),
    order,
  );
  t.ok(compareNames('\u{1f600}', '\uff21') > 0, 'JavaScript alone would say otherwise');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
      return Math.sign(compareNames(a, b)) === Math.sign(Buffer.compare(utf8(a), utf8(b)));
    }),
  );
});

t.test('names without UTF-8 and names too long are refused', async (t) => {
  for (const name of [
    '\ud800',
    'a\udfff',
    '\udc00\ud800',
    'x'.repeat(NAME_SIZE_MAX + 1),
    'é'.repeat(NAME_SIZE_MAX / 2 + 1),
  ]) {
    t.throws(() => normalizeName(name), { code: 'ERR_CHILD_NAME' }, name.slice(0, 4));
  }
  t.equal(normalizeName('x'.repeat(NAME_SIZE_MAX)).length, NAME_SIZE_MAX);
  for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]]) {
    t.throws(() => decodeName(new Uint8Array(bytes)), { code: 'ERR_CHILD_NAME' }, String(bytes));
  }
  t.throws(() => decodeName(new Uint8Array(NAME_SIZE_MAX + 1)), { code: 'ERR_CHILD_NAME' });
  t.equal(decodeName(utf8('e\u0302')), '\u00ea');
});

t.test('metadata of a link follow its rules', async (t) => {
  const parsed = (text: string | null) => (text === null ? undefined : metadataOf(text));
  const wrong = directoryVectors.updates.filter((each) => {
    const updated = updateMetadata(parsed(each.old), parsed(each.new), directoryVectors.now);
    return formatPythonJson(updated) !== each.result;
  });
  t.same(wrong, []);
  t.equal(
    formatPythonJson(updateMetadata(metadataOf('{"tahoe": 5}'), undefined, 1)),
    '{"tahoe": {"linkcrtime": 1.0, "linkmotime": 1.0}}',
  );
});

t.test('write slots are sealed to the same bytes', async (t) => {
  for (const { key, plain, bytes } of directoryVectors.sealed) {
    const slot = sealWriteSlot(crypto, fromHex(key), utf8(plain));
    t.same(slot, fromText(bytes));
    t.same(openWriteSlot(crypto, fromHex(key), slot), utf8(plain));
    t.ok(isWriteSlotGenuine(crypto, fromHex(key), slot));
    t.notOk(isWriteSlotGenuine(crypto, fromHex(key).fill(7), slot), 'with another key');
    for (const at of [0, slot.length - 33, slot.length - 1]) {
      const damaged = slot.map((byte, i) => (i === at ? byte ^ 1 : byte));
      t.notOk(isWriteSlotGenuine(crypto, fromHex(key), damaged), `with byte ${String(at)} changed`);
    }
  }
  for (const size of [0, 1, 16, 47]) {
    t.equal(openWriteSlot(crypto, writeKey, new Uint8Array(size)).length, 0);
    t.notOk(isWriteSlotGenuine(crypto, writeKey, new Uint8Array(size)));
  }
});

/** What differs from the reference's answer; undefined when nothing does. */
function differenceOf(answer: SlotAnswer): string | undefined {
  const { write, read, deepImmutable } = answer;
  const child = childOfText({ write: write ?? '', read: read ?? '' }, { deepImmutable });
  if (answer.error !== undefined) return child.kind === 'refused' ? undefined : 'it is not refused';
  if (child.kind === 'refused') return `it is refused: ${child.reason}`;
  if ((child.kind === 'unknown') !== (answer.node === 'unknown')) return `it is ${child.kind}`;
  const text = dangerouslyFormatChild(crypto, child);
  if ((text.write ?? null) !== answer.writeUri || (text.read ?? null) !== answer.readUri) return JSON.stringify(text);
  const stored = [false, true].map((immutable) => fromUtf8(storedReadSlot(utf8(text.read ?? ''), immutable)));
  if (String(stored) !== String(answer.stored)) return `it is stored as ${String(stored)}`;
  const objection = objectionToImmutable(child);
  // The reference puts these two into an immutable directory and hides them when it reads it.
  const isHidden = /^(ro\.)?x-tahoe-future/.test(text.read ?? '');
  if ((objection === undefined) !== (answer.immutableAllowed === true && !isHidden)) return String(objection);
  return undefined;
}

t.test('what two capabilities make is what the reference makes of them', async (t) => {
  // Of a CHK verify capability the reference makes a node that nothing can be done with.
  const answers = directoryVectors.slots.filter(({ node }) => node !== 'ciphertext');
  const differences = answers.flatMap((answer) => {
    const difference = differenceOf(answer);
    return difference === undefined ? [] : [[answer.write, answer.read, answer.deepImmutable, difference]];
  });
  t.same(differences, []);
  t.ok(answers.length > 500);
});

t.test('a verify capability is carried along where it stands, and cannot be linked alone', async (t) => {
  for (const { write, node, deepImmutable } of directoryVectors.slots) {
    if (node !== 'ciphertext' || write === null) continue;
    t.equal(childOfText({ read: write }, { deepImmutable }).kind, 'unknown');
    if (/^URI/.test(write)) t.match(childOfText({ write }, { deepImmutable }), { kind: 'refused' });
  }
});

t.test('what is no UTF-8 stays as it is in an unknown child', async (t) => {
  const read = new Uint8Array([0x80, 0xff, 0x20, 0x41]);
  const child = childOfSlots({ write: new Uint8Array(0), read }, { deepImmutable: false });
  if (child.kind !== 'unknown') throw new Error('it is unknown');
  const contents = packDirectory(crypto, writing, [{ name: 'x', child, metadata }]);
  const [entry] = unpackDirectory(crypto, writing, contents).entries.values();
  t.ok(entry && equalChildren(crypto, entry.child, child));
  t.match(dangerouslyFormatChild(crypto, child).read, /^ro\.\ufffd/);
  t.notMatch(inspect(child, { depth: 9 }), /128/, 'and is not shown');
});

t.test('directories are packed to the same bytes and read the same', async (t) => {
  for (const { children, packed, asWriter, asReader } of directoryVectors.directories) {
    const contents = fromText(packed);
    t.same(packDirectory(crypto, writing, children.map(newEntry)), contents);
    t.same(listing(writing, contents), asWriter);
    t.same(listing(reading, contents), asReader);
    const stored = splitDirectory(contents);
    t.same(joinEntries(stored.values()), contents, 'entries that nobody touched keep their bytes');
    for (const entry of stored.values()) t.ok(isWriteSlotGenuine(crypto, writeKey, writeSlotOf(entry)));
  }
});

t.test('immutable directories are packed to the same bytes and read the same', async (t) => {
  for (const { children, packed, listing: expected } of directoryVectors.immutable.made) {
    t.same(packDirectory(crypto, immutable, children.map(newEntry)), fromText(packed));
    t.same(listing(immutable, fromText(packed)), expected);
  }
  for (const text of directoryVectors.immutable.refused) {
    const child = childOf(text, null);
    t.throws(() => packDirectory(crypto, immutable, [{ name: 'x', child, metadata }]), {
      code: 'ERR_CHILD_CAPABILITY',
    });
  }
  const both = childOf('x-tahoe-future-test-writeable:1', 'x-tahoe-future-test-mutable:1');
  t.throws(() => packEntry(crypto, immutable, { name: 'x', child: both, metadata }), { code: 'ERR_CHILD_CAPABILITY' });
  const changing = readOnlyChild(crypto, both);
  t.throws(() => packEntry(crypto, immutable, { name: 'x', child: changing, metadata }), {
    code: 'ERR_CHILD_CAPABILITY',
  });
});

t.test('a reader sees nothing that writes', async (t) => {
  for (const { packed, asWriter } of directoryVectors.directories) {
    const seen = new Map(listing(reading, fromText(packed)).map((entry) => [entry.name, entry]));
    for (const { name, write } of asWriter) {
      const entry = seen.get(name);
      t.equal(entry?.write, null, name);
      if (write !== null) t.not(entry?.read, write);
    }
  }
});

t.test('a child made read-only', async (t) => {
  for (const { children } of directoryVectors.directories) {
    for (const { write, read } of children) {
      const child = childOf(write, read);
      const weaker = readOnlyChild(crypto, child);
      t.equal(dangerouslyFormatChild(crypto, weaker).write, undefined);
      t.equal(dangerouslyFormatChild(crypto, weaker).read, dangerouslyFormatChild(crypto, child).read);
      t.equal(typeOfChild(weaker), typeOfChild(child));
    }
  }
});

const children = directoryVectors.directories.flatMap((each) => each.children.map(newEntry));
const entries = fc.uniqueArray(
  fc.record({
    name: fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...directoryVectors.names.given)),
    child: fc.constantFrom(...children.map(({ child }) => child)),
    metadata: fc.constantFrom(...children.map(({ metadata }) => metadata)),
  }),
  { selector: ({ name }) => normalizeName(name), maxLength: 12 },
);

t.test('what is packed is unpacked', async (t) => {
  fc.assert(
    fc.property(entries, (given) => {
      const contents = packDirectory(crypto, writing, given);
      const { entries: unpacked, refused } = unpackDirectory(crypto, writing, contents);
      const same = given.every(({ name, child, metadata }) => {
        const entry: DirectoryEntry | undefined = unpacked.get(normalizeName(name));
        if (entry === undefined) return false;
        return (
          equalChildren(crypto, entry.child, child) && formatPythonJson(entry.metadata) === formatPythonJson(metadata)
        );
      });
      return (
        same &&
        refused.length === 0 &&
        unpacked.size === given.length &&
        equalBytes(joinEntries(splitDirectory(contents).values()), contents)
      );
    }),
  );
  t.pass();
});

function entryBytes(...fields: (string | Uint8Array)[]): Uint8Array {
  const bytes = fields.map((field) => encodeNetstring(typeof field === 'string' ? utf8(field) : field));
  return encodeNetstring(concat(...bytes));
}

t.test('damage has a name and a place', async (t) => {
  const good = entryBytes('a', 'URI:LIT:', '', '{}');
  const cases: [RegExp, Uint8Array][] = [
    [/in entry 0, this is not a netstring/, utf8('hello')],
    [/in entry 1, this is not a netstring/, concat(good, utf8('9:short,'))],
    [/in entry 0, this is not a netstring/, encodeNetstring(utf8('nothing inside'))],
    [/in entry 0, .* not UTF-8/, entryBytes(new Uint8Array([0xff]), '', '', '{}')],
    [/in entry "a", this is not a netstring/, entryBytes('a', 'URI:LIT:', '')],
    [/in entry "a", this is not the JSON/, entryBytes('a', 'URI:LIT:', '', 'x')],
    [/in entry "a", its metadata is no object/, entryBytes('a', 'URI:LIT:', '', '[]')],
  ];
  for (const [message, contents] of cases) {
    t.throws(() => unpackDirectory(crypto, reading, contents), { code: 'ERR_DIRECTORY', message });
  }
  const sealed = entryBytes('a', 'URI:LIT:', new Uint8Array(48), '{}');
  t.throws(() => unpackDirectory(crypto, immutable, sealed), { code: 'ERR_DIRECTORY', message: /write slot/ });
});

t.test('what is odd but harmless is read', async (t) => {
  const [stored] = splitDirectory(entryBytes('a', 'URI:LIT:me  ', '', '{}', 'of a later release')).values();
  t.ok(stored);
  const odd = entryBytes('a', 'URI:LIT:me  ', '', '{}', 'of a later release');
  t.match(listing(writing, odd), [{ name: 'a', write: null, read: 'URI:LIT:me' }]);
  t.same(joinEntries(splitDirectory(odd).values()), odd, 'and what follows the four fields is kept');
  const twice = concat(entryBytes('e\u0302', 'URI:LIT:', '', '{}'), entryBytes('\u00ea', 'URI:LIT:me', '', '{}'));
  t.match(listing(writing, twice), [{ name: '\u00ea', read: 'URI:LIT:me' }], 'of two equal names the last counts');
});

t.test('whatever their order was, entries are listed and packed in that of their names', async (t) => {
  const [a, b] = ['a', 'b'].map((name) => entryBytes(name, 'URI:LIT:', '', '{}'));
  const reversed = concat(b ?? utf8(''), a ?? utf8(''));
  t.match(listing(reading, reversed), [{ name: 'a' }, { name: 'b' }]);
  t.same(joinEntries(splitDirectory(reversed).values()), concat(a ?? utf8(''), b ?? utf8('')));
});

t.test('entries that break a rule are hidden, not lost', async (t) => {
  const contents = concat(
    entryBytes(
      'a',
      'ro.' + 'URI:SSK:aaaqeayeaudaocajbifqydiob4:mrswmz3infvgw3dnnzxxa4lson2hk5txpb4xu634pv7h7aebqkbq',
      '',
      '{}',
    ),
    entryBytes('b', 'URI:LIT:', '', '{}'),
    entryBytes('c', '', sealWriteSlot(crypto, writeKey, utf8('URI:FUTURE:1')), 'not even JSON'),
  );
  const { entries, refused } = unpackDirectory(crypto, writing, contents);
  t.same([...entries.keys()], ['b']);
  t.match(refused, [
    { name: 'a', reason: /grants writing/ },
    { name: 'c', reason: /not known here/ },
  ]);
  t.same(joinEntries(splitDirectory(contents).values()), contents);
});

t.test('limits', async (t) => {
  t.throws(() => splitDirectory(new Uint8Array(DIRECTORY_SIZE_MAX + 1)), { code: 'ERR_TOO_LARGE' });
  const one = encodeNetstring(encodeNetstring(new Uint8Array(0)));
  const many = new Uint8Array(one.length * (ENTRY_COUNT_MAX + 2));
  for (let i = 0; i < many.length; i += one.length) many.set(one, i);
  t.throws(() => splitDirectory(many), { code: 'ERR_DIRECTORY', message: /more than 200000 entries/ });
  const stored = Array<StoredEntry>(ENTRY_COUNT_MAX + 1).fill({ name: '', packed: new Uint8Array(0) });
  t.throws(() => joinEntries(stored), { code: 'ERR_TOO_MANY' });
  t.throws(() => joinEntries([{ name: '', packed: new Uint8Array(DIRECTORY_SIZE_MAX) }]), { code: 'ERR_TOO_LARGE' });

  const [heavy] = splitDirectory(entryBytes('a', 'URI:LIT:', '', '{"x": [0, 0, 0]}')).values();
  if (heavy === undefined) throw new Error('there is an entry');
  const budget = { valuesLeft: 9 };
  t.match(openEntry(crypto, reading, heavy, budget), { name: 'a' });
  t.throws(() => openEntry(crypto, reading, heavy, budget), {
    code: 'ERR_DIRECTORY',
    message: /in entry "a".*too many values/,
  });
});
