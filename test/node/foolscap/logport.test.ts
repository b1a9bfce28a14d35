/** What a node's log is to those who follow it over Foolscap: events, incidents, and what slow and broken readers cost. */
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { utf8 } from '#core/bytes.js';
import { createLog } from '#node/log.js';
import { EVENTS_IN_FLIGHT_MAX } from '#node/foolscap/logport/feeds.js';
import { LogPublisher, SUBSCRIPTION_COUNT_MAX } from '#node/foolscap/logport/publisher.js';
import { OBSERVER_TIMEOUT_MS } from '#node/foolscap/logport/subscription.js';
import { FLOG_MAGIC, formatEvent, formatIncidentHead } from '#node/logs/flogfile.js';
import { INCIDENT_SIZE_MAX } from '#node/logs/incident-files.js';
import { INCIDENT_PAUSE_MS } from '#node/logs/incidents.js';
import { keepLogs } from '#node/logs/keep-logs.js';
import { RECENT_LINE_COUNT_MAX } from '#node/logs/recent-lines.js';
import { applicationVersion } from '#node/version.js';
import { isRemoteReference } from '#wire/foolscap/tub.js';
import type { PeerConnection, RemoteReference } from '#wire/foolscap/tub.js';
import type { Value } from '#wire/foolscap/values.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { LogObserver, plain, until } from '#test/fixtures/foolscap/log-observer.js';
import { makeTub, startTub } from '#test/fixtures/foolscap/tub-pair.js';
import { temporaryDirectory } from '../fixtures/temporary-directory.js';

async function published(t: Test) {
  const directory = await temporaryDirectory(t);
  const clock = new ManualClock();
  const log = createLog('debug', { write: () => undefined });
  const kept = keepLogs(log, { directory, clock, destinations: [] });
  t.teardown(kept.end);
  const publisher = new LogPublisher(kept, log);
  const tubClock = new ManualClock();
  const server = await startTub(t, { clock: tubClock });
  const furl = server.serve('logport', publisher);
  const client = await makeTub(t);
  const incidents = join(directory, 'logs/incidents');
  return {
    clock,
    tubClock,
    log,
    kept,
    publisher,
    server,
    furl,
    client,
    incidents,
    logport: await client.connect(furl),
  };
}

async function subscribe(logport: RemoteReference, observer: LogObserver, ...words: Value[]): Promise<RemoteReference> {
  const subscription = await logport.call('subscribe_to_all', [observer, ...words]);
  if (!isRemoteReference(subscription)) throw new Error('no subscription');
  return subscription;
}

t.test('what it says of itself', async (t) => {
  const { logport } = await published(t);
  t.equal(logport.interfaceName, 'RILogPublisher.foolscap.lothar.com');
  t.strictSame(plain(await logport.call('get_versions', [])), { 'bytes tallac': `bytes ${applicationVersion}` });
  t.equal(await logport.call('get_pid', []), process.pid);
  t.strictSame(await logport.call('enumerate_logfiles', []), []);
  await t.rejects(logport.call('get_secrets', []), /no method get_secrets/);
  await t.rejects(logport.call('subscribe_to_all', ['x']), /the observer is not a reference/);
  await t.rejects(logport.call('subscribe_to_all', []), /2 arguments/);
  await t.rejects(logport.call('subscribe_to_all', [new LogObserver(), 1]), /catch_up is not a boolean/);
  await t.rejects(logport.call('unsubscribe', [new LogObserver()]), /the subscription is none/);
});

t.test('events go to who subscribed, from then on or from the last ones', async (t) => {
  const { log, logport, publisher } = await published(t);
  log.info('before', { where: 'URI:CHK:verysecret:alsosecret:3:10:99' });
  const [late, early] = [new LogObserver(), new LogObserver()];
  const subscription = await subscribe(logport, late);
  t.equal(subscription.interfaceName, 'RISubscription.foolscap.lothar.com');
  t.equal(late.events.length, 0, 'the answer comes first');
  const catchUp = new Map<string, Value>([['catch_up', true]]);
  const other = await logport.call('subscribe_to_all', [early], catchUp);
  log.warn('after', { size: 3 });
  await until(() => late.events.length > 0 && early.events.length > 1);
  t.strictSame(late.messages, ['after size=3']);
  t.strictSame(early.messages, ['before where=URI:CHK:[hidden]', 'after size=3']);
  const [told] = late.events;
  t.match(told, { level: 25, facility: 'tallac', incarnation: [/^[0-9a-f-]{36}$/, null], time: Number });
  t.equal(told?.num, 1 + (early.events[0]?.num ?? 0));
  await subscription.call('unsubscribe', []);
  await subscription.call('unsubscribe', []);
  await logport.call('unsubscribe', [other]);
  t.equal(publisher.subscriptionCount, 0);
  log.info('nobody hears this');
  await until(() => late.isReleased && early.isReleased);
  t.strictSame([late.events.length, early.events.length], [1, 2]);
});

t.test('one who reads slowly misses the oldest, and costs nothing', async (t) => {
  const { log, logport, publisher } = await published(t);
  const observer = new LogObserver();
  let answer: (value: null) => void = () => undefined;
  observer.answer = new Promise((resolve) => (answer = resolve));
  await subscribe(logport, observer);
  for (let i = 0; i < EVENTS_IN_FLIGHT_MAX; i++) log.debug('first', { i });
  await until(() => observer.events.length >= EVENTS_IN_FLIGHT_MAX);
  for (let i = 0; i < 3 * RECENT_LINE_COUNT_MAX; i++) log.debug('step', { i });
  await settle();
  t.equal(observer.events.length, EVENTS_IN_FLIGHT_MAX, 'no more until it answers');
  answer(null);
  await until(() => observer.events.length >= 100);
  publisher.close();
  const numbers = observer.events.map(({ num }) => num);
  t.strictSame(
    numbers,
    [...new Set(numbers)].sort((a, b) => a - b),
    'each once, in order',
  );
  const [before = 0, behind = 0] = numbers.slice(EVENTS_IN_FLIGHT_MAX - 1);
  t.ok(behind - before > RECENT_LINE_COUNT_MAX, `${String(before)}, then ${String(behind)}`);
});

t.test('who hangs, fails or goes is dropped', async (t) => {
  const { furl, log, logport, publisher, server, tubClock } = await published(t);
  const [hung, failing, gone, good] = [new LogObserver(), new LogObserver(), new LogObserver(), new LogObserver()];
  hung.answer = new Promise(() => undefined);
  failing.answer = Promise.reject(new Error('no'));
  failing.answer.catch(() => undefined);
  const away = await makeTub(t);
  await subscribe(await away.connect(furl), gone);
  for (const observer of [hung, failing, good]) await subscribe(logport, observer);
  t.equal(publisher.subscriptionCount, 4);
  await away.close();
  await until(() => publisher.subscriptionCount === 3);
  log.info('something');
  await until(() => failing.isReleased);
  await until(() => good.messages.at(-1)?.startsWith('observer of the log dropped'));
  await settle();
  t.equal(good.events.length, 2, 'and that is all that is said of it');
  tubClock.advance(OBSERVER_TIMEOUT_MS);
  await until(() => hung.isReleased);
  t.strictSame([publisher.subscriptionCount, failing.events.length], [1, 1]);
  await server.tub.close();
  await until(() => publisher.subscriptionCount === 0);
});

t.test('there are only so many places, and one observer may have several', async (t) => {
  const { log, logport, publisher } = await published(t);
  const observer = new LogObserver();
  for (let i = 1; i < SUBSCRIPTION_COUNT_MAX; i++) await subscribe(logport, observer);
  const last = await subscribe(logport, observer);
  await t.rejects(subscribe(logport, observer), /ERR_BUSY.*places for observers of the log/);
  t.equal(await logport.call('get_pid', []), process.pid, 'the rest of it answers');
  await last.call('unsubscribe', []);
  log.info('once');
  await until(() => observer.events.length === SUBSCRIPTION_COUNT_MAX - 1 || observer.isReleased);
  t.notOk(observer.isReleased);
  publisher.close();
  await until(() => observer.isReleased);
  t.equal(publisher.subscriptionCount, 0);
});

t.test('incidents are told of when they come, and the earlier ones to who asks', async (t) => {
  const { clock, incidents, log, logport } = await published(t);
  const observer = new LogObserver();
  await logport.call('subscribe_to_incidents', [observer]);
  log.info('innocent');
  log.error('it broke');
  await until(() => observer.incidents.length === 1);
  clock.advance(INCIDENT_PAUSE_MS);
  log.error('again');
  await until(() => observer.incidents.length === 2);
  const names = (await readdir(incidents)).sort().map((file) => file.slice(0, -'.flog'.length));
  t.match(observer.incidents, [
    ['new_incident', `bytes ${names[0] ?? ''}`, { message: 'it broke', level: 30 }],
    ['new_incident', `bytes ${names[1] ?? ''}`, { message: 'again' }],
  ]);
  const later = new LogObserver();
  const since = new Map<string, Value>([
    ['catch_up', true],
    ['since', utf8(names[0] ?? '')],
  ]);
  await logport.call('subscribe_to_incidents', [later], since);
  clock.advance(INCIDENT_PAUSE_MS);
  log.error('and again');
  await until(() => later.incidents.length === 3);
  t.match(later.incidents, [
    ['new_incident', `bytes ${names[1] ?? ''}`, { message: 'again' }],
    ['done_with_incident_catchup'],
    ['new_incident', String, { message: 'and again' }],
  ]);
  t.match(plain(await logport.call('list_incidents', [])), { [names[0] ?? '']: { message: 'it broke' } });
  const [head, events] = plain(await logport.call('get_incident', [utf8(names[0] ?? '')])) as [unknown, unknown[]];
  t.match(head, {
    type: 'incident',
    trigger: { message: 'it broke' },
    pid: process.pid,
    versions: { tallac: applicationVersion },
  });
  t.match(events, [{ message: 'innocent' }, { message: 'it broke' }]);
  t.equal(events.length, 2);
});

t.test('names that lead elsewhere, and files that are no incidents', async (t) => {
  const { incidents, logport } = await published(t);
  t.strictSame(plain(await logport.call('list_incidents', [])), {}, 'there is no directory yet');
  await mkdir(incidents, { recursive: true });
  const event = { num: 1e300, time: 2, incarnation: [7], level: 20, facility: '', message: 'Bearer abcdefghijkl' };
  const text = `${formatIncidentHead(event, 1, {})}${formatEvent(event)}\n`;
  await writeFile(join(incidents, '../outside.flog'), text);
  await writeFile(join(incidents, 'incident-1Z-theirs.flog'), text);
  await writeFile(join(incidents, 'incident-2Z-empty.flog'), '');
  await writeFile(join(incidents, 'incident-3Z-headless.flog'), `${FLOG_MAGIC}\n${formatEvent(event)}\n`);
  const long = { ...event, message: 'x'.repeat(INCIDENT_SIZE_MAX) };
  await writeFile(join(incidents, 'incident-4Z-large.flog'), `${text}${formatEvent(long)}\n`);
  await mkdir(join(incidents, 'incident-5Z-directory.flog'));
  execFileSync('mkfifo', [join(incidents, 'incident-6Z-pipe.flog')]);
  const clean = { num: 0, time: 2, incarnation: [null], level: 20, facility: '', message: 'Bearer [hidden]' };
  t.strictSame(plain(await logport.call('list_incidents', [])), { 'incident-1Z-theirs': clean });
  t.strictSame(plain(await logport.call('list_incidents', ['incident-1Z-theirs'])), {});
  t.match(plain(await logport.call('get_incident', ['incident-1Z-theirs'])), [{ trigger: clean }, [clean]]);
  const names = ['../outside', 'incident-1Z-theirs.flog', 'incident-../outside', '', 'incident-9Z-absent'];
  const others = (await readdir(incidents)).slice(1).map((file) => file.slice(0, -'.flog'.length));
  for (const name of [...names, ...others])
    await t.rejects(logport.call('get_incident', [name]), /KeyError.*no incident of that name/, name);
  for (const wrong of [1, 'x'.repeat(201), Uint8Array.of(255)])
    await t.rejects(logport.call('get_incident', [wrong]), /not the name of an incident/);
});

t.test('one peer reads one incident after the other, as fast as it takes the answers', async (t) => {
  const { publisher } = await published(t);
  const rooms: (() => void)[] = [];
  const peer: PeerConnection = {
    tubId: 'a'.repeat(32),
    remoteAddress: undefined,
    notifyOnDisconnect: () => () => undefined,
    room: () => new Promise((resolve) => rooms.push(resolve)),
  };
  const given = { positional: ['incident-1Z-absent'], named: new Map() };
  const reads = [0, 1, 2].map(() => publisher.call('get_incident', given, peer).catch(() => 'none'));
  for (let i = 0; i < reads.length; i++) {
    await settle();
    t.equal(rooms.length, i + 1);
    rooms[i]?.();
    t.equal(await reads[i], 'none');
  }
});

t.test('nothing is told in the midst of what is logged, nor before the answer', async (t) => {
  const { log, publisher } = await published(t);
  const told: string[] = [];
  const peer: PeerConnection = {
    tubId: 'a'.repeat(32),
    remoteAddress: undefined,
    notifyOnDisconnect: () => () => undefined,
    room: () => Promise.resolve(),
  };
  const observer: RemoteReference = {
    interfaceName: 'RILogObserver.foolscap.lothar.com',
    peer,
    connected: true,
    call: (method) => {
      told.push(method);
      return Promise.resolve(null);
    },
    notifyOnDisconnect: () => () => undefined,
    release: () => undefined,
  };
  log.info('before');
  await publisher.call('subscribe_to_all', { positional: [observer, true], named: new Map() }, peer);
  t.strictSame(told, []);
  await settle(1);
  t.strictSame(told, ['msg']);
  log.info('another');
  t.strictSame(told, ['msg']);
  await settle(2);
  t.strictSame(told, ['msg', 'msg']);
});
