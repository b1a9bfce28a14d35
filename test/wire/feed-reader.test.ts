/** The reading end of the change feed's text: however it is cut, and what is refused. */
import t from 'tap';
import { utf8 } from '#core/bytes.js';
import { FEED_EVENT_LENGTH_MAX, FeedReader, formatFeedEvent, HEARTBEAT_TEXT } from '#wire/change-feed.js';
import type { FeedEvent } from '#wire/change-feed.js';

const storageIndex = 'abcdefghijklmnopqrstuvwxyz';
const written = { kind: 'written', storageIndex, shareNumber: 3, sequenceNumber: 9 } as const;
const text = [
  formatFeedEvent({ epoch: 4, number: 0 }),
  HEARTBEAT_TEXT,
  formatFeedEvent({ epoch: 4, number: 1 }, written),
  formatFeedEvent({ epoch: 4, number: 2 }, { kind: 'look-again' }),
  'id: 4-3\nevent: of a later release\ndata: 1\n\n',
].join('');
const expected: FeedEvent[] = [
  { id: '4-0', message: undefined },
  { id: '4-1', message: written },
  { id: '4-2', message: { kind: 'look-again' } },
  { id: '4-3', message: undefined },
];

t.test('whole, in odd pieces, byte by byte, and with carriage returns', async (t) => {
  for (const bytes of [utf8(text), utf8(text.replaceAll('\n', '\r\n'))]) {
    for (const size of [bytes.length, 1, 7, 64]) {
      const reader = new FeedReader();
      const events: FeedEvent[] = [];
      for (let begin = 0; begin < bytes.length; begin += size)
        events.push(...reader.read(bytes.subarray(begin, begin + size)));
      t.same(events, expected);
    }
  }
});

t.test('an event without end, and one that is not what it says', async (t) => {
  const endless = new FeedReader();
  const piece = utf8('d'.repeat(1000));
  t.throws(
    () => {
      for (let size = 0; size <= FEED_EVENT_LENGTH_MAX; size += piece.length) endless.read(piece);
    },
    { code: 'ERR_MESSAGE' },
  );
  t.throws(() => new FeedReader().read(utf8('event: written\ndata: {}\n\n')), { code: 'ERR_MESSAGE' });
});
