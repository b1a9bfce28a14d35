/** The heart of an owned store: it beats, it notices what it has lost, and it tells how the volume is. */
import t from 'tap';
import { silentLog } from '#core/environment.js';
import { HEALTH_LIMIT_MS, HEARTBEAT_MS, Heartbeat, TRUST_MS } from '#node/volume/heartbeat.js';
import { STALE_MS } from '#node/volume/owner-lock.js';
import type { OwnerLock } from '#node/volume/owner-lock.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';

/** A lock that does what it is told. */
class ToldLock implements OwnerLock {
  readonly epoch = 1;
  held = true;
  failure: Error | undefined;
  hanging: Promise<void> | undefined;
  looks = 0;
  readonly beats: boolean[] = [];
  isClosed = false;

  async isHeld(): Promise<boolean> {
    this.looks += 1;
    await this.hanging;
    return this.held;
  }

  async beat(released = false): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    this.beats.push(released);
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

function make(): { lock: ToldLock; clock: ManualClock; heartbeat: Heartbeat } {
  const lock = new ToldLock();
  const clock = new ManualClock();
  return { lock, clock, heartbeat: new Heartbeat(lock, '/store', clock, silentLog) };
}

t.test('nobody is trusted for longer than it takes to be succeeded', async (t) => {
  t.ok(TRUST_MS + HEARTBEAT_MS < STALE_MS);
});

t.test('it beats as long as it runs, and lets go when it stops', async (t) => {
  const { lock, clock, heartbeat } = make();
  heartbeat.start();
  for (let count = 1; count <= 3; count++) {
    clock.advance(HEARTBEAT_MS);
    await settle();
    t.equal(lock.beats.length, count);
  }
  const looks = lock.looks;
  await heartbeat.assertOwner();
  t.equal(lock.looks, looks, 'between two beats the store is not looked at');
  t.strictSame(heartbeat.health(), { ok: true, reason: '' });
  await heartbeat.stop();
  t.strictSame(lock.beats, [false, false, false, true]);
  t.ok(lock.isClosed);
  t.equal(clock.pending, 0, 'nothing goes on');
  await t.rejects(heartbeat.assertOwner(), { code: 'ERR_STORE_READONLY' });
});

t.test('after a pause it looks before anything is acknowledged', async (t) => {
  const { lock, clock, heartbeat } = make();
  // Not started: as when the whole process was stopped.
  clock.advance(TRUST_MS + 1);
  await Promise.all([heartbeat.assertOwner(), heartbeat.assertOwner(), heartbeat.assertOwner()]);
  t.equal(lock.looks, 1, 'once for all who ask');
  t.equal(lock.beats.length, 1, 'and says that it lives');
  clock.advance(TRUST_MS + 1);
  lock.held = false;
  const lost = { code: 'ERR_STORE_READONLY', message: /another node has taken over the store/ };
  await t.rejects(heartbeat.assertOwner(), lost);
  t.equal(lock.beats.length, 1, 'it does not write into what is another’s');
  lock.held = true;
  await t.rejects(heartbeat.assertOwner(), lost, 'what is lost stays lost');
  t.match(heartbeat.health(), { ok: false, reason: /another node has taken over/ });
  lock.held = false;
  await heartbeat.stop();
  t.equal(lock.beats.length, 1, 'nor does it let go of it');
  t.ok(lock.isClosed);
});

t.test('a pause shows in either clock', async (t) => {
  for (const jump of ['nowMs', 'monotonicMs'] as const) {
    const lock = new ToldLock();
    const clock = new ManualClock();
    let jumpMs = 0;
    const read = clock[jump].bind(clock);
    clock[jump] = () => read() + jumpMs;
    const heartbeat = new Heartbeat(lock, '/store', clock, silentLog);
    await heartbeat.assertOwner();
    t.equal(lock.looks, 0);
    jumpMs = TRUST_MS + 1;
    await heartbeat.assertOwner();
    t.equal(lock.looks, 1, jump);
    await heartbeat.stop();
  }
});

t.test('a loss is noticed without being asked, and it does not go on beating', async (t) => {
  const { lock, clock, heartbeat } = make();
  heartbeat.start();
  lock.held = false;
  clock.advance(HEARTBEAT_MS);
  await settle();
  t.match(heartbeat.lost, /another node/);
  t.equal(clock.pending, 0);
  await heartbeat.stop();
});

t.test('a volume that fails is not well, and nothing is acknowledged until it answers', async (t) => {
  const { lock, clock, heartbeat } = make();
  heartbeat.start();
  lock.failure = Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' });
  clock.advance(HEARTBEAT_MS);
  await settle();
  t.strictSame(heartbeat.health(), { ok: false, reason: 'EIO: i/o error, write' });
  clock.advance(TRUST_MS);
  await settle();
  await t.rejects(heartbeat.assertOwner(), { code: 'ERR_FILE', message: /EIO/ });
  t.equal(heartbeat.lost, undefined, 'it is not lost for that');
  lock.failure = undefined;
  await heartbeat.assertOwner();
  t.strictSame(heartbeat.health(), { ok: true, reason: '' });
  await heartbeat.stop();
});

t.test('a volume that hangs is not well after a while; asking never waits', async (t) => {
  const { lock, clock, heartbeat } = make();
  let answer: () => void = () => undefined;
  lock.hanging = new Promise((resolve) => (answer = resolve));
  heartbeat.start();
  clock.advance(HEARTBEAT_MS);
  t.match(heartbeat.health(), { ok: true });
  clock.advance(HEALTH_LIMIT_MS + 1_000);
  t.strictSame(heartbeat.health(), { ok: false, reason: 'it gave no answer within 11 s' });
  answer();
  await settle();
  t.match(heartbeat.health(), { ok: true });
  await heartbeat.stop();
});
