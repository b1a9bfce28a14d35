/** Following a server's change feed over HTTPS: what is asked, and what a server may make of it. */
import t from 'tap';
import type { Test } from 'tap';
import { formatFeedEvent } from '#wire/change-feed.js';
import type { FeedEvent } from '#wire/change-feed.js';
import { createTlsIdentity } from '../fixtures/certificates.js';
import { ManualClock, settle } from '../fixtures/clock.js';
import { openTestServer } from '../fixtures/https-client.js';
import { onRequest, replyText, startTlsServer } from '../fixtures/tls-server.js';

const identity = await createTlsIdentity();
const storageIndex = new Uint8Array(16).fill(7);
const FEED_HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n';

/** A server that answers with these bytes, and goes on or ends. */
async function subject(t: Test, reply: string | Buffer, isEnd = true) {
  const heads: string[] = [];
  const listening = await startTlsServer(identity, (connection) => {
    onRequest(connection, (head) => {
      heads.push(head);
      if (isEnd) connection.end(reply);
      else connection.write(reply);
    });
  });
  const clock = new ManualClock();
  const server = openTestServer(listening.port, identity.spkiHash, {}, clock);
  t.teardown(async () => {
    await server.close();
    await listening.close();
  });
  const events: FeedEvent[] = [];
  const subscribe = (lastEventId?: string, told = (event: FeedEvent): void => void events.push(event)) =>
    server.subscribe({ storageIndexes: [storageIndex], lastEventId, told });
  return { clock, events, heads, subscribe };
}

const first = formatFeedEvent({ epoch: 3, number: 0 });
const again = formatFeedEvent({ epoch: 3, number: 1 }, { kind: 'look-again' });

t.test('events are told in order, until the server ends the feed', async (t) => {
  const { events, heads, subscribe } = await subject(t, FEED_HEAD + first + again);
  t.equal(await subscribe('2-9'), 'ended');
  t.same(events, [
    { id: '3-0', message: undefined },
    { id: '3-1', message: { kind: 'look-again' } },
  ]);
  t.match(heads[0], /^GET \/tallac\/v1\/events\?storage-index=[a-z2-7]{26} HTTP/);
  t.match(heads[0], /\r\nlast-event-id: 2-9/i);
  t.match(heads[0], /\r\naccept: text\/event-stream/i);
  t.match(heads[0], /\r\nauthorization: Tahoe-LAFS /i);
});

t.test('a server without a feed', async (t) => {
  const { events, subscribe } = await subject(t, replyText(404, { 'content-type': 'text/html' }, Buffer.from('no')));
  t.equal(await subscribe(), 'absent');
  t.same(events, []);
});

t.test('what is no feed is refused', async (t) => {
  const bad = {
    'another type': replyText(200, { 'content-type': 'application/cbor' }, Buffer.from(first)),
    'another status': replyText(503, {}, Buffer.from('')),
    'an event that is none': `${FEED_HEAD}event: written\ndata: []\n\n`,
    'an event without end': FEED_HEAD + 'x'.repeat(10_000),
  };
  for (const [what, reply] of Object.entries(bad)) {
    const { events, subscribe } = await subject(t, reply);
    await t.rejects(subscribe(), { code: 'ERR_SERVER_REPLY' }, what);
    t.same(events, []);
  }
});

t.test('three heartbeats that do not come end it; more feeds than there is room for fail at once', async (t) => {
  const { clock, subscribe } = await subject(t, FEED_HEAD + first, false);
  const feeds: Promise<unknown>[] = [];
  for (let i = 0; i < 4; i++) {
    await new Promise<void>((resolve) => {
      feeds.push(subscribe(undefined, () => resolve()));
    });
  }
  await t.rejects(subscribe(), { code: 'ERR_TOO_MANY' });
  clock.advance(46_000);
  await settle();
  clock.advance(46_000);
  for (const feed of feeds) await t.rejects(feed, { code: 'ERR_TIMEOUT' });
});
