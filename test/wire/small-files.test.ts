/** The messages about many small files: there and back, too large and too many, and damaged in every place. */
import fc from 'fast-check';
import t from 'tap';
import { utf8 } from '#core/bytes.js';
import { encodeNetstring } from '#core/netstring.js';
import { isTahoeError } from '#core/errors.js';
import {
  dangerouslyFormatSmallFilesAnswer,
  decodeSmallFiles,
  encodeSmallFiles,
  parseSmallFilesAnswer,
  SMALL_FILE_SIZE_MAX,
  SMALL_FILES_COUNT_MAX,
  SMALL_FILES_REQUEST_SIZE_MAX,
} from '#wire/small-files.js';
import { seededBytes } from '../fixtures/crypto.js';

const files = [utf8('one'), new Uint8Array(0), seededBytes('three', 300)];

t.test('files', (t) => {
  t.equal(Buffer.from(encodeSmallFiles(files.slice(0, 2))).toString(), '3:one,0:,');
  t.same(decodeSmallFiles(encodeSmallFiles(files)), files);
  const full = Array.from({ length: SMALL_FILES_COUNT_MAX }, () => new Uint8Array(SMALL_FILE_SIZE_MAX));
  t.equal(decodeSmallFiles(encodeSmallFiles(full)).length, SMALL_FILES_COUNT_MAX);
  t.ok(encodeSmallFiles(full).length <= SMALL_FILES_REQUEST_SIZE_MAX);
  for (const bad of [[], [...full, utf8('x')], [new Uint8Array(SMALL_FILE_SIZE_MAX + 1)]])
    t.throws(() => decodeSmallFiles(encodeSmallFiles(bad)), { code: 'ERR_MESSAGE' });
  for (const bad of ['3:one', '3:one,x', '03:one,', '3:on,', ':,', 'one'])
    t.throws(() => decodeSmallFiles(utf8(bad)), { code: 'ERR_NETSTRING' }, bad);
  t.end();
});

t.test('answers', (t) => {
  const answers = [{ capability: 'URI:LIT:mzxw6' }, { status: 507, reason: 'there is no space' }];
  const text = dangerouslyFormatSmallFilesAnswer(answers);
  t.equal(text, '{"files":[{"capability":"URI:LIT:mzxw6"},{"status":507,"reason":"there is no space"}]}\n');
  t.strictSame(parseSmallFilesAnswer(text, 2), answers);
  const bad = ['', 'null', '[]', '{}', '{"files":{}}', '{"files":[null]}', '{"files":[{"status":"500","reason":""}]}'];
  for (const each of [...bad, '{"files":[{"capability":"no URI:"}]}', '{"files":[{"capability":"URI:a b"}]}'])
    t.throws(() => parseSmallFilesAnswer(each, 1), { code: 'ERR_MESSAGE' }, each);
  t.throws(() => parseSmallFilesAnswer(text, 1), { code: 'ERR_MESSAGE' }, 'one more than was sent');
  t.throws(() => parseSmallFilesAnswer(text, 3), { code: 'ERR_MESSAGE' }, 'one less');
  t.end();
});

t.test('any bytes are files or an error with a code', (t) => {
  const near = fc
    .tuple(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 5 }), fc.nat(), fc.nat(255))
    .map(([some, place, byte]) => {
      const bytes = Buffer.concat(some.map(encodeNetstring));
      if (bytes.length > 0) bytes[place % bytes.length] = byte;
      return bytes;
    });
  const isSound = (bytes: Uint8Array): boolean => {
    try {
      return Buffer.from(encodeSmallFiles(decodeSmallFiles(bytes))).equals(bytes);
    } catch (error) {
      return isTahoeError(error, 'ERR_NETSTRING', 'ERR_MESSAGE');
    }
  };
  fc.assert(fc.property(fc.oneof(near, fc.uint8Array()), isSound), { numRuns: 2000 });
  t.end();
});
