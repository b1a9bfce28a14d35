/** The messages of the helper over HTTPS: there and back, however they are cut, and damaged in every place. */
import fc from 'fast-check';
import t from 'tap';
import { formatBase32, parseBase32 } from '#core/base32.js';
import { utf8 } from '#core/bytes.js';
import { isTahoeError, TahoeError } from '#core/errors.js';
import { encodeCbor } from '#wire/cbor.js';
import { EventStreamReader } from '#wire/event-stream.js';
import {
  decodeOfferedFile,
  encodeOfferedFile,
  formatHelperEvent,
  formatHelperFailure,
  HELPER_EVENT_LENGTH_MAX,
  isUploadId,
  parseHelperEvent,
} from '#wire/upload-helper.js';
import type { HelperEvent, OfferedFile } from '#wire/upload-helper.js';
import { seededBytes } from '../fixtures/crypto.js';

const results: HelperEvent = {
  kind: 'results',
  results: {
    uebHash: seededBytes('hash', 32),
    ueb: new Map<string, number | Uint8Array>([
      ['size', 1000],
      ['codec_name', utf8('crs')],
      ['crypttext_hash', seededBytes('crypttext', 32)],
    ]),
    sharemap: new Map([
      [0, new Set(['v0-a'])],
      [1, new Set(['v0-b', 'v0-c'])],
    ]),
    pushedShares: 2,
    preexistingShares: 1,
    ciphertextFetched: 1000,
  },
};
const events: readonly HelperEvent[] = [
  { kind: 'ready' },
  { kind: 'wanted', offset: 2 ** 40, uploadId: 'a'.repeat(26) },
  { kind: 'failed', reason: 'no space' },
  results,
  { ...results, results: { ...results.results, ciphertextFetched: undefined } },
];

function heard(text: string, cut: number): (HelperEvent | undefined)[] {
  const reader = new EventStreamReader(HELPER_EVENT_LENGTH_MAX);
  const bytes = utf8(text);
  const found: (HelperEvent | undefined)[] = [];
  for (let at = 0; at < bytes.length; at += cut)
    found.push(...reader.read(bytes.subarray(at, at + cut)).map(parseHelperEvent));
  return found;
}

t.test('events, there and back', (t) => {
  const text = events.map(formatHelperEvent).join(': \n\n');
  for (const cut of [1, 7, text.length]) t.strictSame(heard(text, cut), events, `in pieces of ${String(cut)}`);
  t.strictSame(heard('event: another\ndata: x\n\n', 100), [undefined], 'of a later release');
  t.end();
});

t.test('files, there and back', (t) => {
  const offered = fc
    .record({ needed: fc.integer({ min: 1, max: 256 }), blocks: fc.integer({ min: 1, max: 1000 }) })
    .chain(({ blocks, needed }) =>
      fc.record({
        needed: fc.constant(needed),
        total: fc.integer({ min: needed, max: 256 }),
        happy: fc.integer({ min: 1, max: 256 }),
        segmentSize: fc.constant(needed * blocks),
        size: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      }),
    );
  fc.assert(
    fc.property(offered, (file: OfferedFile) => {
      const { happy, needed, segmentSize, size, total } = decodeOfferedFile(encodeOfferedFile(file));
      return (
        happy === file.happy &&
        needed === file.needed &&
        segmentSize === file.segmentSize &&
        size === file.size &&
        total === file.total
      );
    }),
  );
  t.end();
});

t.test('damage is an error with a code, or another value', (t) => {
  let refused = 0;
  for (const event of events) {
    const [, data = ''] = /data: (.*)/.exec(formatHelperEvent(event)) ?? [];
    const bytes = parseBase32(data);
    for (let at = 0; at < bytes.length; at++) {
      for (const bad of [bytes.subarray(0, at), bytes.map((byte, i) => (i === at ? byte ^ 0x81 : byte))]) {
        try {
          parseHelperEvent({ event: event.kind, data: formatBase32(bad) });
        } catch (error) {
          if (!isTahoeError(error, 'ERR_CBOR', 'ERR_MESSAGE')) throw error;
          refused += 1;
        }
      }
    }
  }
  t.ok(refused > 400, `${String(refused)} of them are refused`);
  t.throws(() => parseHelperEvent({ event: 'failed', data: '1' }), { code: 'ERR_BASE32' });
  t.end();
});

t.test('results that cannot be', (t) => {
  const field = (key: string, value: unknown) => {
    const right = new Map<string, unknown>([
      ['ciphertext-fetched', null],
      ['preexisting-shares', 0],
      ['pushed-shares', 0],
      ['sharemap', new Map()],
      ['ueb', new Map()],
      ['ueb-hash', new Uint8Array(32)],
    ]);
    return formatBase32(encodeCbor(right.set(key, value) as never));
  };
  const many = (count: number) => Array.from({ length: count }, (_, i) => i);
  t.ok(parseHelperEvent({ event: 'results', data: field('pushed-shares', 4) }));
  for (const [key, value] of [
    ['ueb-hash', new Uint8Array(31)],
    ['ueb-hash', 'text'],
    ['ueb', 5],
    ['ueb', new Map([[5, 5]])],
    ['ueb', new Map([['size', -1]])],
    ['ueb', new Map([['hash', new Uint8Array(1025)]])],
    ['ueb', new Map(many(65).map((i) => [String(i), i]))],
    ['sharemap', null],
    ['sharemap', new Map([[256, []]])],
    ['sharemap', new Map([[0, 'v0-a']])],
    ['sharemap', new Map([[0, [7]]])],
    ['sharemap', new Map([[0, ['x'.repeat(257)]]])],
    ['sharemap', new Map(many(257).map((i) => [-i, []]))],
    ['pushed-shares', -1],
    ['ciphertext-fetched', 'all'],
  ] as const) {
    t.throws(() => parseHelperEvent({ event: 'results', data: field(key, value) }), { code: 'ERR_MESSAGE' }, key);
  }
  const wanted = (uploadId: unknown) =>
    formatBase32(
      encodeCbor(
        new Map([
          ['offset', 1],
          ['upload', uploadId],
        ]) as never,
      ),
    );
  for (const uploadId of [5, '', '../../x', 'a'.repeat(27)]) {
    t.throws(() => parseHelperEvent({ event: 'wanted', data: wanted(uploadId) }), { code: 'ERR_MESSAGE' });
  }
  t.notOk(isUploadId('A'.repeat(26)));
  t.end();
});

t.test('reasons are short and in one line, and say nothing of what is not ours', (t) => {
  const [told] = heard(formatHelperEvent({ kind: 'failed', reason: `a\nb\u001b[2J${'x'.repeat(1000)}` }), 1000);
  t.ok(told?.kind === 'failed' && told.reason.startsWith('a b [2Jx') && told.reason.length === 500);
  const evil = formatBase32(encodeCbor(new Map([['reason', `\u0007${'y'.repeat(1000)}`]])));
  t.match(parseHelperEvent({ event: 'failed', data: evil }), { reason: ` ${'y'.repeat(499)}` });
  t.match(parseHelperEvent({ event: 'failed', data: formatBase32(encodeCbor(new Map())) }), { reason: /not say why/ });
  t.match(heard(formatHelperFailure(new TahoeError('ERR_NO_SPACE', { where: 'x' })), 1000), [
    { reason: /^ERR_NO_SPACE: / },
  ]);
  t.match(heard(formatHelperFailure(new Error('s3cret')), 1000), [{ reason: /its log tells/ }]);
  t.end();
});
