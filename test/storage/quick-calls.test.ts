/** Calls that are done at once, when not, and the file system that is made of them. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { machineFileSystem } from '#storage/node-file-system.js';
import { ALLOWANCE_MAX_MS, QUICK_SIZE_MAX, QuickCalls, SLOW_CALL_MS, SLOW_SHARE } from '#storage/quick-calls.js';
import { ManualClock } from '#test/fixtures/clock.js';

/** Makes a call that takes so long. */
function slowCall(calls: QuickCalls, clock: ManualClock, tookMs: number): void {
  calls.run(() => {
    clock.advance(tookMs);
  });
}

t.test('slow calls use up an allowance, which comes back with time', (t) => {
  const clock = new ManualClock();
  const calls = new QuickCalls(clock);
  for (let i = 0; i < 1000; i++) slowCall(calls, clock, SLOW_CALL_MS);
  t.equal(calls.isPaused, false, 'calls that are quick enough cost nothing');
  slowCall(calls, clock, ALLOWANCE_MAX_MS - 1);
  t.equal(calls.isPaused, false);
  slowCall(calls, clock, 11);
  t.equal(calls.isPaused, true);
  clock.advance(10 / SLOW_SHARE - 1);
  t.equal(calls.isPaused, true);
  clock.advance(2);
  t.equal(calls.isPaused, false);
  clock.advance(1e9);
  slowCall(calls, clock, ALLOWANCE_MAX_MS + 1);
  t.equal(calls.isPaused, true, 'there is never more of it than at first');
  t.end();
});

t.test('slow calls take no more than their share of the time', (t) => {
  const clock = new ManualClock();
  const calls = new QuickCalls(clock);
  let [slowMs, passedMs] = [0, 0];
  for (let i = 0; i < 100_000; i++) {
    const tookMs = 2 + (i % 9);
    if (!calls.isPaused) {
      slowCall(calls, clock, tookMs);
      slowMs += tookMs;
    } else clock.advance(1);
    passedMs = clock.monotonicMs();
  }
  t.ok(
    slowMs > 1000 && slowMs <= passedMs * SLOW_SHARE + 2 * ALLOWANCE_MAX_MS,
    `${String(slowMs)} of ${String(passedMs)}`,
  );
  t.end();
});

t.test('a call that fails was slow all the same', (t) => {
  const clock = new ManualClock();
  const calls = new QuickCalls(clock);
  t.throws(() => {
    calls.run(() => {
      clock.advance(ALLOWANCE_MAX_MS + 1);
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
  t.equal(calls.count, 5, 'closing it would free it where it had no name any more');
  t.equal(readFileSync(path, 'utf8'), 'first words');
  await t.rejects(file.stat(), { code: 'EBADF' });
  await t.rejects(file.writev([Buffer.from('more')], 0), { code: 'EBADF' });
  await t.rejects(system.open(path, 'wx+'), { code: 'EEXIST' });
  await t.rejects(system.lstat(`${path}s`), { code: 'ENOENT' });
});

t.test('a directory is made, opened for its sync and looked into at once, and so is the free space', async (t) => {
  const calls = new CountedCalls(new ManualClock());
  const system = machineFileSystem(calls);
  const top = join(t.testdir(), 'top');
  const path = join(top, 'below');
  t.equal(await system.mkdir(path, { recursive: true, mode: 0o700 }), top);
  t.equal(await system.mkdir(path, { recursive: true, mode: 0o700 }), undefined);
  t.strictSame(await system.readdir(top), ['below']);
  t.ok((await system.statfs(top)).bsize > 0);
  const opening = system.open(path, 'r');
  t.equal(calls.count, 5);
  const directory = await opening;
  await directory.sync();
  await directory.close();
  t.equal(calls.count, 5, 'syncs and closing are left to the threads');
  await t.rejects(system.readdir(join(top, 'other')), { code: 'ENOENT' });
  await t.rejects(system.open(join(top, 'other'), 'r'), { code: 'ENOENT' });
  await t.rejects(system.mkdir('/dev/null/below', { recursive: true, mode: 0o700 }), { code: 'ENOTDIR' });
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
  slowCall(calls, clock, ALLOWANCE_MAX_MS + 1);
  const slow = await system.open(`${path}s`, 'wx+', 0o600);
  await slow.writev([Buffer.from('words')], 0);
  t.equal((await slow.stat()).size, 5);
  t.equal((await system.lstat(`${path}s`)).size, 5);
  await system.rename(`${path}s`, path, true);
  await system.mkdir(`${path}d`, { recursive: true, mode: 0o700 });
  t.strictSame(await system.readdir(`${path}d`), []);
  t.ok((await system.statfs(path)).bsize > 0);
  await slow.close();
  t.equal(calls.count, 1);
});
