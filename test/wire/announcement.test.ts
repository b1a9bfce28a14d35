/** Announcements and servers.yaml: the reference's reading of them, damage, bombs, and coming back. */
import { inspect, isDeepStrictEqual } from 'node:util';
import t from 'tap';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { toHex } from '#core/bytes.js';
import { isTahoeError } from '#core/errors.js';
import { shortNameOf } from '#client/storage-server.js';
import { crypto } from '#test/fixtures/crypto.js';
import { readVectors } from '#test/fixtures/vectors.js';
import {
  dangerouslyFormatServersYaml,
  NURL_COUNT_MAX,
  parseServersYaml,
  PLUGIN_COUNT_MAX,
  SERVER_COUNT_MAX,
  SERVERS_FILE_SIZE_MAX,
} from '#wire/announcement.js';
import type { ServerList } from '#wire/announcement.js';
import { parseNurl } from '#wire/nurl.js';

const vectors = readVectors<{
  'servers.yaml': string;
  servers: {
    serverId: string;
    nickname: string;
    permutationSeed: string;
    tubId: string;
    shortName: string;
    nurls: number;
  }[];
}>('servers.json');

const HASH = 'JIj6ezHkdSBlHhrnezAgIC_mrVQHy4KAFyL-8ZNPGPM';
const TUB_ID = 'yyqljot5wrgnka4323b2f6ok5biqtkyi';
const FURL = `pb://${TUB_ID}@tcp:127.0.0.1:1/secretswissnum`;
const NURL = `pb://${HASH}@127.0.0.1:1/secretswissnum#v=1`;
const good = { nickname: 'n', 'anonymous-storage-FURL': FURL, 'anonymous-storage-NURLs': [NURL] };

const parse = (text: string): ServerList => parseServersYaml(text, 'servers.yaml', crypto);
const parseOne = (ann: unknown, id = 'one'): ServerList => parse(stringify({ storage: { [id]: { ann } } }));

t.test('a file that PyYAML wrote reads as the reference reads it', async (t) => {
  const { servers, skipped } = parse(vectors['servers.yaml']);
  t.same(skipped, []);
  const seen = servers.map(({ serverId, nickname, permutationSeed, tubId, nurls }) => ({
    serverId,
    nickname,
    permutationSeed: toHex(permutationSeed),
    tubId: toHex(tubId),
    shortName: shortNameOf(serverId),
    nurls: nurls.length,
  }));
  t.strictSame(seen, vectors.servers);
  t.equal(servers[1]?.nurls[0]?.authority, '[::1]:65535');
  t.same(
    servers[2]?.nurls.map(({ tor }) => tor),
    [false, true],
  );
});

t.test('what is written is read again', async () => {
  const entry = fc.record({
    serverId: fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme' }),
    nickname: fc.string({ maxLength: 60, unit: 'grapheme' }),
    permutationSeed: fc.uint8Array({ minLength: 1, maxLength: 52 }),
  });
  fc.assert(
    fc.property(fc.uniqueArray(entry, { maxLength: 5, selector: ({ serverId }) => serverId }), (entries) => {
      const nurls = [parseNurl(NURL)];
      const text = dangerouslyFormatServersYaml(entries.map((one) => ({ ...one, furl: FURL, nurls })));
      const { servers, skipped } = parse(text);
      const seen = servers.map((server) => ({
        serverId: server.serverId,
        nickname: server.nickname,
        permutationSeed: server.permutationSeed,
      }));
      const byId = (a: { serverId: string }, b: { serverId: string }): number => (a.serverId < b.serverId ? -1 : 1);
      const sameNurls = servers.every((server) => server.nurls[0]?.dangerouslyFormat() === NURL);
      const expected = entries.map((one) => ({ ...one }));
      return skipped.length === 0 && sameNurls && isDeepStrictEqual(seen.sort(byId), expected.sort(byId));
    }),
  );
});

t.test('an empty file names no servers', async (t) => {
  for (const text of ['', '# nothing yet\n', '---\n', 'storage:\n', 'storage: {}\n', 'storage: ~\nother: [1]\n']) {
    t.strictSame(parse(text), { servers: [], skipped: [] }, inspect(text));
  }
});

t.test('storage plugins are named, and anonymous access beside them is used', async (t) => {
  const option = { name: 'zkap-v2', 'storage-server-FURL': FURL.replace('secretswissnum', 'other') };
  const both = parseOne({ ...good, 'storage-options': [option, { name: 'x' }] }).servers[0];
  t.match(both, { plugins: ['zkap-v2', 'x'], nurls: [{ authority: '127.0.0.1:1' }] });
  t.ok(both?.furl);
  const only = parseOne({ nickname: 'n', 'anonymous-storage-NURLs': [NURL], 'storage-options': [option] }).servers[0];
  t.match(only, { plugins: ['zkap-v2'], tubId: both?.tubId ?? new Uint8Array() });
  t.strictSame(only?.nurls, []);
  t.equal(only?.furl, undefined, 'the address of a plugin is never taken for an anonymous one');
  for (const none of [undefined, null, 'x', {}, [], [1], [null], [{}], [{ name: {} }]])
    t.equal(parseOne({ ...good, 'storage-options': none }).servers[0]?.plugins, undefined);
  const many = parseOne({ ...good, 'storage-options': Array.from({ length: 99 }, () => ({ ...option })) }).servers[0];
  t.equal(many?.plugins?.length, PLUGIN_COUNT_MAX);
  t.match(parseOne({ 'storage-options': [{ name: 'x' }] }).skipped, [{ reason: /no anonymous-storage-FURL/ }]);
});

t.test('a broken entry costs itself only, and says why', async (t) => {
  const cases: readonly [string, unknown, RegExp][] = [
    ['no entry', null, /the entry is not a map/],
    ['a text', 'x', /the entry is not a map/],
    ['no announcement', {}, /"ann" is not a map/],
    ['a list', { ann: [] }, /"ann" is not a map/],
    ['no FURL', { ann: { ...good, 'anonymous-storage-FURL': undefined } }, /no anonymous-storage-FURL/],
    [
      'a FURL with a short tub id',
      { ann: { ...good, 'anonymous-storage-FURL': 'pb://abc@x/secretswissnum' } },
      /tub id/,
    ],
    ['a FURL with a bad tub id', { ann: { ...good, 'anonymous-storage-FURL': FURL.replace('yy', '11') } }, /tub id/],
    ['a seed that is none', { ann: { ...good, 'permutation-seed-base32': 'not base32!' } }, /permutation-seed-base32/],
    ['an empty seed', { ann: { ...good, 'permutation-seed-base32': '' } }, /permutation-seed-base32/],
    ['a seed that is a map', { ann: { ...good, 'permutation-seed-base32': {} } }, /permutation-seed-base32/],
    ['a nickname that is a list', { ann: { ...good, nickname: [1] } }, /nickname/],
    [`v0-${'1'.repeat(52)}`, { ann: good }, /looks like a key/],
    ['x'.repeat(257), { ann: good }, /server id/],
  ];
  const text = stringify({
    storage: {
      first: { ann: good },
      ...Object.fromEntries(cases.map(([id, entry]) => [id, entry])),
      last: { ann: good },
    },
  });
  const { servers, skipped } = parse(text);
  t.same(
    servers.map(({ serverId }) => serverId),
    ['first', 'last'],
  );
  t.equal(skipped.length, cases.length);
  for (const [position, [id, , reason]] of cases.entries()) {
    t.equal(skipped[position]?.where, id.slice(0, 256));
    t.match(skipped[position]?.reason, reason);
  }
  t.notMatch(JSON.stringify(skipped), /secretswissnum/, 'no reason repeats an address');
});

t.test('addresses that cannot be used are left out; the server stays', async (t) => {
  const bad = NURL.replace('#v=1', '');
  const { servers, skipped } = parseOne({ ...good, 'anonymous-storage-NURLs': [bad, 7, NURL, { a: 1 }] });
  t.equal(servers[0]?.nurls.length, 1);
  t.equal(skipped.length, 3);
  t.notMatch(JSON.stringify(skipped), /secretswissnum/);
  t.match(parseOne({ ...good, 'anonymous-storage-NURLs': 'x' }), { servers: [{ nurls: [] }], skipped: [{}] });
  t.match(parseOne({ ...good, 'anonymous-storage-NURLs': null }), { servers: [{ nurls: [] }], skipped: [] });
  const many = parseOne({ ...good, 'anonymous-storage-NURLs': Array<string>(100).fill(NURL) });
  t.equal(many.servers[0]?.nurls.length, NURL_COUNT_MAX);
  t.equal(many.skipped.length, 1);
});

t.test('text that a person wrote without quotes', async (t) => {
  const { servers } = parse(`storage: {42: {ann: {nickname: yes, anonymous-storage-FURL: "${FURL}"}}}`);
  t.match(servers, [{ serverId: '42', nickname: 'true' }]);
});

t.test('of two entries with one name the last counts, and it is said', async (t) => {
  const entry = (nickname: string): string =>
    `  a: {ann: {nickname: ${nickname}, anonymous-storage-FURL: "${FURL}"}}\n`;
  const { servers, skipped } = parse(`storage:\n${entry('first')}${entry('second')}`);
  t.match(servers, [{ nickname: 'second' }]);
  t.match(skipped, [{ where: 'line 3', reason: /twice/ }]);
});

t.test('a file that is no list of servers is refused with its name', async (t) => {
  const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]', ...'bcdefghij'].reduce(
    (text, name, position, names) =>
      `${text}\n${name}: &${name} [${Array<string>(9)
        .fill(`*${names[position - 1]?.charAt(0) ?? ''}`)
        .join(',')}]`,
  );
  const texts: Readonly<Record<string, string>> = {
    'not YAML': 'storage: [',
    'a tab': 'storage:\n\tx: 1',
    'a list': '- 1',
    'a text': 'hello',
    'no storage': 'servers: {}',
    'storage is a list': 'storage: [1]',
    'two documents': 'storage: {}\n---\nstorage: {}\n',
    'aliases without end': `${bomb}\nstorage: *j\n`,
    'too large': `#${'x'.repeat(SERVERS_FILE_SIZE_MAX)}`,
    'too many servers': stringify({
      storage: Object.fromEntries(Array.from({ length: SERVER_COUNT_MAX + 1 }, (_, n) => [`s${String(n)}`, 1])),
    }),
  };
  for (const [name, text] of Object.entries(texts)) {
    t.throws(() => parse(text), { code: 'ERR_YAML', facts: { file: 'servers.yaml' } }, name);
  }
});

t.test('no text makes anything but a list or an ERR_YAML', async (t) => {
  const damaged = fc
    .record({ at: fc.nat(vectors['servers.yaml'].length), cut: fc.nat(20), put: fc.string({ maxLength: 8 }) })
    .map(({ at, cut, put }) => vectors['servers.yaml'].slice(0, at) + put + vectors['servers.yaml'].slice(at + cut));
  const calm = (text: string): boolean => {
    try {
      return parse(text).servers.every(
        ({ tubId, permutationSeed }) => tubId.length === 20 && permutationSeed.length > 0,
      );
    } catch (error) {
      return isTahoeError(error, 'ERR_YAML');
    }
  };
  fc.assert(fc.property(damaged, calm), { numRuns: 300 });
  fc.assert(fc.property(fc.string(), calm), { numRuns: 300 });
  t.strictSame({}.constructor, Object, 'and nobody’s prototype');
  t.equal(parse(`storage: {__proto__: {ann: {anonymous-storage-FURL: "${FURL}"}}}`).servers[0]?.serverId, '__proto__');
});
