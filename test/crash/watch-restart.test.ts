/** Watching a mutable file on a storage node that is a process of its own, also while it is started anew. */
import t from 'tap';
import type { FeedEvent } from '#wire/change-feed.js';
import { watch } from '#client/watch.js';
import { createMutableFile } from '#client/mutable/create.js';
import { seededBytes } from '../fixtures/crypto.js';
import { openLibraryClient } from '../fixtures/library-client.js';
import { testKeys } from '../fixtures/mutable-grid.js';
import { ProcessGrid } from '../fixtures/process-grid.js';

const encoding = { needed: 1, happy: 1, total: 1 };

t.test('each version is told, through the feed; after a restart the feed goes on', { timeout: 60_000 }, async (t) => {
  const grid = await ProcessGrid.start({ storage: ['ours'], gateways: [], encoding });
  t.teardown(() => grid.stop());
  const writer = await openLibraryClient(grid.storage, encoding);
  const reader = await openLibraryClient(grid.storage, encoding);
  t.teardown(() => Promise.all([writer.close(), reader.close()]));
  const [privateKey] = testKeys;
  if (privateKey === undefined) throw new RangeError('a key');
  const file = await createMutableFile(writer.context, seededBytes('1', 100), { format: 'sdmf', privateKey });
  const abort = new AbortController();
  const versions = watch(reader.context, file.capability, { signal: abort.signal });
  const next = async (): Promise<number | undefined> => {
    const { done, value } = await versions.next();
    return done === true ? undefined : value.sequenceNumber;
  };
  t.equal(await next(), 1);
  for (const number of [2, 3]) {
    const told = next();
    await file.overwrite(seededBytes(String(number), 100));
    t.equal(await told, number);
  }
  const [server] = reader.servers;
  if (server === undefined) throw new RangeError('one server');
  const ended = new AbortController();
  const events: FeedEvent[] = [];
  let wake: () => void = () => undefined;
  const heard = async (count: number): Promise<void> => {
    while (events.length < count) await new Promise<void>((resolve) => (wake = resolve));
  };
  const feed = server.subscribe(
    {
      storageIndexes: [file.storageIndex],
      told: (event) => {
        events.push(event);
        wake();
      },
    },
    { signal: ended.signal },
  );
  feed.catch(() => undefined);
  await heard(1);
  const four = next();
  await file.overwrite(seededBytes('4', 100));
  await heard(2);
  t.match(events, [{ message: undefined }, { message: { kind: 'written', shareNumber: 0, sequenceNumber: 4 } }]);
  t.equal(await four, 4);
  ended.abort();
  await t.rejects(feed, { code: 'ERR_CANCELLED' });
  const [node] = grid.storage;
  const told = next();
  await node?.stop();
  await node?.start();
  await file.overwrite(seededBytes('5', 100));
  t.equal(await told, 5);
  const waiting = next();
  abort.abort();
  await t.rejects(waiting, { code: 'ERR_CANCELLED' });
});
