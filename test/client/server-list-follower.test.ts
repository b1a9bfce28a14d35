/** Following a server list: fetched, kept, renewed, revoked, expired; places that are gone and places that lie. */
import t from 'tap';
import type { Test } from 'tap';
import { silentLog } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import type { FetchedList, ListFetcher } from '#client/list-fetching.js';
import { LIST_REFRESH_MS, ServerListFollower } from '#client/server-list-follower.js';
import { JumpingClock, settle } from '#test/fixtures/clock.js';
import { crypto, seededRandom } from '#test/fixtures/crypto.js';
import { managerKey } from '#test/fixtures/grid-managers.js';
import { publishList } from '#test/fixtures/server-lists.js';

const DAY_MS = 86_400_000;
const gone = (): TahoeError => new TahoeError('ERR_CONNECT', { server: 'x', reason: 'nothing listens at its address' });

/** A web server that hands out what a test puts there. */
class FakePlace implements ListFetcher {
  document: Uint8Array | undefined;
  offersEvents = false;
  fetches: (string | undefined)[] = [];
  changed: (() => void) | undefined;

  async fetch(_url: string, etag: string | undefined): Promise<FetchedList> {
    await Promise.resolve();
    this.fetches.push(etag);
    if (this.document === undefined) throw gone();
    const current = `"${String(this.document.length)}-${String(this.document.at(-20))}"`;
    const eventsUrl = this.offersEvents ? 'http://list/events' : undefined;
    return { document: etag === current ? undefined : this.document, etag: current, eventsUrl };
  }

  follow(_url: string, changed: () => void, signal: AbortSignal): Promise<void> {
    this.changed = changed;
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

class Scene {
  readonly clock: JumpingClock;
  readonly place: FakePlace;
  readonly kept: Uint8Array[];
  readonly follower: ServerListFollower;
  servers: string[] | undefined;

  constructor(t: Test, before?: Scene, place = before?.place ?? new FakePlace()) {
    this.clock = before?.clock ?? new JumpingClock();
    this.place = place;
    this.kept = before?.kept ?? [];
    this.follower = new ServerListFollower({
      name: 'm',
      manager: managerKey('m'),
      urls: ['http://list/'],
      fetcher: place,
      cache: {
        kept: this.kept.at(-1),
        keep: (document) => {
          this.kept.push(document);
          return Promise.resolve();
        },
      },
      crypto,
      clock: this.clock,
      random: seededRandom('list'),
      log: silentLog,
      told: (servers) => {
        this.servers = servers.map(({ announcement }) => announcement.nickname);
      },
    });
    t.teardown(() => this.follower.close());
  }

  publish(number: number, servers: readonly number[], days = 5, manager = 'm'): Uint8Array {
    const issuedMs = this.clock.nowMs();
    return publishList({ manager, number, servers, issuedMs, expiresMs: issuedMs + days * DAY_MS });
  }

  async start(): Promise<this> {
    this.follower.start();
    await settle();
    return this;
  }

  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 30_000) {
      this.clock.advance(Math.min(30_000, left));
      await settle(4);
    }
  }
}

t.test('a list is fetched, renewed, and who is not in the next one is gone', async (t) => {
  const scene = new Scene(t);
  t.equal(scene.follower.isTold, false);
  scene.place.document = scene.publish(1, [1, 2]);
  await scene.start();
  t.same(scene.servers, ['server 1', 'server 2']);
  t.equal(scene.follower.isTold, true);
  await scene.pass(2 * LIST_REFRESH_MS);
  t.ok(scene.place.fetches.length >= 2 && scene.place.fetches.slice(1).every((etag) => etag !== undefined), 'by ETag');
  scene.place.document = scene.publish(2, [2, 3]);
  await scene.pass(2 * LIST_REFRESH_MS);
  t.same(scene.servers, ['server 2', 'server 3'], 'server 1 was revoked');
  t.equal(scene.kept.length, 2);
});

t.test('a stream of events has it asked at once, and not more often than that is good for', async (t) => {
  const scene = new Scene(t);
  scene.place.offersEvents = true;
  scene.place.document = scene.publish(1, [1]);
  await scene.start();
  const before = scene.place.fetches.length;
  scene.place.document = scene.publish(2, [2]);
  for (let i = 0; i < 1000; i++) scene.place.changed?.();
  await settle();
  scene.clock.advance(1000);
  await settle();
  t.same(scene.servers, ['server 2']);
  t.equal(scene.place.fetches.length, before + 1);
});

t.test('an older list is refused, also after a restart', async (t) => {
  const scene = new Scene(t);
  const old = scene.publish(1, [1]);
  scene.place.document = scene.publish(7, [2]);
  await scene.start();
  await t.rejects(scene.follower.accept(old), {
    code: 'ERR_SERVER_LIST',
    message: /its number is 1, and number 7 has been seen/,
  });
  await t.rejects(scene.follower.accept(scene.publish(7, [3])), {
    message: /another list with the number 7 has been seen/,
  });
  await scene.follower.close();
  scene.place.document = old;
  const again = await new Scene(t, scene).start();
  t.same(again.servers, ['server 2']);
  t.match(again.follower.status, { number: 7, problem: /number 7 has been seen/ });
});

t.test('when its place is gone it works until it expires, also after a restart', async (t) => {
  const scene = new Scene(t);
  scene.place.document = scene.publish(1, [1, 2], 2);
  await scene.start();
  scene.place.document = undefined;
  await scene.pass(DAY_MS);
  t.equal(scene.servers?.length, 2);
  await scene.follower.close();
  const again = new Scene(t, scene);
  await again.start();
  t.equal(again.servers?.length, 2);
  t.match(again.follower.status, { problem: /nothing listens/, isExpired: false });
  await again.pass(DAY_MS);
  t.same(again.servers, [], 'it has expired');
  t.equal(again.follower.status.isExpired, true);
  await again.follower.close();
  const late = await new Scene(t, again).start();
  t.same(late.servers, []);
  t.equal(late.follower.isTold, true, 'nobody waits for a list that does not come');
  late.place.document = late.publish(1, [1, 2]);
  await t.rejects(
    late.follower.accept(late.place.document),
    { message: /number 1 has been seen/ },
    'nor is a number used twice',
  );
  await late.follower.accept(late.publish(2, [4]));
  t.same(late.servers, ['server 4']);
});

t.test('a place that lies changes nothing', async (t) => {
  const scene = new Scene(t);
  const good = scene.publish(3, [1]);
  scene.place.document = good;
  await scene.start();
  for (const lie of [scene.publish(9, [6], 5, 'n'), good.slice(0, 100), new Uint8Array(0), scene.publish(9, [6], -1)]) {
    scene.place.document = lie;
    await scene.pass(2 * LIST_REFRESH_MS);
    t.same(scene.servers, ['server 1']);
    t.match(scene.follower.status.problem, /is refused/);
  }
  scene.place.document = scene.publish(9, [7]);
  await scene.pass(2 * LIST_REFRESH_MS);
  t.same(scene.servers, ['server 7'], 'a right one is taken afterwards');
});

t.test('a wrong clock is named, and a clock that is set right again brings the list back', async (t) => {
  const scene = new Scene(t);
  scene.place.document = scene.publish(1, [1], 5);
  await scene.start();
  scene.clock.jumpMs = 10 * DAY_MS;
  await scene.pass(30_000);
  t.same(scene.servers, []);
  await t.rejects(scene.follower.accept(scene.place.document), { message: /if the clock of this machine is right/ });
  scene.clock.jumpMs = 0;
  await scene.pass(30_000);
  t.same(scene.servers, ['server 1']);
});

t.test('what was kept and is damaged is left aside', async (t) => {
  const scene = new Scene(t);
  scene.kept.push(new Uint8Array([1, 2, 3]));
  const again = await new Scene(t, scene).start();
  t.same(again.servers, []);
  again.place.document = again.publish(1, [1]);
  await again.pass(LIST_REFRESH_MS);
  t.same(again.servers, ['server 1']);
});
