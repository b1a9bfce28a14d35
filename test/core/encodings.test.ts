/** Base32, netstrings, byte readers: the reference's answers, properties, damage. */
import t from 'tap';
import fc from 'fast-check';
import { formatBase32, parseBase32 } from '#core/base32.js';
import { ByteReader, ByteWriter, equalBytes, toHex } from '#core/bytes.js';
import { decodeNetstring, encodeNetstring } from '#core/netstring.js';
import { fromHex, readVectors } from '../fixtures/vectors.js';

const vectors = readVectors<{ base32: [string, string][]; netstring: [string, string][] }>('reference.json');
const bytes = fc.uint8Array({ maxLength: 80 });

t.test('base32 is the reference’s', async (t) => {
  for (const [hex, text] of vectors.base32) {
    t.equal(formatBase32(fromHex(hex)), text);
    t.equal(toHex(parseBase32(text)), hex);
  }
});

t.test('base32 comes back, and no other text gives the same bytes', async (t) => {
  fc.assert(fc.property(bytes, (value) => equalBytes(parseBase32(formatBase32(value)), value)));
  const alphabet = fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz234567AZ01=-');
  fc.assert(
    fc.property(fc.string({ unit: alphabet, maxLength: 30 }), (text) => {
      try {
        return formatBase32(parseBase32(text)) === text;
      } catch (error) {
        return (error as { code: string }).code === 'ERR_BASE32';
      }
    }),
  );
  for (const text of ['a', 'aaa', 'aaaaaa', 'ab', 'A', 'a=', 'aé'])
    t.throws(() => parseBase32(text), { code: 'ERR_BASE32' });
});

t.test('netstrings are the reference’s', async (t) => {
  for (const [content, framed] of vectors.netstring) {
    t.equal(toHex(encodeNetstring(fromHex(content))), framed);
    t.equal(toHex(decodeNetstring(fromHex(framed)).content), content);
  }
});

t.test('netstrings come back; anything cut or changed at the frame is refused', async (t) => {
  fc.assert(
    fc.property(bytes, fc.nat(5), (value, offset) => {
      const framed = new Uint8Array([...new Uint8Array(offset), ...encodeNetstring(value), 1, 2]);
      const { content, end } = decodeNetstring(framed, offset);
      return equalBytes(content, value) && end === framed.length - 2;
    }),
  );
  const framed = encodeNetstring(new Uint8Array(12));
  for (let size = 0; size < framed.length; size++) {
    t.throws(() => decodeNetstring(framed.subarray(0, size)), { code: 'ERR_NETSTRING' });
  }
  for (const text of [':,', '01:a,', '-1:a,', '1:a;', 'x:a,', '99999999999999999:a,', '1e1:aaaaaaaaaa,']) {
    t.throws(() => decodeNetstring(new TextEncoder().encode(text)), { code: 'ERR_NETSTRING' }, text);
  }
});

t.test('fields are big-endian and never rounded', async (t) => {
  const written = new ByteWriter()
    .uint16(0x0102)
    .uint32(0x03040506)
    .uint64(2 ** 53 - 1)
    .bytes(new Uint8Array([9]))
    .finish();
  t.equal(toHex(written), '0102' + '03040506' + '001fffffffffffff' + '09');
  const reader = new ByteReader(written);
  t.same(
    [reader.uint16(), reader.uint32(), reader.uint64(), reader.uint8(), reader.left],
    [0x0102, 0x03040506, 2 ** 53 - 1, 9, 0],
  );
  t.throws(() => reader.uint8(), { code: 'ERR_TRUNCATED', facts: { wanted: 1, left: 0 } });
  t.throws(() => new ByteReader(fromHex('0020000000000000')).uint64(), { code: 'ERR_SHARE_LAYOUT' });
});
