/** What a service manager is told: which messages, in which order, and when there are none. */
import t from 'tap';
import { findServiceManager, ServiceManager } from '#node/service-manager.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';

function managed({ watchdogMs, send }: { watchdogMs?: number; send?: (line: string) => Promise<void> } = {}) {
  const clock = new ManualClock();
  const sent: string[] = [];
  const failures: string[] = [];
  const manager = new ServiceManager({
    clock,
    watchdogMs,
    monotonicMicroseconds: () => 12_345n,
    onFailure: (reason) => void failures.push(reason),
    send: async (lines) => {
      await send?.(lines.join(' '));
      sent.push(lines.join(' '));
    },
  });
  return { clock, sent, failures, manager };
}

t.test('messages go one after the other, however long one takes', async (t) => {
  const held: (() => void)[] = [];
  const { manager, sent } = managed({ send: () => new Promise((resolve) => held.push(resolve)) });
  const all = [manager.ready('serving'), manager.reloading(), manager.ready('one\nWATCHDOG=1'), manager.stopping()];
  await settle();
  t.equal(held.length, 1, 'the second waits for the first');
  for (let i = 0; i < all.length; i++) {
    held[i]?.();
    await settle();
  }
  await Promise.all(all);
  t.strictSame(sent, [
    'READY=1 STATUS=serving',
    'RELOADING=1 MONOTONIC_USEC=12345',
    'READY=1 STATUS=one WATCHDOG=1',
    'STOPPING=1 STATUS=stopping',
  ]);
});

t.test('signs of life come while the node is well, and no longer than it runs', async (t) => {
  const { clock, manager, sent } = managed({ watchdogMs: 1000 });
  let problem: string | undefined;
  const pass = async (ms: number): Promise<string[]> => {
    clock.advance(ms);
    await settle();
    return sent.splice(0);
  };
  manager.watch(() => (problem === 'throw' ? Promise.reject(new Error('no disk')) : Promise.resolve(problem)));
  t.strictSame(await pass(999), []);
  t.strictSame(await pass(1), ['WATCHDOG=1']);
  t.strictSame(await pass(1000), ['WATCHDOG=1']);
  problem = 'the disk: gone';
  t.strictSame(await pass(1000), ['STATUS=not well: the disk: gone']);
  problem = 'throw';
  t.strictSame(await pass(1000), ['STATUS=not well: no disk']);
  problem = undefined;
  t.strictSame(await pass(1000), ['WATCHDOG=1']);
  await manager.stopping();
  t.strictSame(await pass(10_000), ['STOPPING=1 STATUS=stopping']);
  t.equal(clock.pending, 0);
});

t.test('a check that hangs gives no sign of life', async (t) => {
  const { clock, manager, sent } = managed({ watchdogMs: 1000 });
  manager.watch(() => new Promise(() => undefined));
  clock.advance(60_000);
  await settle();
  t.strictSame(sent, []);
});

t.test('a message that cannot be sent is told, and the next one goes', async (t) => {
  let isBroken = true;
  const send = () => (isBroken ? Promise.reject(new Error('no systemd-notify')) : Promise.resolve());
  const { failures, manager, sent } = managed({ send });
  await manager.ready('serving');
  isBroken = false;
  await manager.stopping();
  t.strictSame(failures, ['no systemd-notify']);
  t.strictSame(sent, ['STOPPING=1 STATUS=stopping']);
});

t.test('there is one where the environment names it', async (t) => {
  const clock = new ManualClock();
  const failures: string[] = [];
  const find = (environment: Record<string, string>) =>
    findServiceManager(environment, { clock, onFailure: (reason) => void failures.push(reason) });
  t.equal(find({}), undefined);
  t.equal(find({ NOTIFY_SOCKET: '' }), undefined);
  const delayOf = (more: Record<string, string>): number | undefined => {
    find({ NOTIFY_SOCKET: '/absent', ...more })?.watch(() => Promise.resolve('unused'));
    const delay = clock.untilNextMs;
    return delay;
  };
  t.equal(delayOf({}), undefined);
  t.equal(delayOf({ WATCHDOG_USEC: 'soon' }), undefined);
  t.equal(delayOf({ WATCHDOG_USEC: '3000000', WATCHDOG_PID: '1' }), undefined, 'meant for another process');
  t.equal(delayOf({ WATCHDOG_USEC: '3000000', WATCHDOG_PID: String(process.pid) }), 1500);
  await find({ NOTIFY_SOCKET: '/absent', PATH: '/absent' })?.ready('serving');
  t.match(failures, [/systemd-notify/]);
});
