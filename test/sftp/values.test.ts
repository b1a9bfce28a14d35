/** What is told of files, where paths lead, who may log in: values without a grid. */
import t from 'tap';
import { utf8 } from '#core/bytes.js';
import { requireCapability } from '#core/capability/parse.js';
import type { Child } from '#core/directory/child.js';
import type { JsonValue } from '#core/directory/json-value.js';
import { parseAccounts } from '#sftp/accounts.js';
import { attributesOf, metadataWith } from '#sftp/attributes.js';
import { longNameOf } from '#sftp/long-name.js';
import { openMode } from '#sftp/opening.js';
import { parsePath, realPath } from '#sftp/paths.js';
import { encodeSpace, spaceOf, spaceTable } from '#sftp/space.js';

const LITERAL = 'URI:LIT:krugkidfnzsc4';
const DIRECTORY = 'URI:DIR2:aaaaaaaaaaaaaaaaaaaaaaaaaa:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';

t.test('paths', async (t) => {
  const real = (path: string): string => Buffer.from(realPath(utf8(path))).toString();
  t.equal(real(''), '/');
  t.equal(real('.'), '/');
  t.equal(real('a/b/'), '/a/b');
  t.equal(real('/a/./b/../c//d'), '/a/c/d');
  t.equal(real('../../x'), '/x');
  t.equal(real('/ü'), '/ü');
  t.throws(() => realPath(new Uint8Array([0x2f, 0xff])), { code: 'ERR_SFTP', facts: { status: 'noSuchFile' } });
  t.throws(() => parsePath(utf8('/uri')), { code: 'ERR_SFTP' });
  t.match(parsePath(utf8(`/uri/${LITERAL}/x/y`)), { root: { kind: 'lit' }, names: ['x', 'y'] });
  t.match(parsePath(utf8('/uri/nonsense')), { root: { kind: 'unknown' }, names: [] });
  t.match(parsePath(utf8('/a/uri')), { root: undefined, names: ['a', 'uri'] });
});

t.test('attributes follow from the capability, its directory and its metadata', async (t) => {
  const child = requireCapability(LITERAL);
  const system: JsonValue = new Map([['linkmotime', 12.7]]);
  const metadata = new Map<string, JsonValue>([
    ['mtime', 5],
    ['tahoe', system],
  ]);
  t.strictSame(attributesOf(child, { isParentReadOnly: false, metadata }), { size: 8, mode: 0o100666, mtime: 12 });
  t.strictSame(attributesOf(child, { isParentReadOnly: true, metadata: new Map([['mtime', 5]]) }), {
    size: 8,
    mode: 0o100444,
    mtime: 5,
  });
  const kept = new Map<string, JsonValue>([['no-write', true]]);
  t.match(attributesOf(child, { isParentReadOnly: false, metadata: kept }), { mode: 0o100444 });
  const directory = requireCapability(DIRECTORY);
  t.strictSame(attributesOf(directory, { isParentReadOnly: true, metadata: undefined }), {
    mode: 0o040777,
    mtime: undefined,
  });
  const unknown: Child = { kind: 'unknown', slots: { read: new Uint8Array(0), write: new Uint8Array(0) } };
  t.match(attributesOf(unknown, { isParentReadOnly: false, metadata: undefined }), { mode: 0 });
});

t.test('what is set is kept, and other metadata too', async (t) => {
  const old = new Map<string, JsonValue>([
    ['note', 'x'],
    ['no-write', true],
  ]);
  t.strictSame(
    [...metadataWith(old, { mtime: 9 })],
    [
      ['note', 'x'],
      ['no-write', true],
      ['mtime', 9],
    ],
  );
  t.strictSame([...metadataWith(old, { mode: 0o644 })], [['note', 'x']]);
  t.strictSame([...metadataWith(new Map(), { mode: 0o444 })], [['no-write', true]]);
});

t.test('lines of a listing', async (t) => {
  const now = 1_700_000_000;
  t.equal(
    longNameOf('x', { mode: 0o100644, size: 12, mtime: now }, now),
    '-rw-r--r--    1 tahoe    tahoe          12 Nov 14 22:13 x',
  );
  t.equal(longNameOf('d', { mode: 0o040777 }, now), 'drwxrwxrwx    1 tahoe    tahoe           0 Jan 01  1970 d');
  t.match(longNameOf('?', { mode: 0 }, now), /^\?---------/);
});

t.test('flags that contradict each other', async (t) => {
  t.throws(() => openMode(8), { code: 'ERR_SFTP', facts: { status: 'badMessage' } });
  t.throws(() => openMode(2 | 32), { code: 'ERR_SFTP', facts: { status: 'badMessage' } });
  t.match(openMode(2 | 8 | 16), { reads: false, writes: true, creates: true, truncates: true, isExclusive: false });
});

t.test('room is what servers tell of, and plenty where they tell nothing', async (t) => {
  const view = (bytes: Uint8Array): bigint[] =>
    Array.from({ length: 11 }, (_, i) => Buffer.from(bytes).readBigUInt64BE(8 * i));
  t.strictSame(view(encodeSpace(spaceOf(10_000_000), false)).slice(0, 5), [1024n, 1024n, 9765n, 9765n, 9765n]);
  t.strictSame(view(encodeSpace(spaceOf(undefined), false)).slice(2, 5), [628318530n, 314159265n, 314159265n]);
  t.strictSame(view(encodeSpace(spaceOf(0), true)).slice(8), [0x1af5n, 3n, 65535n]);
  t.match(spaceTable(spaceOf(undefined)), 'tahoe                   628318530 314159265 314159265      50% /');
  t.match(spaceTable(spaceOf(0)), /0% \//);
});

t.test('accounts', async (t) => {
  const accounts = parseAccounts(
    `# nobody\n\n alice ${KEY} her@laptop ${DIRECTORY} \nbob ${KEY} ${DIRECTORY}\n`,
    'accounts',
  );
  t.strictSame([...accounts.keys()], ['alice', 'bob']);
  t.match(accounts.get('alice'), { publicKey: KEY, line: 3, root: { kind: 'directory' } });
});

t.test('accounts that are wrong name their line and no secret', async (t) => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    [`alice password ${DIRECTORY}`, /line 1: Password-based authentication is not supported/],
    [`\nalice ${KEY}`, /line 2: NAME KEYTYPE BASE64 ROOTCAP/],
    [`alice ssh-dss AAAA ${DIRECTORY}`, /keys of type ssh-dss are not taken/],
    [`alice ${KEY} URI:DIR2:aaaa:bbbb`, /line 1: the last word is no root capability/],
    [`alice ${KEY} ${LITERAL}`, /must be the capability of a directory/],
  ];
  for (const [text, pattern] of wrong) {
    t.throws(() => parseAccounts(text, 'private/accounts'), { code: 'ERR_CONFIG', message: pattern });
    try {
      parseAccounts(text, 'private/accounts');
    } catch (error) {
      t.notMatch(String(error), /AAAAC3|aaaa|krug/, 'it repeats neither key nor capability');
    }
  }
});
