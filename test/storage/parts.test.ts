/** The small parts: ranges, batches, turns, statuses. */
import fc from 'fast-check';
import t from 'tap';
import { TahoeError } from '#core/errors.js';
import { BATCH_BUDGET, BATCH_SIZE_MAX, BatchPair, BatchPool, batchSize, gather } from '#storage/gather.js';
import { KeyedLock } from '#storage/keyed-lock.js';
import { RangeSet } from '#storage/range-set.js';
import { refusalOf } from '#storage/status.js';
import { settle } from '#test/fixtures/clock.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { inPieces } from '#test/fixtures/share-store.js';

t.test('a set of ranges agrees with a set of bytes', (t) => {
  const range = fc.record({ begin: fc.nat(50), size: fc.integer({ min: 1, max: 20 }) });
  const property = fc.property(fc.array(range), range, (added, asked) => {
    const set = new RangeSet();
    const bytes = new Set<number>();
    for (const { begin, size } of added) {
      const before = bytes.size;
      for (let i = begin; i < begin + size; i++) bytes.add(i);
      if (set.add({ begin, end: begin + size }) !== bytes.size - before) return false;
    }
    const parts = set.divide({ begin: asked.begin, end: asked.begin + asked.size });
    const flags = parts.flatMap(({ begin, end, held }) => Array.from({ length: end - begin }, () => held));
    const wanted = Array.from({ length: asked.size }, (_, i) => bytes.has(asked.begin + i));
    const runs = [...bytes].filter((byte) => !bytes.has(byte - 1)).length;
    return set.size === bytes.size && set.count === runs && JSON.stringify(flags) === JSON.stringify(wanted);
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 500 }));
  t.end();
});

t.test('batches hold all bytes in order and no more than they should', async (t) => {
  const bytes = seededBytes('body', 200_000);
  for (const [pieceSize, target] of [
    [1, 16_384],
    [100, 1000],
    [16_384, 65_536],
    [200_000, 10],
  ] as const) {
    const sizes: number[] = [];
    const parts: Uint8Array[] = [];
    for await (const batch of gather(inPieces(bytes, pieceSize), () => target, new BatchPair(new BatchPool()))) {
      sizes.push(batch.length);
      parts.push(batch.slice());
    }
    t.ok(Buffer.compare(Buffer.concat(parts), bytes) === 0);
    t.ok(sizes.slice(0, -1).every((size) => size === target) && (sizes.at(-1) ?? 0) <= target);
  }
  for (const bodyCount of [0, 1, 10, 100, 1000]) {
    t.ok(batchSize(bodyCount) <= BATCH_SIZE_MAX);
    t.ok(batchSize(bodyCount) * bodyCount <= Math.max(BATCH_BUDGET, bodyCount * 16_384));
  }
});

t.test('an array is filled again only when the batch before it was written', async (t) => {
  const pool = new BatchPool();
  const pair = new BatchPair(pool);
  const bytes = seededBytes('turns', 5 * BATCH_SIZE_MAX);
  let writing: { readonly batch: Uint8Array; readonly copy: Uint8Array } | undefined;
  for await (const batch of gather(inPieces(bytes, 10_000), () => BATCH_SIZE_MAX, pair)) {
    if (writing !== undefined) t.ok(Buffer.compare(writing.batch, writing.copy) === 0, 'what is being written stays');
    writing = { batch, copy: batch.slice() };
  }
  const free = pool.take(BATCH_SIZE_MAX);
  t.not(free.buffer, writing?.batch.buffer, 'nothing goes back before it is released');
  pair.release();
  const buffers = [pool.take(BATCH_SIZE_MAX).buffer, pool.take(BATCH_SIZE_MAX).buffer];
  t.ok(writing !== undefined && buffers.includes(writing.batch.buffer as ArrayBuffer), 'then it does');
});

t.test('actions of one key take turns, also behind one that fails', async (t) => {
  const lock = new KeyedLock();
  const events: string[] = [];
  const action =
    (name: string, rounds: number, fails = false) =>
    async (): Promise<string> => {
      events.push(`${name} begins`);
      await settle(rounds);
      events.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    };
  const results = await Promise.allSettled([
    lock.run('a', action('first', 5, true)),
    lock.run('a', action('second', 1)),
    lock.run('b', action('other', 1)),
    lock.run('a', action('third', 1)),
  ]);
  t.strictSame(
    results.map(({ status }) => status),
    ['rejected', 'fulfilled', 'fulfilled', 'fulfilled'],
  );
  const ofA = events.filter((event) => !event.startsWith('other'));
  t.strictSame(ofA, ['first begins', 'first ends', 'second begins', 'second ends', 'third begins', 'third ends']);
  t.ok(events.indexOf('other ends') < events.indexOf('first ends'));
});

t.test('statuses', (t) => {
  const cases: readonly [error: unknown, status: number][] = [
    [new TahoeError('ERR_SWISSNUM', {}), 401],
    [new TahoeError('ERR_HEADER', { header: 'x', reason: 'y' }), 400],
    [new TahoeError('ERR_CBOR', { reason: 'x' }), 400],
    [new TahoeError('ERR_NO_SUCH_SHARE', {}), 404],
    [new TahoeError('ERR_NO_SPACE', { where: 'x' }), 507],
    [new TahoeError('ERR_TOO_MANY', { what: 'x', limit: 1 }), 507],
    [new TahoeError('ERR_DISK', { what: 'x', reason: 'EIO' }), 500],
    [new TahoeError('ERR_CONTAINER', { reason: 'x' }), 500],
    [new TahoeError('ERR_STORE_READONLY', { reason: 'x' }), 503],
    [new TahoeError('ERR_TIMEOUT', { what: 'x', timeoutMs: 1 }), 408],
    [new TahoeError('ERR_SHARE_COMPLETE', {}), 405],
    [new TypeError('a bug'), 500],
    ['nonsense', 500],
    [Object.assign(new Error('of the library'), { statusCode: 415 }), 415],
    [Object.assign(new Error('of the library'), { statusCode: 500 }), 500],
  ];
  for (const [error, status] of cases) t.equal(refusalOf(error).status, status, String(error));
  t.notMatch(refusalOf(new TypeError('a bug')).text, /a bug/, 'a bug says nothing of itself');
  t.end();
});
