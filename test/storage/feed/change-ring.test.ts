/** The last changes, numbered; and what a share says of its own number. */
import fc from 'fast-check';
import t from 'tap';
import { ChangeRing } from '#storage/feed/change-ring.js';
import { sequenceNumberOf } from '#storage/feed/sequence-number.js';
import { formatFeedEvent, formatPosition, parseFeedMessage, parsePosition } from '#wire/change-feed.js';
import type { FeedMessage, ShareChange } from '#wire/change-feed.js';

const storageIndex = 'a'.repeat(26);
const change = (shareNumber: number): ShareChange => ({ kind: 'added', storageIndex, shareNumber });

t.test('whoever comes back is told exactly what it missed, or that it is not known any more', async (t) => {
  const property = fc.property(fc.nat(40), fc.integer({ min: 1, max: 10 }), fc.nat(50), (count, size, after) => {
    const ring = new ChangeRing(5, size);
    for (let number = 1; number <= count; number++) ring.add(change(number));
    const missed = ring.since({ epoch: 5, number: after });
    if (after > count || count - after > size) return missed === undefined;
    const numbers = missed?.map((entry) => [entry.number, entry.change.shareNumber].join());
    const wanted = Array.from({ length: count - after }, (_, i) => [after + 1 + i, after + 1 + i].join());
    return JSON.stringify(numbers) === JSON.stringify(wanted);
  });
  t.doesNotThrow(() => {
    fc.assert(property);
  });
  t.equal(new ChangeRing(5).since({ epoch: 4, number: 0 }), undefined, 'another start of the server');
  t.strictSame(new ChangeRing(5).position, { epoch: 5, number: 0 });
});

t.test('positions and messages come back from their text', async (t) => {
  const position = fc.record({ epoch: fc.nat(2 ** 31 - 1), number: fc.nat(2 ** 31 - 1) });
  const message: fc.Arbitrary<FeedMessage> = fc.oneof(
    fc.constant({ kind: 'look-again' } as const),
    fc.record({
      kind: fc.constantFrom('added', 'removed', 'damaged'),
      storageIndex: fc.constant(storageIndex),
      shareNumber: fc.nat(255),
    }),
    fc.record({
      kind: fc.constant('written'),
      storageIndex: fc.constant(storageIndex),
      shareNumber: fc.nat(255),
      sequenceNumber: fc.maxSafeNat(),
    }),
  );
  const property = fc.property(position, message, (position, message) => {
    const lines = formatFeedEvent(position, message).trimEnd().split('\n');
    const [id = '', event = '', data = ''] = lines.map((line) => line.replace(/^\w+: /, ''));
    const back = [parsePosition(id), parseFeedMessage(event, data)];
    return id === formatPosition(position) && JSON.stringify(back) === JSON.stringify([position, message]);
  });
  t.doesNotThrow(() => {
    fc.assert(property);
  });
});

t.test('what no server says is refused, and what a later one may say passed over', async (t) => {
  for (const text of ['', '1', '1-', '-1', '1-2-3', '1 - 2', '1e3-0', '٣-1', '1'.repeat(16) + '-1']) {
    t.equal(parsePosition(text), undefined, text);
  }
  for (const data of [
    '',
    'null',
    '[',
    '{}',
    `{"storage-index":"${storageIndex}"}`,
    '{"storage-index":1,"share-number":1}',
  ]) {
    t.throws(() => parseFeedMessage('added', data), { code: 'ERR_MESSAGE' }, data);
  }
  t.throws(() => parseFeedMessage('added', `{"storage-index":"${storageIndex}","share-number":256}`));
  t.equal(parseFeedMessage('painted', '{}'), undefined);
});

t.test('the sequence number of a mutable share', async (t) => {
  const head = (version: number, ...bytes: number[]): Uint8Array => new Uint8Array([version, ...bytes, 0xff]);
  t.equal(sequenceNumberOf(head(0, 0, 0, 0, 0, 0, 0, 1, 2)), 258);
  t.equal(sequenceNumberOf(head(1, 0, 0, 0, 0, 0, 0, 0, 7).subarray(0, 9)), 7);
  t.equal(sequenceNumberOf(head(2, 0, 0, 0, 0, 0, 0, 0, 7)), undefined, 'no version that is known');
  t.equal(sequenceNumberOf(head(0, 255, 0, 0, 0, 0, 0, 0, 7)), undefined, 'beyond 2^53');
  t.equal(sequenceNumberOf(head(0, 0, 0).subarray(0, 3)), undefined, 'too short');
  t.equal(sequenceNumberOf(new Uint8Array(0)), undefined);
});
