/** The introducer's Foolscap interfaces, both roles against each other without a socket, and what they must refuse. */
import t from 'tap';
import { utf8 } from '#core/bytes.js';
import { silentLog } from '#core/environment.js';
import { FoolscapIntroducer } from '#client/foolscap/introducer-session.js';
import { IntroducerObject } from '#introducer/foolscap/introducer-object.js';
import { Introducer } from '#introducer/introducer.js';
import { formatAnnouncementTuple, formatSubscriberInfo, parseAnnouncementTuple } from '#wire/foolscap/introducer.js';
import type { PeerConnection, RemoteObject, RemoteReference } from '#wire/foolscap/tub.js';
import { isRemoteObject } from '#wire/foolscap/tub.js';
import { Dict, Tuple, ValueSet } from '#wire/foolscap/values.js';
import type { Value } from '#wire/foolscap/values.js';
import { announce } from '#test/fixtures/announcements.js';
import { ManualClock, settle } from '#test/fixtures/clock.js';
import { memoryOf } from '#test/fixtures/introducer-server.js';

/** One connection; what is called on it is another object in this process. */
class Wire implements PeerConnection {
  readonly tubId = 'a'.repeat(32);
  readonly remoteAddress = '192.0.2.7';
  readonly calls: string[] = [];
  readonly #told = new Set<() => void>();
  connected = true;

  notifyOnDisconnect(told: () => void): () => void {
    this.#told.add(told);
    return () => this.#told.delete(told);
  }

  room(): Promise<void> {
    return Promise.resolve();
  }

  disconnect(): void {
    this.connected = false;
    for (const told of this.#told) told();
  }

  /** Objects that are sent arrive as references. */
  reference(object: RemoteObject): RemoteReference {
    const arrive = (value: Value): Value => (isRemoteObject(value) ? this.reference(value) : value);
    const wire = this as Wire;
    return {
      interfaceName: object.interfaceName,
      peer: this,
      get connected() {
        return wire.connected;
      },
      call: async (method, positional, named = new Map()) => {
        this.calls.push(method);
        return object.call(method, { positional: positional.map(arrive), named }, this);
      },
      notifyOnDisconnect: (told) => this.notifyOnDisconnect(told),
      release: () => undefined,
    };
  }
}

function createIntroducer(): { introducer: Introducer; object: IntroducerObject } {
  const introducer = new Introducer(memoryOf(), new ManualClock());
  return {
    introducer,
    object: new IntroducerObject({ introducer, applicationVersion: 'tallac/test', log: silentLog }),
  };
}

function openSession(object: RemoteObject, wire = new Wire()): FoolscapIntroducer {
  const tub = { connect: () => Promise.resolve(wire.reference(object)) };
  return new FoolscapIntroducer({
    name: 'i',
    furl: 'pb://',
    tub,
    nickname: 'me',
    applicationVersion: 'v',
    log: silentLog,
  });
}

const { signal } = new AbortController();

t.test('published over Foolscap, heard over Foolscap', async (t) => {
  const { introducer, object } = createIntroducer();
  await openSession(object).publish(announce(1, 1), signal);
  await openSession(object).publish(announce(1, 1), signal);
  t.equal(introducer.announcements().length, 1);
  const memory = memoryOf();
  const wire = new Wire();
  let heardAll = 0;
  const following = openSession(object, wire).follow(memory, (isAll) => (heardAll += Number(isAll)), signal);
  await settle();
  t.same([memory.entries().length, heardAll], [1, 1]);
  for (let i = 2; i < 150; i++) await introducer.publish(announce(i, 1), 'https');
  await settle(400);
  t.equal(memory.entries().length, 149);
  t.match(introducer.subscribers(), [{ dialect: 'foolscap', nickname: 'me', version: 'v', address: '192.0.2.7' }]);
  wire.disconnect();
  await following;
  t.same(introducer.subscribers(), []);
  t.same([introducer.publishedOver('foolscap'), introducer.publishedOver('https')], [2, 148]);
});

t.test('news that comes just as a call ends is sent, whenever that is', async (t) => {
  for (let ticks = 0; ticks < 30; ticks++) {
    const { introducer, object } = createIntroducer();
    const wire = new Wire();
    let heard = 0;
    let proceed = (): void => undefined;
    const subscriber: RemoteObject = {
      interfaceName: '',
      call: async (_method, { positional }) => {
        heard += positional[0] instanceof ValueSet ? positional[0].items.length : 0;
        await new Promise<void>((resolve) => (proceed = resolve));
        return null;
      },
    };
    const subscribe = [wire.reference(subscriber), utf8('storage'), formatSubscriberInfo('n', 'v')];
    await object.call('subscribe_v2', { positional: subscribe, named: new Map() }, wire);
    await introducer.publish(announce(1, 1), 'https');
    proceed();
    for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
    await introducer.publish(announce(2, 1), 'https');
    await settle();
    t.equal(heard, 2, `${String(ticks)} ticks after`);
  }
});

t.test('a slow subscriber is sent the newest of each, one call at a time', async (t) => {
  const { introducer, object } = createIntroducer();
  const wire = new Wire();
  const batches: number[] = [];
  let proceed = (): void => undefined;
  const subscriber: RemoteObject = {
    interfaceName: '',
    call: async (_method, { positional }) => {
      batches.push(positional[0] instanceof ValueSet ? positional[0].items.length : -1);
      await new Promise<void>((resolve) => (proceed = resolve));
      return null;
    },
  };
  const subscribe = [wire.reference(subscriber), utf8('storage'), formatSubscriberInfo('n', 'v')];
  for (let i = 0; i < 2; i++) await object.call('subscribe_v2', { positional: subscribe, named: new Map() }, wire);
  t.equal(introducer.subscribers().length, 1, 'again is once');
  for (let seqnum = 0; seqnum < 50; seqnum++)
    for (const server of [1, 2]) await introducer.publish(announce(server, seqnum), 'https');
  t.same(batches, [1]);
  proceed();
  await settle();
  t.same(batches, [1, 2]);
  proceed();
  await settle();
  t.same(batches, [1, 2], 'and that is all');
});

t.test('what breaks the interface is refused, and what is no announcement', async (t) => {
  const { introducer, object } = createIntroducer();
  const wire = new Wire();
  const call = (method: string, ...positional: Value[]): Promise<Value> =>
    Promise.resolve().then(() => object.call(method, { positional, named: new Map() }, wire));
  const canary = wire.reference({ interfaceName: '', call: () => Promise.resolve(null) });
  const { message, signature, key } = announce(1, 1);
  const info = formatSubscriberInfo('n', 'v');
  const cases: [string, Value[]][] = [
    ['nonsense', []],
    ['publish_v2', [formatAnnouncementTuple(announce(1, 1))]],
    ['subscribe_v2', [canary, utf8('storage')]],
    ['subscribe_v2', [null, utf8('storage'), info]],
    ['subscribe_v2', [canary, 'storage', info]],
    ['subscribe_v2', [canary, new Uint8Array(65), info]],
    ['subscribe_v2', [canary, new Uint8Array([255]), info]],
    ['subscribe_v2', [canary, utf8('storage'), null]],
  ];
  for (const [method, given] of cases) await t.rejects(call(method, ...given), { code: 'ERR_VIOLATION' }, method);
  const announcements: Value[] = [
    [message, utf8(signature), utf8(key)],
    new Tuple(message, signature, key),
    new Tuple(message, utf8(signature)),
    new Tuple('text', utf8(signature), utf8(key)),
    new Tuple(message, utf8(signature), utf8(key), null),
    new Tuple(message, utf8(signature), utf8(announce(2, 1).key)),
    null,
  ];
  for (const value of announcements) await t.rejects(call('publish_v2', value, canary), { code: 'ERR_ANNOUNCEMENT' });
  t.equal(introducer.announcements().length + introducer.subscribers().length, 0);
  t.same(parseAnnouncementTuple(formatAnnouncementTuple(announce(1, 1))), announce(1, 1));
  await t.rejects(
    openSession({ interfaceName: '', call: () => Promise.resolve(new Dict([])) }).publish(announce(1, 1), signal),
    {
      code: 'ERR_SERVER_REPLY',
      message: /does not speak version 2/,
    },
  );
});

t.test('one bad of many announced keeps no other out', async (t) => {
  const memory = memoryOf();
  let subscriber: RemoteReference | undefined;
  const introducer: RemoteObject = {
    interfaceName: '',
    call: (method, { positional }) => {
      if (method === 'get_version')
        return createIntroducer().object.call(method, { positional: [], named: new Map() }, new Wire());
      subscriber = positional[0] as RemoteReference;
      return Promise.resolve(null);
    },
  };
  const stop = new AbortController();
  const following = openSession(introducer).follow(memory, () => undefined, stop.signal);
  await settle();
  const good = [1, 2, 3].map((server) => formatAnnouncementTuple(announce(server, 1)));
  const bad = [null, new Tuple(), formatAnnouncementTuple({ ...announce(4, 1), key: announce(5, 1).key })];
  await subscriber?.call('announce_v2', [new ValueSet([...bad, ...good])]);
  t.equal(memory.entries().length, 3);
  await t.rejects(async () => subscriber?.call('announce_v2', [[]]), { code: 'ERR_VIOLATION' });
  stop.abort();
  await following;
});
