/** Keys off the main thread, and the pool that keeps a few ready. */
import t from 'tap';
import { silentLog } from '#core/environment.js';
import { equalBytes, utf8 } from '#core/bytes.js';
import { createBulkCrypto, createCrypto } from '#node/crypto-choice.js';
import { READY_KEYS, RsaKeyPool } from '#node/rsa-key-pool.js';
import { ManualClock } from '../fixtures/clock.js';
import { crypto } from '../fixtures/crypto.js';

/** A maker of keys whose keys come when the test says so: key n is one byte, n. */
class Maker {
  readonly #pending: { resolve: (key: Uint8Array) => void; reject: (error: Error) => void }[] = [];
  made = 0;

  readonly generate = (): Promise<Uint8Array> =>
    new Promise((resolve, reject) => {
      this.#pending.push({ resolve, reject });
    });

  get underWay(): number {
    return this.#pending.length;
  }

  async finishOne(): Promise<void> {
    this.#pending.shift()?.resolve(Uint8Array.of(++this.made));
    await settled();
  }

  async failOne(): Promise<void> {
    this.#pending.shift()?.reject(new Error('no luck'));
    await settled();
  }
}

/** After all that promises have to do. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** A pool whose clock is the test's. */
function poolOf(maker: Maker, clock = new ManualClock(), isBusy = () => false): RsaKeyPool {
  return new RsaKeyPool({ generate: maker.generate, isBusy, clock, log: silentLog });
}

t.test('two keys are made ready, one after the other, and each is given once', async (t) => {
  const maker = new Maker();
  const pool = poolOf(maker);
  t.equal(maker.underWay, 0, 'nothing is made before anybody asks');
  const zeroth = pool.takeKey();
  t.equal(maker.underWay, 2, 'two at a time while somebody waits');
  await maker.finishOne();
  t.same(await zeroth, Uint8Array.of(1));
  await maker.finishOne();
  t.equal(maker.underWay, 1, 'one at a time while nobody does');
  await maker.finishOne();
  t.equal(maker.underWay, 0, 'no more are made');
  t.same(await pool.takeKey(), Uint8Array.of(2));
  t.equal(maker.underWay, 1, 'what is taken is made anew');
  t.same(await pool.takeKey(), Uint8Array.of(3));
  const third = pool.takeKey();
  t.equal(maker.underWay, 2);
  await maker.finishOne();
  t.same(await third, Uint8Array.of(4));
  await maker.finishOne();
  await maker.finishOne();
  await pool.close();
});

t.test('a pool beside work makes keys for later when the work is over', async (t) => {
  const maker = new Maker();
  const clock = new ManualClock();
  let isBusy = true;
  const pool = poolOf(maker, clock, () => isBusy);
  for (let waits = 0; waits < 4; waits++) clock.advance(5_000);
  t.equal(maker.underWay, 1, 'one of the pair that is made at any time');
  await maker.finishOne();
  await maker.finishOne();
  t.equal(maker.underWay, 0, 'and no more beside the work');
  isBusy = false;
  clock.advance(5_000);
  t.equal(maker.underWay, 1, 'the rest when it is over');
  isBusy = true;
  await maker.finishOne();
  t.equal(maker.underWay, 0, 'work that begins stops it again');
  await pool.close();
});

t.test('an idle pool fills up, one key at a time, and stops when somebody asks', async (t) => {
  const maker = new Maker();
  const clock = new ManualClock();
  const pool = poolOf(maker, clock);
  clock.advance(4_999);
  t.equal(maker.underWay, 0);
  clock.advance(1);
  for (let made = 0; made < READY_KEYS; made++) {
    t.equal(maker.underWay, 1);
    await maker.finishOne();
  }
  t.equal(maker.underWay, 0, 'no more than that');
  for (let i = 1; i <= READY_KEYS - 2; i++) t.same(await pool.takeKey(), Uint8Array.of(i));
  t.equal(maker.underWay, 0, 'nothing is made beside the work');
  clock.advance(4_999);
  await pool.takeKey();
  t.equal(maker.underWay, 1, 'one for the pair that is always made');
  await maker.finishOne();
  clock.advance(4_999);
  t.equal(maker.underWay, 0, 'the wait began anew');
  clock.advance(1);
  t.equal(maker.underWay, 1);
  const closed = pool.close();
  await maker.finishOne();
  await closed;
  t.same([maker.underWay, clock.pending], [0, 0]);
});

t.test('who waits is served in order; who gives up takes no key along', async (t) => {
  const maker = new Maker();
  const pool = poolOf(maker);
  const controller = new AbortController();
  const first = pool.takeKey(controller.signal);
  const second = pool.takeKey();
  controller.abort();
  await t.rejects(first, { code: 'ERR_CANCELLED' });
  await maker.finishOne();
  t.same(await second, Uint8Array.of(1));
  await t.rejects(pool.takeKey(controller.signal), { code: 'ERR_CANCELLED' });
  while (maker.underWay > 0) await maker.finishOne();
  t.equal(maker.made, 3, 'one was taken, two are ready');
  await pool.close();
});

t.test('a failure reaches who waits, and is tried again only when somebody asks', async (t) => {
  const maker = new Maker();
  const clock = new ManualClock();
  const pool = poolOf(maker, clock);
  clock.advance(5_000);
  await maker.failOne();
  t.equal(maker.underWay, 0);
  const refused = t.rejects(pool.takeKey(), { message: 'no luck' });
  await maker.failOne();
  await refused;
  const again = pool.takeKey();
  await maker.finishOne();
  t.same(await again, Uint8Array.of(maker.made));
  while (maker.underWay > 0) await maker.finishOne();
  await pool.close();
});

t.test('a pool that closes refuses who waits and waits for keys under way', async (t) => {
  const maker = new Maker();
  const pool = poolOf(maker);
  const waiting = pool.takeKey();
  const closed = pool.close();
  await t.rejects(waiting, { code: 'ERR_CANCELLED' });
  await t.rejects(pool.takeKey(), { code: 'ERR_CANCELLED' });
  while (maker.underWay > 0) await maker.finishOne();
  await closed;
  t.equal(maker.underWay, 0, 'nothing is begun any more');
});

t.test('no more than a thousand may wait', async (t) => {
  const maker = new Maker();
  const pool = poolOf(maker);
  const waiting = Array.from({ length: 1000 }, () => pool.takeKey());
  await t.rejects(pool.takeKey(), { code: 'ERR_TOO_MANY' });
  const closed = pool.close();
  const outcomes = await Promise.allSettled(waiting);
  t.ok(outcomes.every(({ status }) => status === 'rejected'));
  while (maker.underWay > 0) await maker.finishOne();
  await closed;
});

t.test('the chosen provider: its name, its bytes, and a key from its thread', async (t) => {
  const portable = await createCrypto('portable');
  t.same([portable.name, (await createCrypto('native')).name], ['portable', 'native']);
  const message = utf8('what is signed');
  for (const name of ['native', 'portable'] as const) {
    const bulk = await createBulkCrypto(name);
    t.ok(equalBytes(bulk.sha256(message), crypto.sha256(message)));
    t.equal('sha1' in bulk, name === 'portable');
  }
  const key = await portable.generateRsaKey();
  t.ok(crypto.rsaVerify(crypto.rsaPublicKey(key), message, portable.rsaSign(key, message)));
});
