/** When a node counts as alive and when as ready. */
import t from 'tap';
import { CHECK_TIMEOUT_MS, NodeHealth } from '#node/health/node-health.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';

t.test('ready is who serves, and not who starts or stops', async (t) => {
  const health = new NodeHealth(new ManualClock());
  t.strictSame(await health.ready(), { ok: false, failures: ['the node: it is starting'], notes: [] });
  health.serving();
  t.strictSame(await health.ready(), { ok: true, failures: [], notes: [] });
  health.stopping();
  t.strictSame(await health.ready(), { ok: false, failures: ['the node: it is stopping'], notes: [] });
  t.strictSame(await health.live(), { ok: true, failures: [], notes: [] }, 'it lives all the same');
});

t.test('only vital checks decide about life', async (t) => {
  const clock = new ManualClock();
  const health = new NodeHealth(clock);
  health.serving();
  let vitalFails = false;
  health.addCheck({
    name: 'the disk',
    vital: true,
    run: async () => vitalFails && Promise.reject(new Error('it is gone')),
  });
  health.addCheck({ name: 'the volume', vital: false, run: () => Promise.reject(new Error('it is foreign')) });
  t.strictSame(await health.live(), { ok: true, failures: [], notes: [] });
  t.strictSame(await health.ready(), { ok: false, failures: ['the volume: it is foreign'], notes: [] });
  vitalFails = true;
  t.strictSame(await health.live(), { ok: false, failures: ['the disk: it is gone'], notes: [] });
  t.equal(clock.pending, 0, 'no timer is left');
});

t.test('notes are told to those who ask whether it is ready, as long as nothing has failed', async (t) => {
  const clock = new ManualClock();
  const health = new NodeHealth(clock);
  health.serving();
  let isDiskWell = true;
  health.addNote({ name: 'the store', run: () => Promise.resolve('it is full') });
  health.addNote({ name: 'the store', run: () => Promise.resolve(undefined) });
  health.addNote({ name: 'the store', run: () => Promise.reject(new Error('nobody knows')) });
  const run = (): Promise<void> => (isDiskWell ? Promise.resolve() : Promise.reject(new Error('it is gone')));
  health.addCheck({ name: 'the disk', vital: true, run });
  t.strictSame(await health.ready(), { ok: true, failures: [], notes: ['the store: it is full'] });
  t.strictSame(await health.live(), { ok: true, failures: [], notes: [] });
  isDiskWell = false;
  t.strictSame(await health.ready(), { ok: false, failures: ['the disk: it is gone'], notes: [] });
  t.equal(clock.pending, 0);
});

t.test('a check that hangs has failed, and is not started again before it ends', async (t) => {
  const clock = new ManualClock();
  const health = new NodeHealth(clock);
  let started = 0;
  let end = (): void => undefined;
  const run = (): Promise<void> => {
    started += 1;
    return new Promise((resolve) => (end = resolve));
  };
  health.addCheck({ name: 'the disk', vital: true, run });
  for (let i = 0; i < 3; i++) {
    const report = health.live();
    clock.advance(CHECK_TIMEOUT_MS);
    t.match(await report, { ok: false, failures: [/^the disk: it gave no answer within 2 s$/] });
  }
  t.equal(started, 1);
  end();
  await settle();
  const report = health.live();
  end();
  t.match(await report, { ok: true });
  t.equal(started, 2);
});
