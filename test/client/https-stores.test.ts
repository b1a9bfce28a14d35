/** Many small files stored at once at one server over TLS: our own, earlier ones, other programs, and bad ones. */
import t from 'tap';
import { RetryingServer } from '#client/retrying-server.js';
import type { CallOptions, StorageServer } from '#client/storage-server.js';
import { formatBase32 } from '#core/base32.js';
import { isTahoeError } from '#core/errors.js';
import { systemClock } from '#node/clock.js';
import { cborType, ownServer, serverAnswering, versionOf } from '#test/fixtures/answering-server.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import type { RecordedReply } from '#test/fixtures/recording-server.js';
import { leaseSecrets, readShare, sameBytes } from '#test/fixtures/share-store.js';
import { decodeStoreBatch, encodeStoreBatchReply, STORE_BATCH_PATH } from '#wire/store-batch.js';
import type { StoreRefusal } from '#wire/store-batch.js';
import { encodeWholeSharesReply, wholeSharesPath } from '#wire/whole-shares.js';
import type { WholeSharesReply } from '#wire/whole-shares.js';

const FILES = 40;
const stored: WholeSharesReply = { alreadyHave: new Set(), stored: new Set([3]) };
const single: RecordedReply = { status: 200, headers: cborType, body: encodeWholeSharesReply(stored) };
const notFound: RecordedReply = { status: 404, headers: { 'content-type': 'text/plain' } };

/** A file by its number: its index, and its share for this server. */
function file(number: number): { readonly storageIndex: Uint8Array; readonly share: Uint8Array } {
  const name = `file ${String(number)}`;
  return { storageIndex: seededBytes(name, 16), share: seededBytes(`share of ${name}`, 900) };
}

function storeFile(
  server: StorageServer,
  number: number,
  options?: CallOptions,
): Promise<WholeSharesReply | undefined> {
  const { share, storageIndex } = file(number);
  const request = { shares: new Map([[3, share]]), whereNone: true, ...leaseSecrets(String(number)) };
  return server.storeShares?.(storageIndex, request, options) ?? Promise.resolve(undefined);
}

/** Stores so many files at once. */
function storeFiles(server: StorageServer, count = FILES): Promise<WholeSharesReply | undefined>[] {
  return Array.from({ length: count }, (_, number) => storeFile(server, number));
}

/** The answer to a batch. */
function batchOf(outcomes: readonly (WholeSharesReply | StoreRefusal)[]): RecordedReply {
  return { status: 200, headers: cborType, body: encodeStoreBatchReply(outcomes) };
}

/** A server of our own kind; `answer` answers to batches. */
function ownKind(
  answer: (body: Buffer) => RecordedReply | Promise<RecordedReply>,
): (path: string, body: Buffer) => RecordedReply | Promise<RecordedReply> {
  return (path, body) => {
    if (path.endsWith('/version')) return versionOf('tallac/0.1.0');
    return path === STORE_BATCH_PATH ? answer(body) : single;
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** All texts and bytes that are anywhere in a value. */
function everythingIn(value: unknown): string {
  if (value instanceof Uint8Array) return hex(value);
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.getOwnPropertyNames(value)
    .map((name) => everythingIn(Reflect.get(value, name)))
    .join(' ');
}

t.test('our server stores many files for three requests', async (t) => {
  const { answered, client, store } = await ownServer(t);
  await client.version();
  t.strictSame(await Promise.all(storeFiles(client)), Array(FILES).fill(stored));
  const alone = 'POST /tallac/v1/immutable/:storageIndex';
  t.strictSame(answered.slice(1).sort(), ['POST /tallac/v1/immutable', alone, alone]);
  for (let number = 0; number < FILES; number++) {
    const { share, storageIndex } = file(number);
    sameBytes(t, await readShare(store, 3, storageIndex), share);
  }
  const again = { alreadyHave: new Set([3]), stored: new Set<number>() };
  t.strictSame(await Promise.all(storeFiles(client)), Array(FILES).fill(again), 'the condition goes with each');
});

t.test('what is sent is what the calls say', async (t) => {
  const { client, server } = await serverAnswering(
    t,
    ownKind((body) => batchOf(decodeStoreBatch(body).map(() => stored))),
  );
  t.strictSame(await Promise.all(storeFiles(client, 5)), Array(5).fill(stored));
  const batch = server.requests.find(({ path }) => path === STORE_BATCH_PATH);
  t.same(batch?.headers['x-tahoe-authorization'], undefined);
  t.same(batch?.headers['content-type'], ['application/cbor']);
  t.strictSame(
    decodeStoreBatch(batch?.body ?? Buffer.alloc(0)),
    [2, 3, 4].map((number) => {
      const { share, storageIndex } = file(number);
      return {
        storageIndex,
        ...leaseSecrets(String(number)),
        whereNone: true,
        shares: new Map([[3, share]]),
      };
    }),
  );
});

t.test('a server of an earlier release gets them singly, and is asked once whether it takes more', async (t) => {
  const { client, server } = await serverAnswering(
    t,
    ownKind(() => notFound),
  );
  for (let round = 0; round < 2; round++) {
    t.strictSame(await Promise.all(storeFiles(client)), Array(FILES).fill(stored));
  }
  const paths = server.requests.slice(1).map(({ path }) => path);
  t.equal(paths.filter((path) => path === STORE_BATCH_PATH).length, 1);
  for (let number = 0; number < FILES; number++) {
    const path = wholeSharesPath(file(number).storageIndex, true);
    t.equal(paths.filter((each) => each === path).length, 2, path);
  }
});

t.test('one that knows of no whole shares is not asked again, and another program never', async (t) => {
  const older = await serverAnswering(t, (path) => (path.endsWith('/version') ? versionOf('tallac/0.0.1') : notFound));
  t.strictSame(await Promise.all(storeFiles(older.client)), Array(FILES).fill(undefined));
  const { length } = older.server.requests;
  t.strictSame(await Promise.all(storeFiles(older.client)), Array(FILES).fill(undefined));
  t.equal(older.server.requests.length, length);
  const other = await serverAnswering(t, () => versionOf('tahoe-lafs/1.20.0'));
  t.strictSame(await Promise.all(storeFiles(other.client)), Array(FILES).fill(undefined));
  t.equal(other.server.requests.length, 1);
});

t.test('a refusal is that of its call alone, in our words', async (t) => {
  const refusal = { status: 507, reason: 'words of the server' };
  const { client } = await serverAnswering(
    t,
    ownKind(() => batchOf([stored, refusal, stored])),
  );
  const calls = await Promise.allSettled(storeFiles(client, 5));
  t.strictSame(
    calls.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
  );
  const what = `storing shares of ${formatBase32(file(3).storageIndex)}`;
  const facts = { what, server: 'testserv', reason: 'it has no space left (status 507)' };
  t.match(calls[3], { reason: { code: 'ERR_SERVER_REPLY', facts } });
});

t.test('an answer that is none fails all its calls, and tells no secret', async (t) => {
  const bad: readonly ((body: Buffer) => RecordedReply)[] = [
    (body) => ({ status: 200, headers: cborType, body }),
    (body) => ({ status: 200, headers: cborType, body: body.subarray(0, -1) }),
    (body) => ({ status: 500, headers: cborType, body }),
    (body) => ({ status: 200, headers: { 'content-type': 'text/plain' }, body }),
    () => batchOf([stored, stored]),
    () => batchOf([stored, stored, stored, stored]),
    () => batchOf([stored, stored, { alreadyHave: new Set(), stored: new Set([4]) }]),
    () => single,
  ];
  for (const answer of bad) {
    const { client } = await serverAnswering(t, ownKind(answer));
    const [first, second, ...others] = await Promise.allSettled(storeFiles(client, 5));
    t.match([first, second], [{ value: stored }, { value: stored }]);
    for (const [i, end] of others.entries()) {
      const reason: unknown = end.status === 'rejected' ? end.reason : undefined;
      t.ok(isTahoeError(reason, 'ERR_SERVER_REPLY'), String(reason));
      const { cancelSecret, renewSecret } = leaseSecrets(String(i + 2));
      const told = everythingIn(reason);
      for (const secret of [cancelSecret, renewSecret]) {
        const forms = [hex(secret), formatBase32(secret), Buffer.from(secret).toString('base64')];
        t.notOk(forms.some((form) => told.includes(form.slice(0, 14))));
      }
    }
  }
});

t.test('a connection that ends is told to each call, which comes again', async (t) => {
  const subject = { batches: 0, losing: false };
  const { client } = await serverAnswering(
    t,
    ownKind((body) => {
      subject.batches += 1;
      if (subject.losing) throw new Error('the connection ends');
      return batchOf(decodeStoreBatch(body).map(() => stored));
    }),
  );
  await Promise.all(storeFiles(client, 5));
  subject.losing = true;
  const ends = await Promise.allSettled(storeFiles(client, 5));
  const facts = { keptAlive: true, replyBegun: false, server: 'testserv', what: 'storing shares of 3 files' };
  t.match(ends.slice(2), Array(3).fill({ reason: { code: 'ERR_CONNECTION_CLOSED', facts } }));
  subject.losing = false;
  await Promise.all(storeFiles(client, 5));
  subject.losing = true;
  const { batches } = subject;
  const calls = storeFiles(new RetryingServer(client, systemClock), 5);
  while (subject.batches === batches) await new Promise(setImmediate);
  subject.losing = false;
  t.strictSame(await Promise.all(calls), Array(5).fill(stored));
});

t.test('a hung server: each call has its own end', async (t) => {
  const never = new Promise<RecordedReply>(() => undefined);
  const { client, server } = await serverAnswering(t, (path) =>
    path.endsWith('/version') ? versionOf('tallac/0.1.0') : never,
  );
  const unwanted = new AbortController();
  const hung = Promise.allSettled([storeFile(client, 0), storeFile(client, 1)]);
  const overdue = storeFile(client, 2, { timeoutMs: 20 });
  const cancelled = storeFile(client, 3, { signal: unwanted.signal });
  const waiting = [storeFile(client, 4), storeFile(client, 5)];
  await t.rejects(overdue, { code: 'ERR_TIMEOUT', facts: { timeoutMs: 20 } });
  unwanted.abort();
  await t.rejects(cancelled, { code: 'ERR_CANCELLED' });
  while (server.requests.length < 3) await new Promise(setImmediate);
  const closing = client.close();
  for (const call of waiting) {
    await t.rejects(call, { code: 'ERR_CANCELLED', message: /storing shares of [a-z2-7]{26}/ }, 'it was not sent');
  }
  for (const end of await hung) t.match(end, { reason: { code: 'ERR_CANCELLED' } });
  await closing;
  t.equal(server.requests.length, 3, 'the two that were sent, and the version');
});
