/**
 * The lock on a store: one owner at a time, whatever became of the one before, with epochs that only rise.
 */
import { mkdir, readFile, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import type { Test } from 'tap';
import { ownIdentity } from '#node/process-identity.js';
import { OWNER_RECORD_SIZE, formatOwnerRecord, parseOwnerRecord } from '#node/volume/owner-record.js';
import type { OwnerRecord } from '#node/volume/owner-record.js';
import { STALE_MS, takeOwnerLock } from '#node/volume/owner-lock.js';
import type { OwnerLock } from '#node/volume/owner-lock.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { temporaryDirectory } from '../fixtures/temporary-directory.js';

const own = await ownIdentity();
const node = 'a'.repeat(32);
const elsewhere: OwnerRecord = { ...own, bootId: 'another boot', pid: 7, node, heartbeatMs: 1, released: false };

interface Place {
  readonly directory: string;
  readonly clock: ManualClock;
  /** Whom a start has waited for. */
  readonly awaited: string[];
  take(): Promise<OwnerLock>;
}

async function place(t: Test): Promise<Place> {
  const directory = join(await temporaryDirectory(t), 'store', 'tallac', 'owner');
  const clock = new ManualClock();
  const awaited: string[] = [];
  const onWait = (owner: string): void => void awaited.push(owner);
  return { directory, clock, awaited, take: () => takeOwnerLock({ directory, node, process: own, clock, onWait }) };
}

/** Leaves an owner's file, last written so long ago: by default in an hour, so that it is young however slow this is. */
async function leave({ directory }: Place, epoch: number, text: string, agoMs = -3_600_000): Promise<string> {
  const path = join(directory, String(epoch));
  await mkdir(directory, { recursive: true });
  await writeFile(path, text);
  const changed = new Date(Date.now() - agoMs);
  await utimes(path, changed, changed);
  return path;
}

/** Lets the clock run until `promise` is settled. */
async function whileTimePasses<Result>(promise: Promise<Result>, { clock }: Place): Promise<Result> {
  let isSettled = false;
  const ending = promise.finally(() => (isSettled = true)).catch(() => undefined);
  while (!isSettled) {
    await settle(1);
    if (clock.pending > 0) clock.advance(1_000);
  }
  await ending;
  return promise;
}

t.test('records go there and back, in 512 bytes of ASCII', (t) => {
  const text = fc.string({ maxLength: 64 });
  const count = fc.nat();
  const record = fc.record({
    node: fc.stringMatching(/^[a-z2-7]{32}$/),
    host: text,
    bootId: fc.uuid(),
    pidNamespace: fc.stringMatching(/^pid:\[[0-9]{1,10}\]$/),
    pid: count,
    startTicks: count,
    heartbeatMs: count,
    released: fc.boolean(),
  });
  fc.assert(
    fc.property(record, (record) => {
      const written = formatOwnerRecord(record);
      const host = parseOwnerRecord(written)?.host ?? '';
      return (
        Buffer.byteLength(written) === OWNER_RECORD_SIZE &&
        host.length <= 64 &&
        JSON.stringify(parseOwnerRecord(written)) === JSON.stringify({ ...parseOwnerRecord(written), ...record, host })
      );
    }),
  );
  const whole = formatOwnerRecord(elsewhere);
  for (const bad of ['', '{', '[]', 'null', '7', '{}', whole.replace('"pid":7', '"pid":-7'), whole.slice(0, 99)]) {
    t.equal(parseOwnerRecord(bad), undefined, bad);
  }
  for (const field of [
    'format',
    'node',
    'host',
    'bootId',
    'pidNamespace',
    'pid',
    'startTicks',
    'heartbeatMs',
    'released',
  ])
    t.equal(parseOwnerRecord(whole.replace(`"${field}"`, '"other"')), undefined, `without ${field}`);
  t.end();
});

t.test('epochs rise from owner to owner, also over restarts in good order', async (t) => {
  const here = await place(t);
  for (const epoch of [1, 2, 3]) {
    const lock = await here.take();
    t.equal(lock.epoch, epoch);
    t.ok(await lock.isHeld());
    t.strictSame(await readdir(here.directory), [String(epoch)], 'older files are removed');
    t.match(parseOwnerRecord(await readFile(join(here.directory, String(epoch)), 'utf8')), {
      ...own,
      node,
      heartbeatMs: here.clock.nowMs(),
      released: false,
    });
    await lock.beat(true);
    await lock.close();
  }
  t.strictSame(here.awaited, []);
});

t.test('an owner that lives keeps others out', async (t) => {
  const here = await place(t);
  const lock = await here.take();
  t.teardown(() => lock.close());
  await t.rejects(here.take(), {
    code: 'ERR_VOLUME_IN_USE',
    message: `the store in '${join(here.directory, '../..')}' is in use by node ${node} (process ${String(process.pid)} on ${own.host}); stop it first: two nodes on one store lose shares`,
  });
  t.ok(await lock.isHeld());
});

t.test('an owner whose process is gone is succeeded at once', async (t) => {
  const here = await place(t);
  const dead = { ...elsewhere, ...own, startTicks: own.startTicks + 1 };
  await leave(here, 41, formatOwnerRecord(dead));
  const lock = await here.take();
  t.equal(lock.epoch, 42);
  t.strictSame(here.awaited, []);
  await lock.close();
});

t.test('an owner elsewhere is succeeded at once when the volume says it has been silent for long', async (t) => {
  const here = await place(t);
  await leave(here, 1, formatOwnerRecord(elsewhere), STALE_MS + 5_000);
  const lock = await here.take();
  t.equal(lock.epoch, 2);
  t.strictSame(await readdir(here.directory), ['2'], 'nothing of the question is left');
  await lock.close();
});

t.test('an owner elsewhere is watched, and succeeded when its heart does not beat', async (t) => {
  for (const [text, owner] of [
    [formatOwnerRecord(elsewhere), `node ${node} (process 7 on ${own.host})`],
    ['', 'a node that is starting'],
    [formatOwnerRecord(elsewhere).slice(0, 40), 'a node that is starting'],
  ] as const) {
    const here = await place(t);
    await leave(here, 5, text);
    const lock = await whileTimePasses(here.take(), here);
    t.equal(lock.epoch, 6);
    t.strictSame(here.awaited, [owner]);
    t.ok(here.clock.monotonicMs() >= STALE_MS, 'it was given its time');
    await lock.close();
  }
});

t.test('clocks of machines that disagree kill nobody: a heartbeat is a heartbeat', async (t) => {
  for (const agoMs of [-3_600_000, -86_400_000]) {
    const here = await place(t);
    const path = await leave(here, 5, formatOwnerRecord(elsewhere), agoMs);
    const taking = here.take();
    while (here.awaited.length === 0) await settle(1);
    await writeFile(path, formatOwnerRecord({ ...elsewhere, heartbeatMs: 0 }));
    await t.rejects(whileTimePasses(taking, here), { code: 'ERR_VOLUME_IN_USE' });
    t.ok(here.clock.monotonicMs() < STALE_MS);
    t.strictSame(await readdir(here.directory), ['5']);
  }
});

t.test('an owner elsewhere that lets go while it is watched is succeeded', async (t) => {
  const here = await place(t);
  const path = await leave(here, 5, formatOwnerRecord(elsewhere));
  const taking = here.take();
  while (here.awaited.length === 0) await settle(1);
  await writeFile(path, formatOwnerRecord({ ...elsewhere, released: true }));
  const lock = await whileTimePasses(taking, here);
  t.equal(lock.epoch, 6);
  t.ok(here.clock.monotonicMs() < STALE_MS);
  await lock.close();
});

t.test('of many that start on a dead owner’s lock, one owns', async (t) => {
  const here = await place(t);
  await leave(here, 9, formatOwnerRecord({ ...elsewhere, released: true }));
  const starts = Array.from({ length: 8 }, () => here.take());
  const takings = await whileTimePasses(Promise.allSettled(starts), here);
  const locks = takings.flatMap((taking) => (taking.status === 'fulfilled' ? [taking.value] : []));
  t.equal(locks.length, 1);
  for (const taking of takings) {
    if (taking.status === 'rejected') t.match(taking.reason, { code: 'ERR_VOLUME_IN_USE' });
  }
  await locks[0]?.close();
});

t.test('who was overtaken notices, and its heartbeat harms nobody', async (t) => {
  const here = await place(t);
  const sleeper = await here.take();
  await writeFile(join(here.directory, '1'), formatOwnerRecord({ ...elsewhere, released: true }));
  const second = await here.take();
  const text = await readFile(join(here.directory, '2'), 'utf8');
  t.notOk(await sleeper.isHeld());
  await sleeper.beat();
  t.strictSame(await readdir(here.directory), ['2']);
  t.equal(await readFile(join(here.directory, '2'), 'utf8'), text);
  await second.beat(true);
  await second.close();
  const third = await here.take();
  t.notOk(await sleeper.isHeld(), 'also when it was overtaken twice');
  await rm(here.directory, { recursive: true });
  t.notOk(await third.isHeld(), 'a lock whose volume is gone is held by nobody');
  await sleeper.close();
  await third.close();
});

t.test('an epoch that others have left behind is no epoch to own', async (t) => {
  const here = await place(t);
  await leave(here, 3, formatOwnerRecord(elsewhere));
  const taking = here.take();
  while (here.awaited.length === 0) await settle(1);
  // Meanwhile others have owned it as 4 and as 5.
  await leave(here, 5, formatOwnerRecord({ ...elsewhere, released: true }));
  await rm(join(here.directory, '3'));
  const lock = await whileTimePasses(taking, here);
  t.equal(lock.epoch, 6, 'not 4, which was free');
  t.ok(await lock.isHeld());
  t.strictSame(await readdir(here.directory), ['6']);
  await lock.close();
});

t.test('a lock that cannot be written is an error and leaves nothing', async (t) => {
  const here = await place(t);
  await mkdir(join(here.directory, '..'), { recursive: true });
  await writeFile(here.directory, 'a file where the directory should be');
  await t.rejects(here.take(), { code: 'ERR_FILE' });
});
