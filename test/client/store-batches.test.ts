/** Calls to store small shares that travel together: when they wait, who goes with whom, and what ends them. */
import t from 'tap';
import { NEAR_MS, STORE_BATCH_SIZE_MAX, StoreBatches, UNTRIED_BATCH_SIZE_MAX } from '#client/store-batches.js';
import type { StoreCall, StoreOutcome } from '#client/store-batches.js';
import { TahoeError } from '#core/errors.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { leaseSecrets } from '#test/fixtures/share-store.js';
import { batchedStoreSizeMax, STORE_BATCH_COUNT_MAX } from '#wire/store-batch.js';
import type { WholeSharesReply } from '#wire/whole-shares.js';

const TIMEOUT_MS = 1000;

/** A request on its way. */
interface Sent {
  /** Which calls it has. */
  readonly numbers: readonly number[];
  readonly signal: AbortSignal;
  readonly answer: (outcomes?: readonly StoreOutcome[]) => void;
  /** Says that it takes no batches. */
  readonly lack: () => void;
  readonly fail: (error: Error) => void;
}

/** The answer to one call, by its number. */
function replyTo(number: number): WholeSharesReply {
  return { alreadyHave: new Set(), stored: new Set([number]) };
}

/** Calls by number, whose requests are answered by hand. */
class Subject {
  readonly clock = new ManualClock();
  readonly sent: Sent[] = [];
  readonly #numbers = new Map<StoreCall['storageIndex'], number>();
  readonly batches: StoreBatches;

  constructor(callCountMax = 256) {
    const { clock } = this;
    const send = (calls: readonly StoreCall[], signal: AbortSignal): Promise<readonly StoreOutcome[] | undefined> =>
      new Promise((resolve, reject) => {
        const numbers = calls.map(({ storageIndex }) => this.#numbers.get(storageIndex) ?? -1);
        const answer = (outcomes: readonly StoreOutcome[] = numbers.map(replyTo)): void => {
          resolve(outcomes);
        };
        const lack = (): void => {
          resolve(undefined);
        };
        this.sent.push({ numbers, signal, answer, lack, fail: reject });
      });
    this.batches = new StoreBatches({ shortName: 'it', clock, callCountMax, connectionCountMax: 5, send });
  }

  /** Stores a share of so many bytes. */
  store(
    number: number,
    { size = 100, signal = new AbortController().signal, timeoutMs = TIMEOUT_MS } = {},
  ): Promise<WholeSharesReply | undefined> {
    const storageIndex = new Uint8Array(16);
    this.#numbers.set(storageIndex, number);
    const request = { shares: new Map([[0, new Uint8Array(size)]]), ...leaseSecrets('first') };
    return this.batches.store({ storageIndex, request }, timeoutMs, signal);
  }

  /** All of `numbers`, one after the other. */
  storeAll(numbers: readonly number[], size?: number): Promise<WholeSharesReply | undefined>[] {
    return numbers.map((number) => this.store(number, size === undefined ? {} : { size }));
  }

  /** A request. @throws when there was none. */
  request(position: number): Sent {
    const request = this.sent[position];
    if (request === undefined) throw new RangeError(`no request ${String(position)}`);
    return request;
  }

  /** Which calls each request had. */
  get order(): (readonly number[])[] {
    return this.sent.map(({ numbers }) => numbers);
  }
}

/** One of several calls. @throws when there are not so many. */
function nth<Call>(calls: readonly Call[], position: number): Call {
  const call = calls[position];
  if (call === undefined) throw new RangeError(`no call ${String(position)}`);
  return call;
}

/** Numbers from `begin` to before `end`. */
function range(begin: number, end: number): number[] {
  return Array.from({ length: end - begin }, (_, i) => begin + i);
}

t.test('to a server that is far away as many go alone as there are connections', async (t) => {
  const subject = new Subject();
  /** Has all requests from `first` on answered after a while. */
  const answerAfter = async (ms: number, first: number): Promise<void> => {
    await settle();
    subject.clock.advance(ms);
    for (const request of subject.sent.slice(first)) request.answer();
    await settle();
  };
  const begun = subject.storeAll([0]);
  await answerAfter(NEAR_MS + 1, 0);
  const far = subject.storeAll(range(1, 9));
  await settle();
  t.strictSame(subject.order.slice(1), [[1], [2], [3], [4], [5]]);
  subject.clock.advance(NEAR_MS + 1);
  subject.request(1).answer();
  await settle();
  t.strictSame(subject.order.slice(6), [[6, 7, 8]], 'the others together');
  await answerAfter(1, 2);
  await Promise.all([...begun, ...far]);
  const near = subject.storeAll(range(9, 13));
  await settle();
  t.strictSame(subject.order.slice(7), [[9], [10]], 'until it has once been quick');
  await answerAfter(50, 7);
  t.strictSame(subject.order.slice(9), [[11, 12]], 'and one that was slow says nothing of how far it is');
  await answerAfter(50, 9);
  for (const call of subject.storeAll(range(13, 17))) call.catch(() => undefined);
  await settle();
  t.strictSame(subject.order.slice(10), [[13], [14]]);
  subject.batches.close();
  await Promise.all(near);
});

t.test('two at a time go alone, and all that wait go together when one ends', async (t) => {
  const subject = new Subject();
  const calls = subject.storeAll(range(0, 6));
  await settle();
  t.strictSame(subject.order, [[0], [1]]);
  subject.request(1).answer();
  t.strictSame(await calls[1], replyTo(1));
  await settle();
  t.strictSame(subject.order, [[0], [1], [2, 3, 4, 5]], 'in the order of the calls');
  calls.push(subject.store(6));
  subject.request(0).answer();
  await settle();
  t.strictSame(subject.order.slice(3), [[6]], 'one that waits goes alone');
  const refusal = new TahoeError('ERR_SERVER_REPLY', { server: 'it', what: 'storing', reason: 'full' });
  subject.request(2).answer([replyTo(2), refusal, undefined, replyTo(5)]);
  subject.request(3).answer();
  await t.rejects(nth(calls, 3), refusal);
  calls.splice(3, 1);
  t.strictSame(
    await Promise.all(calls),
    [0, 1, 2, undefined, 5, 6].map((n) => (n === undefined ? n : replyTo(n))),
  );
  subject.storeAll([7, 8]);
  await settle();
  t.strictSame(subject.order.slice(4), [[7], [8]], 'with nothing under way they are sent at once again');
  t.equal(subject.clock.pending, 2, 'no timer is left of those that ended');
});

t.test('a batch is limited by count', async (t) => {
  const subject = new Subject();
  void Promise.all(subject.storeAll(range(0, 2 * STORE_BATCH_COUNT_MAX + 5)));
  subject.request(0).answer();
  await settle();
  subject.request(1).answer();
  await settle();
  const end = 2 + STORE_BATCH_COUNT_MAX;
  t.strictSame(subject.order.slice(2), [range(2, end), range(end, end + STORE_BATCH_COUNT_MAX)]);
  subject.request(2).answer();
  await settle();
  t.strictSame(subject.order.slice(4), [range(end + STORE_BATCH_COUNT_MAX, 2 * STORE_BATCH_COUNT_MAX + 5)]);
});

t.test('and by bytes, the more so until the server has taken one', async (t) => {
  const subject = new Subject();
  const size = 15 * 1024;
  void Promise.all(subject.storeAll(range(0, 40), size));
  subject.request(0).answer();
  await settle();
  const untried = Math.floor(UNTRIED_BATCH_SIZE_MAX / batchedStoreSizeMax([size]));
  t.strictSame(subject.order.slice(2), [range(2, 2 + untried)]);
  subject.request(2).answer();
  await settle();
  const tried = Math.floor(STORE_BATCH_SIZE_MAX / batchedStoreSizeMax([size]));
  t.strictSame(subject.order.slice(3), [range(2 + untried, 2 + untried + tried)]);
});

t.test('what is too large to share a request does not wait', async (t) => {
  const subject = new Subject();
  void Promise.all(subject.storeAll([0, 1, 2]));
  void subject.store(3, { size: UNTRIED_BATCH_SIZE_MAX / 2 });
  void subject.store(4);
  t.strictSame(subject.order, [[0], [1], [3]]);
  subject.request(0).answer();
  subject.request(1).answer();
  await settle();
  t.strictSame(subject.order.slice(3), [[2, 4]]);
  subject.request(3).answer();
  void subject.store(5);
  await settle();
  void subject.store(6, { size: UNTRIED_BATCH_SIZE_MAX / 2 });
  void subject.store(7, { size: STORE_BATCH_SIZE_MAX / 2 });
  t.strictSame(subject.order.slice(4), [[5], [7]], 'nor once the server takes larger ones');
});

t.test('a call that is cancelled while it waits is never sent', async (t) => {
  const subject = new Subject();
  void Promise.all(subject.storeAll([0, 1]));
  const wanted = new AbortController();
  const waiting = subject.store(2, { signal: wanted.signal });
  void subject.store(3);
  wanted.abort(new Error('no longer wanted'));
  await t.rejects(waiting, { code: 'ERR_CANCELLED', cause: { message: 'no longer wanted' } });
  await t.rejects(subject.store(4, { signal: wanted.signal }), { code: 'ERR_CANCELLED' }, 'nor one that comes late');
  subject.request(0).answer();
  await settle();
  t.strictSame(subject.order, [[0], [1], [3]]);
});

t.test('a call that is cancelled in a batch ends for its caller, and the batch with the last of them', async (t) => {
  const subject = new Subject();
  void Promise.all(subject.storeAll([0, 1]));
  const signals = range(0, 3).map(() => new AbortController());
  const calls = signals.map(({ signal }, i) => subject.store(2 + i, { signal }));
  subject.request(0).answer();
  await settle();
  const batch = subject.request(2);
  t.strictSame(batch.numbers, [2, 3, 4]);
  for (const i of [1, 0]) {
    signals[i]?.abort();
    await t.rejects(nth(calls, i), { code: 'ERR_CANCELLED' });
    t.equal(batch.signal.aborted, false, 'the others still wait');
  }
  signals[2]?.abort();
  await t.rejects(nth(calls, 2), { code: 'ERR_CANCELLED' });
  t.equal(batch.signal.aborted, true);
  void subject.store(5);
  batch.fail(new TahoeError('ERR_CANCELLED', { what: 'it' }));
  await settle();
  t.strictSame(subject.order.slice(3), [[5]], 'and makes room for the next');
  t.equal(subject.request(3).signal.aborted, false);
});

t.test('a deadline counts from the call, and one that is overdue takes no other with it', async (t) => {
  const subject = new Subject();
  void Promise.allSettled(subject.storeAll([0, 1]));
  const inTime = subject.store(2, { timeoutMs: 5 * TIMEOUT_MS });
  const overdue = subject.store(3, { timeoutMs: 600 });
  const never = t.rejects(subject.store(4, { timeoutMs: 400 }), { code: 'ERR_TIMEOUT', facts: { timeoutMs: 400 } });
  subject.clock.advance(500);
  await never;
  subject.request(0).answer();
  await settle();
  t.strictSame(subject.order.slice(2), [[2, 3]], 'overdue ones are not sent');
  const late = t.rejects(overdue, { code: 'ERR_TIMEOUT', message: /storing shares of [a-z2-7]{26} at server it/ });
  subject.clock.advance(100);
  await late;
  const batch = subject.request(2);
  t.equal(batch.signal.aborted, false);
  batch.answer();
  t.strictSame(await inTime, replyTo(2));
  subject.clock.advance(TIMEOUT_MS);
  await settle();
  t.equal(subject.request(1).signal.aborted, true, 'a hung request ends with its only call');
});

t.test('what fails as a whole fails each of its calls', async (t) => {
  const subject = new Subject();
  const [, second, ...calls] = subject.storeAll(range(0, 5));
  subject.request(0).answer();
  await settle();
  const facts = { server: 'it', what: 'storing', keptAlive: true, replyBegun: false };
  const failure = new TahoeError('ERR_CONNECTION_CLOSED', facts);
  subject.request(2).fail(failure);
  for (const call of calls) await t.rejects(call, failure);
  subject.request(1).fail(failure);
  await t.rejects(second ?? Promise.resolve(undefined), failure);
  void subject.store(5);
  await settle();
  t.strictSame(subject.order.slice(3), [[5]], 'others go on');
});

t.test('a server that takes no batches loses nothing', async (t) => {
  const subject = new Subject();
  const signals = range(0, 5).map(() => new AbortController());
  const calls = signals.map(({ signal }, number) => subject.store(number, { signal }));
  subject.request(0).answer();
  await settle();
  signals[3]?.abort();
  await t.rejects(nth(calls, 3), { code: 'ERR_CANCELLED' });
  calls.push(subject.store(5), subject.store(6));
  t.strictSame(subject.order, [[0], [1], [2, 3, 4]]);
  subject.request(2).lack();
  await settle();
  t.strictSame(subject.order.slice(3), [[2], [4], [5], [6]], 'each alone, but who has gone, and nobody waits');
  calls.push(subject.store(7));
  t.strictSame(subject.order.slice(7), [[7]], 'nor later');
  for (const { answer } of subject.sent) answer();
  calls.splice(3, 1);
  t.strictSame(await Promise.all(calls), [0, 1, 2, 4, 5, 6, 7].map(replyTo));
});

t.test('calls have a limit, those that wait too', async (t) => {
  const subject = new Subject(5);
  const calls = subject.storeAll(range(0, 5));
  const failure = { code: 'ERR_TOO_MANY', facts: { limit: 5 } };
  await t.rejects(subject.store(5), failure);
  t.equal(subject.sent.length, 2);
  subject.request(0).answer();
  await calls[0];
  const more = subject.store(6);
  await t.rejects(subject.store(7), failure);
  await settle();
  for (const { answer } of subject.sent) answer();
  await settle();
  subject.request(3).answer();
  await Promise.all([...calls, more]);
});

t.test('its end fails those that wait', async (t) => {
  const subject = new Subject();
  const [first, second, ...calls] = subject.storeAll(range(0, 4));
  subject.request(0).answer();
  subject.request(1).answer();
  subject.batches.close();
  for (const call of calls) await t.rejects(call, { code: 'ERR_CANCELLED' });
  await Promise.all([first, second]);
  await settle();
  t.strictSame(subject.order, [[0], [1]], 'none of them is sent');
  t.equal(subject.clock.pending, 0);
});
