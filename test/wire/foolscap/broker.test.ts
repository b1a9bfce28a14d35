/** Calls, answers, failures and references between two ends of a connection, delivered whole and byte by byte. */
import fc from 'fast-check';
import t from 'tap';
import { utf8 } from '#core/bytes.js';
import { isTahoeError, TahoeError } from '#core/errors.js';
import { RemoteFailure } from '#wire/foolscap/failures.js';
import { isRemoteReference } from '#wire/foolscap/tub.js';
import type { RemoteObject, RemoteReference } from '#wire/foolscap/tub.js';
import { Copyable, Dict, Float, Tuple, ValueSet } from '#wire/foolscap/values.js';
import type { Value } from '#wire/foolscap/values.js';
import { settle } from '#test/fixtures/clock.js';
import { joinBrokers, makeBroker, objectOf } from '#test/fixtures/foolscap/banana-talk.js';

const echo = objectOf({ echo: (value) => value ?? null });

async function connected(object: RemoteObject, pieceSize?: number) {
  const ends = joinBrokers(new Map([['name', object]]), pieceSize);
  return { ...ends, reference: await ends.here.broker.reference('name', {}) };
}

const leaf: fc.Arbitrary<Value> = fc.oneof(
  fc.maxSafeInteger(),
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map((n) => (isSafe(n) ? Number(n) : n)),
  fc.boolean(),
  fc.constant(null),
  fc.string({ maxLength: 40, unit: 'binary' }),
  fc.uint8Array({ maxLength: 6000 }),
  fc.double({ noNaN: true }).map((n) => new Float(n)),
);
const { tree } = fc.letrec<{ tree: Value }>((tie) => {
  const items = fc.array(tie('tree'), { maxLength: 4 });
  const pairs = fc.array(fc.tuple(leaf, tie('tree')), { maxLength: 3 });
  const named = fc.dictionary(fc.string({ minLength: 1, maxLength: 5 }), tie('tree'), { maxKeys: 3 });
  return {
    tree: fc.oneof(
      { maxDepth: 5 },
      leaf,
      items,
      items.map((all) => new Tuple(...all)),
      fc.tuple(items, fc.boolean()).map(([all, immutable]) => new ValueSet(all, immutable)),
      pairs.map((all) => new Dict(all)),
      named.map((all) => new Copyable('class', new Map(Object.entries(all)))),
    ),
  };
});

function isSafe(n: bigint): boolean {
  return n <= BigInt(Number.MAX_SAFE_INTEGER) && n >= BigInt(Number.MIN_SAFE_INTEGER);
}

t.test('every value arrives as it was sent', async (t) => {
  const whole = await connected(echo);
  const bytewise = await connected(echo, 1);
  await fc.assert(
    fc.asyncProperty(tree, async (value) => {
      t.strictSame(await whole.reference.call('echo', [value]), value);
      t.strictSame(await bytewise.reference.call('echo', [value]), value);
    }),
    { numRuns: 60 },
  );
  t.equal(whole.there.memory(), 0);
  t.equal(whole.here.memory(), 0);
});

t.test('what fails fails at the caller, and tells no secret', async (t) => {
  const { reference } = await connected(
    objectOf({
      known: () => {
        throw new RemoteFailure('builtins.IndexError', 'far out');
      },
      bug: () => {
        throw new Error('secret');
      },
    }),
  );
  await t.rejects(reference.call('known', []), {
    code: 'ERR_REMOTE',
    facts: { method: 'known', type: 'builtins.IndexError', message: 'far out' },
  });
  await t.rejects(reference.call('absent', []), { code: 'ERR_REMOTE', facts: { type: 'foolscap.tokens.Violation' } });
  const error: unknown = await reference.call('bug', []).catch((reason: unknown) => reason);
  t.ok(isTahoeError(error, 'ERR_REMOTE'));
  t.notMatch(String(error), 'secret');
});

t.test('a name that nothing has', async (t) => {
  const { here } = joinBrokers(new Map());
  await t.rejects(here.broker.reference('other', {}), { code: 'ERR_REMOTE', facts: { type: 'builtins.KeyError' } });
});

t.test('references go there and back', async (t) => {
  const released: string[] = [];
  const canary: RemoteObject = { ...objectOf({ hear: () => 'heard' }), released: () => released.push('canary') };
  let kept: RemoteReference | undefined;
  const { reference, there } = await connected(
    objectOf({
      keep: (value = null) => {
        if (isRemoteReference(value)) kept = value;
        return value;
      },
      part: () => objectOf({ number: () => 7 }, 'RIPart'),
    }),
  );
  t.equal(await reference.call('keep', [canary]), canary, 'an object that comes back is the same');
  t.equal(await kept?.call('hear', []), 'heard');
  t.equal(await reference.call('keep', [reference]), reference, 'so is a reference');
  const part = await reference.call('part', []);
  if (!isRemoteReference(part)) throw new Error('no reference');
  t.equal(part.interfaceName, 'RIPart');
  t.equal(await part.call('number', []), 7);
  t.equal(there.broker.exportCount, 2, 'what is registered and the part');
  part.release();
  part.release();
  await settle();
  t.equal(there.broker.exportCount, 1);
  await t.rejects(part.call('number', []), { code: 'ERR_REMOTE' });
  kept?.release();
  await settle();
  t.strictSame(released, ['canary']);
});

t.test('a reference to an object of another peer is not passed on, and nothing is lost by trying', async (t) => {
  const one = await connected(echo);
  const other = await connected(echo);
  await t.rejects(one.reference.call('echo', [other.reference]), { code: 'ERR_VIOLATION' });
  const canary = objectOf({});
  await t.rejects(one.reference.call('echo', [canary, other.reference]), { code: 'ERR_VIOLATION' });
  t.equal(one.here.broker.exportCount, 0);
  t.equal(await one.reference.call('echo', ['still']), 'still');
});

t.test('the end of a connection ends everything on it', async (t) => {
  const told: string[] = [];
  const { here, reference, there } = await connected(
    objectOf({ wait: () => new Promise<Value>(() => undefined), hold: () => null }),
  );
  const canary: RemoteObject = { ...objectOf({}), released: () => told.push('released') };
  await reference.call('hold', [canary]);
  reference.notifyOnDisconnect(() => told.push('lost'));
  const taken = reference.notifyOnDisconnect(() => told.push('taken back'));
  taken();
  const waiting = reference.call('wait', [utf8('x'.repeat(1000))]);
  await settle();
  t.ok(there.memory() > 1000);
  t.throws(
    () => {
      for (const part of there.broker.errorToken('no more')) here.broker.receive(part);
    },
    { code: 'ERR_BANANA' },
  );
  for (const end of [here, there]) end.broker.end(endOf());
  await t.rejects(waiting, { code: 'ERR_CONNECTION_CLOSED' });
  await t.rejects(reference.call('hold', []), { code: 'ERR_CONNECTION_CLOSED' });
  t.strictSame(told, ['released', 'lost']);
  t.equal(there.memory(), 0);
  t.notOk(reference.connected);
  reference.notifyOnDisconnect(() => told.push('late'));
  t.equal(told.at(-1), 'late');
});

t.test('a call ends by its deadline and by its signal', async (t) => {
  const { here, reference } = await connected(objectOf({ wait: () => new Promise<Value>(() => undefined) }));
  const slow = reference.call('wait', [], new Map(), { timeoutMs: 50 });
  const cancelled = new AbortController();
  const given = reference.call('wait', [], new Map(), { signal: cancelled.signal });
  await settle();
  here.clock.advance(50);
  cancelled.abort();
  await t.rejects(slow, { code: 'ERR_TIMEOUT' });
  await t.rejects(given, { code: 'ERR_CANCELLED' });
  await t.rejects(reference.call('wait', [], new Map(), { signal: AbortSignal.abort() }), { code: 'ERR_CANCELLED' });
  t.equal(here.clock.pending, 0);
});

t.test('a PING is answered, unless its sender reads nothing', async (t) => {
  const one = makeBroker();
  one.broker.receive(Uint8Array.of(5, 0x8e, 0x8e));
  t.strictSame(
    one.sent.map((bytes) => [...bytes]),
    [[5, 0x8f], [0x8f]],
  );
  const deaf = makeBroker(new Map(), { mayPong: () => false });
  deaf.broker.receive(Uint8Array.of(5, 0x8e, 0x8e));
  t.strictSame(deaf.sent, []);
});

function endOf(): TahoeError {
  const facts = { server: 'a', what: 'a call', keptAlive: false, replyBegun: false };
  return new TahoeError('ERR_CONNECTION_CLOSED', facts);
}
