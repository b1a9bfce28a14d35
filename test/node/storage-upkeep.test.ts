/** What a storage node does for its store by itself: expiry and scrub in their time, and room that has a limit. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { silentLog } from '#core/environment.js';
import type { Log } from '#core/environment.js';
import { Closers } from '#node/closers.js';
import { readSettings } from '#node/settings.js';
import type { StorageSettings } from '#node/settings.js';
import { startUpkeep, UPKEEP_DELAY_MS, UPKEEP_PAUSE_MS } from '#node/storage-upkeep.js';
import { ExpiringFiles } from '#storage/index/expired-shares.js';
import { REPORT_GRACE_MS } from '#storage/index/expiry-cycle.js';
import { startRecurring } from '#storage/index/recurring.js';
import { INCOMING_AGE_MAX_MS, limitFreeBytes, WALK_AGE_MAX_MS } from '#storage/index/space-limit.js';
import { totalDiskBytes } from '#storage/index/usage.js';
import { KeyedLock } from '#storage/keyed-lock.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { crypto } from '#test/fixtures/crypto.js';
import { makeIndexSubject } from '#test/fixtures/index-subject.js';
import { immutableFile, placeFile, placeOf } from '#test/fixtures/share-files.js';
import { configure } from './fixtures/configure.js';

function storageSettings(tahoe: string, tallac: string, directory: string): StorageSettings {
  const { storage } = readSettings(configure(`[storage]\nstorage_dir = ${directory}\n${tahoe}`, tallac), '/node');
  if (storage === undefined) throw new Error('no storage');
  return storage;
}

/** A log that keeps the names of its lines. */
function listeningLog(): Log & { readonly events: string[] } {
  const events: string[] = [];
  const keep = (event: string): void => {
    events.push(event);
  };
  return { events, debug: keep, info: keep, warn: keep, error: keep };
}

async function makeUpkeep(t: Test, tahoe: string, tallac = '') {
  const subject = await makeIndexSubject(t);
  const { layout, events, clock, inventory } = subject;
  for (const i of [0, 1]) await placeFile(layout, placeOf(i), immutableFile(new Uint8Array(50), [i === 0 ? 5 : 4e9]));
  const log = listeningLog();
  const attached = await subject.open();
  await attached.index.compared();
  const closers = new Closers(clock, silentLog);
  const store = new ExpiringFiles({ layout, inventory, events, lock: new KeyedLock() });
  const settings = storageSettings(tahoe, tallac, subject.directory);
  const damaged: string[] = [];
  const onDamage = async (_place: unknown, reason: string): Promise<void> => {
    damaged.push(reason);
  };
  const upkeep = startUpkeep({ settings, attached, store, onDamage, crypto, clock, log, closers });
  /** Lets time pass, and waits until the log says `event` once more. */
  const until = async (event: string, passMs: number): Promise<void> => {
    const before = log.events.filter((each) => each === event).length;
    clock.advance(passMs);
    for (let i = 0; i < 20_000 && log.events.filter((each) => each === event).length === before; i++) {
      await settle();
      clock.advance(1);
    }
    t.ok(log.events.filter((each) => each === event).length > before, event);
    await settle();
  };
  const close = async (): Promise<void> => {
    await closers.closeAll();
    await attached.close();
    t.equal(clock.pending, 0, 'no timer is left');
  };
  return { subject, upkeep, log, until, close, damaged };
}

t.test('shares that no lease keeps go by themselves', async (t) => {
  const { subject, until, close } = await makeUpkeep(
    t,
    'expire.enabled = true\nexpire.mode = age\n',
    '[storage]\nscrub_rate = 0\n',
  );
  await until('storage.expiry-reported', UPKEEP_DELAY_MS);
  const graceHours = REPORT_GRACE_MS / UPKEEP_PAUSE_MS;
  let hours = 0;
  for (; hours < 2 * graceHours && (await subject.inventory.look(placeOf(0))) !== undefined; hours++) {
    subject.clock.advance(UPKEEP_PAUSE_MS);
    // The next time is set when this one has ended.
    for (let i = 0; i < 20_000 && subject.clock.pending === 0; i++) await settle();
  }
  t.ok(hours >= graceHours && hours <= graceHours + 2, `gone after ${hours} hours`);
  t.ok(await subject.inventory.look(placeOf(1)));
  await close();
});

t.test('nothing goes unless it is asked for', async (t) => {
  for (const options of ['', 'expire.enabled = true\nexpire.mode = age\nreadonly = true\n']) {
    const { subject, upkeep, until, log, close } = await makeUpkeep(t, options);
    await until('storage.scrub-finished', UPKEEP_DELAY_MS);
    t.match(upkeep.scrubFigures(), { shareCount: 2, newCount: 2 });
    t.same(
      log.events.filter((event) => event.includes('expiry')),
      [],
    );
    t.ok(await subject.inventory.look(placeOf(0)));
    await close();
  }
  const { upkeep, close } = await makeUpkeep(t, '', '[storage]\nscrub_rate = 0\n');
  t.equal(upkeep.scrubFigures(), undefined);
  await close();
});

t.test('rot is told of', async (t) => {
  const { subject, until, close, damaged } = await makeUpkeep(t, '');
  await writeFile(subject.layout.share(placeOf(1).storageIndex, 1), 'rot');
  subject.events.tell({ ...placeOf(1), kind: 'written' });
  await until('storage.scrub-finished', UPKEEP_DELAY_MS);
  t.same(damaged, ['it holds 3 bytes, less than a header']);
  await close();
});

t.test('work that fails is done again', async (t) => {
  const clock = new ManualClock();
  const log = listeningLog();
  let count = 0;
  const action = async (): Promise<void> => {
    count += 1;
    throw new Error('no');
  };
  const recurring = startRecurring({ name: 'x', firstDelayMs: 10, pauseMs: 20, action, clock, log });
  clock.advance(9);
  await settle();
  t.equal(count, 0);
  for (const passMs of [1, 20, 20]) {
    clock.advance(passMs);
    await settle();
  }
  t.equal(count, 3);
  t.same(log.events, Array(3).fill('storage.upkeep-failed'));
  await recurring.close();
  t.equal(clock.pending, 0);
});

t.test('a store with max_space has so much room and no more', async (t) => {
  const subject = await makeIndexSubject(t);
  const { layout, inventory, clock, events } = subject;
  await placeFile(layout, placeOf(0), immutableFile(new Uint8Array(9000), [5]));
  const attached = await subject.open();
  const { index } = attached;
  const free = { bytes: 1e9 };
  const options = { index, inventory, clock, freeBytes: async () => free.bytes, reservedBytes: 100 };
  const freeBytes = limitFreeBytes({ ...options, maximumBytes: 1e6 });
  const walked = await freeBytes();
  await index.compared();
  const used = totalDiskBytes(await index.usage());
  t.equal(walked, 100 + 1e6 - used, 'also before the index is complete');
  t.equal(await freeBytes(), 100 + 1e6 - used);
  await placeFile(layout, placeOf(1), immutableFile(new Uint8Array(9000), [5]));
  events.tell({ ...placeOf(1), kind: 'added', type: 'immutable' });
  const more = totalDiskBytes(await index.usage());
  t.ok(more > used);
  t.equal(await freeBytes(), 100 + 1e6 - more, 'what was just stored counts at once');
  const incoming = join(layout.shares, 'incoming');
  await writeFile(incoming, new Uint8Array(50_000));
  clock.advance(INCOMING_AGE_MAX_MS);
  const full = await freeBytes();
  t.ok(full <= 100 + 1e6 - more - 50_000, 'and what is on its way');
  free.bytes = 5000;
  t.equal(await freeBytes(), 5000, 'there is no more than there is');
  t.equal(await limitFreeBytes({ ...options, maximumBytes: 10 })(), 100, 'a store that is over its limit has no room');
  t.ok(WALK_AGE_MAX_MS >= INCOMING_AGE_MAX_MS);
  await attached.close();
});
