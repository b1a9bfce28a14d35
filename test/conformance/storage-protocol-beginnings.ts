/** How a server tells how its immutable shares begin and end, which the reference's does not. */
import t from 'tap';
import { formatBase32 } from '#core/base32.js';
import { utf8 } from '#core/bytes.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { otherIndex, storageIndex } from '#test/fixtures/share-store.js';
import { StorageTalk } from '#test/fixtures/storage-talk.js';
import type { MakeProtocolSubject } from '#test/fixtures/storage-talk.js';
import { decodeImmutableBeginnings, immutableBeginningsPath } from '#wire/immutable-beginnings.js';

const [long, short, nothing] = [seededBytes('long', 30_000), seededBytes('short', 10), new Uint8Array(0)];

/** Runs every test of them. */
export function beginningsSuite(makeSubject: MakeProtocolSubject): void {
  t.test('the complete shares, with their sizes, beginnings and ends', async (t) => {
    const subject = await makeSubject(t);
    const talk = new StorageTalk(subject);
    await talk.store(storageIndex, 4, long);
    await talk.store(storageIndex, 255, short);
    await talk.allocate(storageIndex, [5], 100);
    await talk.write(storageIndex, 5, 0, short);
    const slot = { tests: [], writes: [{ offset: 0, data: utf8('a mutable share') }], newLength: undefined };
    await talk.readTestWrite(otherIndex, { shares: new Map([[3, slot]]), reads: [] });
    for (const [beginning, end] of [
      [68, 4000],
      [20_000, 0],
      [20_000, 9_999],
    ] as const) {
      const sizes = { beginning, end };
      const reply = await talk.send('GET', immutableBeginningsPath(storageIndex, sizes));
      if (subject.isReference) {
        t.equal(reply.status, 404, 'ours alone, and this is how a server is known that has no such thing');
        return;
      }
      t.match(reply, { status: 200, headers: { 'content-type': 'application/cbor' } });
      const expected = new Map([
        [4, { size: 30_000, beginning: long.slice(0, beginning), end: long.slice(30_000 - end) }],
        [255, { size: 10, beginning: short, end: nothing }],
      ]);
      t.strictSame(decodeImmutableBeginnings(reply.body, sizes), expected);
      const mutable = await talk.send('GET', immutableBeginningsPath(otherIndex, sizes));
      t.strictSame(decodeImmutableBeginnings(mutable.body, sizes), new Map(), 'no mutable ones');
    }
    const whole = await talk.send('GET', immutableBeginningsPath(storageIndex, { beginning: 20_000, end: 10_000 }));
    const shares = decodeImmutableBeginnings(whole.body, { beginning: 20_000, end: 10_000 });
    t.strictSame(shares.get(4), { size: 30_000, beginning: long, end: nothing }, 'whole, once');
  });

  t.test('what is refused', async (t) => {
    const subject = await makeSubject(t);
    if (subject.isReference) return;
    const talk = new StorageTalk(subject);
    const path = immutableBeginningsPath(storageIndex, { beginning: 1, end: 0 });
    t.equal((await talk.send('GET', path)).status, 200);
    t.equal((await subject.request({ method: 'GET', path, headers: [] })).status, 401);
    t.equal((await talk.send('POST', path)).status, 405);
    t.equal((await talk.send('GET', path, [['Accept', 'text/html']])).status, 406);
    t.equal((await talk.send('GET', path.replace(formatBase32(storageIndex), 'short'))).status, 404);
    const base = path.split('?')[0] ?? '';
    const queries = ['', '?size=1', '?end=1', '?size=0&end=1', '?size=-1&end=0', '?size=1e3&end=0', '?size=1&end=01'];
    for (const query of [...queries, '?size=65537&end=0', '?size=1&end=65537', '?size=&end='])
      t.equal((await talk.send('GET', base + query)).status, 400, query);
  });
}
