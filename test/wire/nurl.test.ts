/** NURLs: the specification's and the reference's, properties, damage, and that they keep their secret. */
import { inspect, isDeepStrictEqual } from 'node:util';
import t from 'tap';
import fc from 'fast-check';
import { isTahoeError } from '#core/errors.js';
import { Nurl, parseNurl } from '#wire/nurl.js';

const HASH = 'JIj6ezHkdSBlHhrnezAgIC_mrVQHy4KAFyL-8ZNPGPM';

const fields = fc.record({
  tor: fc.boolean(),
  spkiHash: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
  host: fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6()),
  port: fc.integer({ min: 1, max: 65_535 }),
  swissnum: fc.stringMatching(/^[a-z2-7]{1,40}$/),
});

t.test('NURLs as they are announced', async (t) => {
  const cases: readonly [string, Partial<Nurl>][] = [
    [`pb://${HASH}@example.com:8448/abc234#v=1`, { tor: false, host: 'example.com', port: 8448 }],
    [`pb://${HASH}@127.0.0.1:1/abc234#v=1`, { host: '127.0.0.1', port: 1, authority: '127.0.0.1:1' }],
    [`pb://${HASH}@[::1]:65535/abc234#v=1`, { host: '::1', port: 65_535, authority: '[::1]:65535' }],
    [`pb+tor://${HASH}@abcdef.onion:80/abc234#v=1`, { tor: true, host: 'abcdef.onion' }],
  ];
  for (const [text, expected] of cases) {
    const nurl = parseNurl(` ${text}\n`);
    t.match(nurl, { spkiHash: HASH, ...expected });
    t.equal(nurl.dangerousSwissnum(), 'abc234');
    t.equal(nurl.dangerouslyFormat(), text);
  }
});

t.test('what is formatted is parsed to the same, whatever it holds', async () => {
  fc.assert(
    fc.property(fields, (made) => {
      const nurl = new Nurl(made);
      const read = parseNurl(nurl.dangerouslyFormat());
      const { tor, spkiHash, host, port } = read;
      return (
        isDeepStrictEqual({ tor, spkiHash, host, port, swissnum: read.dangerousSwissnum() }, { ...made }) &&
        read.dangerouslyFormat() === nurl.dangerouslyFormat()
      );
    }),
  );
});

t.test('what is no NURL is refused without repeating it', async (t) => {
  const good = `pb://${HASH}@example.com:8448/abc234#v=1`;
  const bad = [
    '',
    good.replace('pb:', 'http:'),
    good.replace('#v=1', ''),
    good.replace('#v=1', '#v=2'),
    good.replace('v=1', 'v=1&w=2'),
    good.replace(HASH, ''),
    good.replace(HASH, HASH.slice(1)),
    good.replace(HASH, `${HASH}A`),
    good.replace(HASH, `${HASH.slice(0, 42)}B`),
    good.replace(HASH, `${HASH.slice(0, 42)}=`),
    good.replace('8448', '0'),
    good.replace('8448', '65536'),
    good.replace('8448', '-1'),
    good.replace(':8448', ''),
    good.replace('example.com', ''),
    good.replace('example.com', 'a b'),
    good.replace('example.com', '::1'),
    good.replace('example.com', 'user@host'),
    good.replace('abc234', ''),
    good.replace('abc234', 'abc/234'),
    good.replace('abc234', 'abc?234'),
    `${good}\npb://`,
  ];
  for (const text of bad) {
    try {
      parseNurl(text);
      t.fail(`accepted: ${text}`);
    } catch (error) {
      t.ok(isTahoeError(error, 'ERR_NURL'), text);
      t.notMatch(inspect(error), /abc.?234|example/);
    }
  }
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        parseNurl(text);
        return false;
      } catch (error) {
        return isTahoeError(error, 'ERR_NURL');
      }
    }),
  );
});

t.test('a NURL shows everything but its secret', async (t) => {
  const nurl = parseNurl(`pb://${HASH}@example.com:8448/abc234#v=1`);
  for (const text of [String(nurl), JSON.stringify({ nurl }), inspect(nurl), inspect({ deep: [nurl] }), `${nurl}`]) {
    t.notMatch(text, /abc234/);
    t.match(text, /example\.com:8448\/\[hidden\]/);
  }
});
