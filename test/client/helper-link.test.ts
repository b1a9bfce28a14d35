/** The link of a client to its helper, and places for work, on a clock that the test moves. */
import t from 'tap';
import { TahoeError } from '#core/errors.js';
import { silentLog } from '#core/environment.js';
import { FoolscapHelper } from '#client/helper/foolscap-helper.js';
import { HelperLink } from '#client/helper/helper-link.js';
import { Places } from '#client/places.js';
import type { RemoteObject, RemoteReference, Tub } from '#wire/foolscap/tub.js';
import { formatHelperVersion, HELPER_PROTOCOL } from '#wire/foolscap/upload-helper.js';
import { ManualClock, settle } from '../fixtures/clock.js';
import { joinBrokers, objectOf } from '../fixtures/foolscap/banana-talk.js';
import { closed } from '../fixtures/helper-grid.js';

const forever = new AbortController().signal;
const helper = objectOf({ get_version: () => formatHelperVersion(HELPER_PROTOCOL, 'x/1') });
const other = objectOf({ get_version: () => formatHelperVersion('http://example/helper/v2', 'x/1') });

/** The longest of all waits that chance leaves. */
const random = { bytes: (size: number) => new Uint8Array(size).fill(255) };

/** A link that connects by `connect`. */
function linkBy(connect: Pick<Tub, 'connect'>['connect']): { clock: ManualClock; link: HelperLink } {
  const clock = new ManualClock();
  const place = { name: 'x', furl: 'pb://…', tub: { connect } };
  const reach = (signal: AbortSignal): Promise<FoolscapHelper> => FoolscapHelper.connect(place, signal);
  return { clock, link: new HelperLink({ name: 'x', connect: reach, clock, random, log: silentLog }) };
}

/** A link whose attempts lead to what stands next in `answers`: an object, or nothing. */
function linkTo(answers: (RemoteObject | undefined)[]) {
  const ends: (() => void)[] = [];
  const connect = async (): Promise<RemoteReference> => {
    const object = answers.shift();
    if (object === undefined) throw new TahoeError('ERR_CONNECT', { server: 'x', reason: 'refused' });
    const { here, there } = joinBrokers(new Map([['name', object]]));
    ends.push(() => {
      for (const { broker } of [here, there]) broker.end(closed());
    });
    return here.broker.reference('name', {});
  };
  return { ...linkBy(connect), end: () => ends.pop()?.() };
}

t.test('it connects again and again, and who asks first waits for the first attempt', async (t) => {
  const { clock, end, link } = linkTo([undefined, other, helper, undefined, helper]);
  const first = link.connected(forever);
  link.start();
  t.equal(await first, undefined, 'refused');
  clock.advance(1_000);
  await settle();
  t.equal(await link.connected(forever), undefined, 'it speaks another version');
  clock.advance(1_990);
  await settle();
  t.equal(await link.connected(forever), undefined, 'the waits grow');
  clock.advance(10);
  await settle();
  t.equal((await link.connected(forever))?.name, 'x');
  clock.advance(60_001);
  end();
  await settle();
  t.equal(await link.connected(forever), undefined, 'the connection has ended');
  clock.advance(1_000);
  await settle();
  clock.advance(2_000);
  await settle();
  t.equal((await link.connected(forever))?.name, 'x', 'and is back');
  await link.close();
  t.equal(clock.pending, 0);
});

t.test('who asks may stop waiting; a link that is closed lets go', async (t) => {
  const connect = (_furl: string, options?: { readonly signal?: AbortSignal }) =>
    new Promise<never>((_resolve, reject) => {
      options?.signal?.addEventListener('abort', () => {
        reject(new TahoeError('ERR_CANCELLED', { what: 'connecting' }));
      });
    });
  const { clock, link } = linkBy(connect);
  link.start();
  const stopped = new AbortController();
  const waiting = t.rejects(link.connected(stopped.signal), { code: 'ERR_CANCELLED' });
  stopped.abort();
  await waiting;
  const late = t.rejects(link.connected(forever), { code: 'ERR_TIMEOUT' });
  clock.advance(60_000);
  await late;
  await link.close();
  t.equal(await link.connected(forever), undefined);
});

t.test('places are given in the order of coming', async (t) => {
  const places = new Places(2);
  const done: (() => void)[] = [];
  const log: number[] = [];
  const work = (n: number, signal = forever): Promise<number> =>
    places.run(signal, () => {
      log.push(n);
      return new Promise((resolve) => {
        done.push(() => {
          resolve(n);
        });
      });
    });
  const stopped = new AbortController();
  const all = [work(0), work(1), work(2, stopped.signal), work(3), work(4)];
  const cancelled = t.rejects(async () => all[2], { code: 'ERR_CANCELLED' });
  await settle();
  t.same(log, [0, 1]);
  stopped.abort();
  await cancelled;
  for (const expected of [
    [0, 1, 3],
    [0, 1, 3, 4],
  ]) {
    done.shift()?.();
    await settle();
    t.same(log, expected);
  }
  for (const end of done.splice(0)) end();
  t.same(await Promise.all([all[0], all[1], all[3], all[4]]), [0, 1, 3, 4]);
  await t.rejects(
    places.run(stopped.signal, () => Promise.resolve()),
    { code: 'ERR_CANCELLED' },
  );
  await t.rejects(
    places.run(forever, () => Promise.reject(closed())),
    { code: 'ERR_CONNECTION_CLOSED' },
  );
  t.equal(await places.run(forever, () => Promise.resolve(7)), 7, 'what failed has left its place');
});
