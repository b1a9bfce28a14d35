/** Calls that are done at once, how long not after a slow one, and the file system that is made of them. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { machineFileSystem } from '#storage/node-file-system.js';
import {
  QUICK_PAUSE_FACTOR,
  QUICK_PAUSE_MIN_MS,
  QUICK_SIZE_MAX,
  QuickCalls,
  SLOW_CALL_MS,
} from '#storage/quick-calls.js';
import { ManualClock } from '#test/fixtures/clock.js';

/** Calls of which each takes so long. */
function slowCalls(tookMs: number): { calls: QuickCalls; clock: ManualClock; call: () => void } {
  const clock = new ManualClock();
  return { calls: new QuickCalls(clock), clock, call: () => clock.advance(tookMs) };
}

t.test('after a slow call the threads do it for a while, the longer the slower it was', (t) => {
  for (const [tookMs, pauseMs] of [
    [SLOW_CALL_MS + 1, QUICK_PAUSE_MIN_MS],
    [100, 100 * QUICK_PAUSE_FACTOR],
  ] as const) {
    const { calls, clock, call } = slowCalls(tookMs);
    t.equal(calls.isPaused, false);
    calls.run(call);
    t.equal(calls.isPaused, true);
    clock.advance(pauseMs - 1);
    t.equal(calls.isPaused, true);
    clock.advance(1);
    t.equal(calls.isPaused, false);
  }
  const { calls, call } = slowCalls(SLOW_CALL_MS);
  calls.run(call);
  t.equal(calls.isPaused, false, 'quick enough');
  t.end();
});

t.test('a call that fails was slow all the same', (t) => {
  const { calls, call } = slowCalls(SLOW_CALL_MS + 1);
  t.throws(() => {
    calls.run(() => {
      call();
      throw new Error('EIO');
    });
  }, /EIO/);
  t.equal(calls.isPaused, true);
  t.end();
});

/** How many calls were done at once. */
class CountedCalls extends QuickCalls {
  count = 0;

  override run<Result>(call: () => Result): Result {
    this.count += 1;
    return super.run(call);
  }
}

t.test('a small file is made, written, looked at and renamed at once', async (t) => {
  const calls = new CountedCalls(new ManualClock());
  const system = machineFileSystem(calls);
  const path = join(t.testdir(), 'file');
  const opening = system.open(path, 'wx+', 0o600);
  t.ok(existsSync(path), 'in the same turn');
  const file = await opening;
  t.same(await file.writev([Buffer.from('first '), Buffer.from('words')], 0), { bytesWritten: 11 });
  t.equal((await file.stat()).size, 11);
  t.equal((await system.lstat(path)).size, 11);
  await system.rename(path, `${path}s`, true);
  t.equal(calls.count, 5);
  await system.rename(`${path}s`, path);
  t.equal(calls.count, 5, 'what may have to free a file is left to the threads');
  await file.close();
  t.equal(readFileSync(path, 'utf8'), 'first words');
  await t.rejects(file.stat(), { code: 'EBADF' });
  await t.rejects(file.writev([Buffer.from('more')], 0), { code: 'EBADF' });
  await t.rejects(system.open(path, 'wx+'), { code: 'EEXIST' });
  await t.rejects(system.lstat(`${path}s`), { code: 'ENOENT' });
});

t.test('what is large, may be new to the system, or comes after a slow call is left to the threads', async (t) => {
  const clock = new ManualClock();
  const calls = new CountedCalls(clock);
  const system = machineFileSystem(calls);
  const path = join(t.testdir(), 'file');
  const file = await system.open(path, 'wx+', 0o600);
  calls.count = 0;
  await file.writev([Buffer.alloc(QUICK_SIZE_MAX), Buffer.alloc(1)], 0);
  await file.close();
  const known = await system.open(path, 'r+');
  await known.close();
  t.equal(calls.count, 0);
  calls.run(() => {
    clock.advance(SLOW_CALL_MS + 1);
  });
  const slow = await system.open(`${path}s`, 'wx+', 0o600);
  await slow.writev([Buffer.from('words')], 0);
  t.equal((await slow.stat()).size, 5);
  t.equal((await system.lstat(`${path}s`)).size, 5);
  await system.rename(`${path}s`, path, true);
  await slow.close();
  t.equal(calls.count, 1);
});
